/* A program that opens libpython itself, as embeddings, frozen programs and application servers do: embedding LIBRARY SCRIPT */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  void *python = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (!python) { fprintf(stderr, "%s\n", dlerror()); return 2; }
  void (*initialize)(void) = dlsym(python, "Py_Initialize");
  int (*run)(const char *, void *) = dlsym(python, "PyRun_SimpleStringFlags");
  FILE *file = fopen(argv[2], "r");
  static char text[65536];
  fread(text, 1, sizeof text - 1, file);
  initialize();
  return run(text, NULL);
}
