/* fill(size): what a careless extension does. malloc may say NULL; the write crashes. */
#include <stdlib.h>

void fill(size_t size) {
  volatile char *data = malloc(size);
  data[0] = 1;
  data[size - 1] = 1;
}
