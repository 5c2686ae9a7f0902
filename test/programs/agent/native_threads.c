/* A library with a thread of its own, as machine learning and data libraries have them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 40
#define PIECE ((size_t)1 << 20)

static pthread_t worker;
static void *kept[PIECES];

static void *work(void *unused) {
  for (int i = 0; i < PIECES; i++) {
    kept[i] = malloc(PIECE);
    if (kept[i]) memset(kept[i], 1, PIECE);
  }
  return unused;
}

/* Returns at once; the thread goes on. */
void start_in_background(void) { pthread_create(&worker, NULL, work, NULL); }
void wait_for_it(void) { pthread_join(worker, NULL); }

/* The call lasts until its thread has ended, and has memory of its own. */
void *work_inside(void) {
  void *own = malloc(PIECE);
  if (own) memset(own, 1, PIECE);
  start_in_background();
  wait_for_it();
  return own;
}
