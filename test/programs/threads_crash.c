/* three threads wait, a fourth uses a pointer that malloc left NULL */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *wait_here(void *unused) { pause(); return unused; }
static void *crash(void *unused) {
  volatile char *data = malloc(1000000000000000);
  data[5] = 1;
  return unused;
}
int main(void) {
  pthread_t thread;
  for (int i = 0; i < 3; i++) pthread_create(&thread, 0, wait_here, 0);
  usleep(50000);
  pthread_create(&thread, 0, crash, 0);
  pause();
}
