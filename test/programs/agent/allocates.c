/* Allocates, moves and frees; says whether LD_PRELOAD names the agent, unless it shall be `quiet`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char *argv[]) {
  char *block = malloc(5 << 20);
  memset(block, 1, 5 << 20);
  block = realloc(block, 9 << 20);
  if (block[5] != 1) return 1;
  free(block);
  const char *preload = getenv("LD_PRELOAD");
  if (argc > 1 && !strcmp(argv[1], "quiet")) puts("moved");
  else puts(preload && strstr(preload, "coroner-agent") ? "with" : "without");
  return 7;
}
