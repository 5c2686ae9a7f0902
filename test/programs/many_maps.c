/* many_maps: maps single pages until the kernel says no (vm.max_map_count), then uses what malloc did not give */
#include <stdlib.h>
#include <sys/mman.h>

int main(void) {
  for (long i = 0; i < 4000000; i++)
    if (mmap(0, 4096, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) break;
  volatile char *data = malloc(1 << 20);
  data[7] = 1;
  return 0;
}
