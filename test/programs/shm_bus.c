/* shm_bus NAME: writes to a mapping of /dev/shm/NAME that is longer than the file: SIGBUS */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int fd = shm_open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
  if (argc < 2 || fd < 0) return 64;
  ftruncate(fd, 8192);
  volatile char *data = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ftruncate(fd, 0);
  shm_unlink(argv[1]);
  data[4096] = 1;
  return 0;
}
