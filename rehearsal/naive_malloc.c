/* A disguised death in C: writes through malloc's answer without having looked at it. The size is the first argument. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: naive_malloc BYTES\n");
    return 64;
  }
  char *text = malloc(strtoull(argv[1], NULL, 10));
  strcpy(text, "It worked.");
  puts(text);
  return 0;
}
