from oom_coroner import main

if __name__ == "__main__":
    main()
