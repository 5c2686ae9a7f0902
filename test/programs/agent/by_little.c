/* One block that grows by STEP bytes at a time to SIZE, by realloc; then the process is gone. */
#include <signal.h>
#include <stdlib.h>

int main(int count, char **words) {
  if (count < 3) return 64;
  const size_t size = strtoul(words[1], NULL, 10), step = strtoul(words[2], NULL, 10);
  size_t bytes = 50;
  char *block = malloc(bytes);
  while (block && bytes < size) {
    bytes += step;
    block = realloc(block, bytes);
    if (block) block[bytes - 1] = 1;
  }
  raise(SIGKILL);
}
