/* offset BYTES AT: writes AT bytes behind a pointer that malloc(BYTES) may have left NULL: the fault address is not near 0 */
#include <stdlib.h>
int main(int argc, char **argv) {
  char *data = malloc(strtoull(argv[1], 0, 10));
  data[strtol(argv[2], 0, 10)] = 1;
  return argc - 3;
}
