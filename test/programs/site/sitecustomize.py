print("hello from sitecustomize")
