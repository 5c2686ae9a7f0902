/* Puts a FIFO in place of its own executable, says so, and grows towards a limit of address space. Its name is given by whoever compiles it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **words) {
  unlink(words[0]);
  if (mkfifo(words[0], 0600) != 0) return 9;
  puts("ready");
  fflush(stdout);
  if (count > 1) {
    pause();
    return 0;
  }
  const struct rlimit limit = {300 << 20, 300 << 20};
  setrlimit(RLIMIT_AS, &limit);
  for (;;) {
    char *block = malloc(8 << 20);
    if (!block) break;
    memset(block, 1, 8 << 20);
    usleep(20000);
  }
  sleep(1);
  return 3;
}
