/* large_core MIB: that much address space, one page of every 64 KiB touched, then a write through a refused malloc */
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv) {
  size_t bytes = strtoull(argc > 1 ? argv[1] : "64", 0, 10) << 20;
  char *data = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return 71;
  for (size_t at = 0; at < bytes; at += 1 << 16) data[at] = 1;
  volatile char *refused = malloc(10000000000000000);
  refused[0] = 1;
  return 0;
}
