# A package that is run by -m. truth: STORE, module_package.store.STORE | run: -m module_package
from module_package import store


def main():
    n = 0
    while True:
        store.put(n)
        n += 1


main()
