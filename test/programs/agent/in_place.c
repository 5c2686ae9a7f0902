/* One block that grows by little until the kernel ends it: in_place realloc|mremap|reallocarray. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int count, char **arguments) {
  const char *how = count > 1 ? arguments[1] : "realloc";
  /* A mapping that was too small to be noted may be of a file, for all that mremap() tells. */
  size_t bytes = strcmp(how, "mremap") ? 4096 : 2 << 20;
  char *block = strcmp(how, "mremap") ? NULL : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (;; bytes += 4096) {
    if (!strcmp(how, "mremap")) block = mremap(block, bytes, bytes + 4096, MREMAP_MAYMOVE);
    else if (!strcmp(how, "reallocarray")) block = reallocarray(block, bytes + 4096, 1);
    else block = realloc(block, bytes + 4096);
    if (!block || block == MAP_FAILED) return 1;
    memset(block + bytes - 4096, 1, 4096 * 2);
  }
}
