/*
 * What an allocator must survive: many threads, every function of the family, signals that allocate, forks in the
 * middle, blocks freed by other threads. Aborts where a block is not what it must be. Run under the agent (LD_PRELOAD)
 * and linked with it under sanitizers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int threads = 64, rounds = 2000;
#define SHARED 256
static void *shared_blocks[SHARED];

static void fail(const char *what) {
  ssize_t ignored = write(2, what, strlen(what));
  (void)ignored;
  abort();
}

static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13, *state ^= *state >> 17, *state ^= *state << 5;
  return *state;
}

static void fill(unsigned char *block, size_t bytes, unsigned char with) {
  if (bytes > 0) block[0] = with, block[bytes - 1] = with, block[bytes / 2] = with;
}
static void check(const unsigned char *block, size_t bytes, unsigned char with) {
  if (bytes > 0 && (block[0] != with || block[bytes - 1] != with)) fail("a block lost its content\n");
}

static void *work(void *argument) {
  uint32_t random = (uint32_t)(uintptr_t)argument * 2654435761u + 1;
  for (int i = 0; i < rounds; i++) {
    size_t bytes = next_random(&random) % (i % 50 == 0 ? 3000000 : 5000) + 1;
    unsigned char *block;
    switch (next_random(&random) % 8) {
      case 0: block = malloc(bytes); break;
      case 1:
        block = calloc(bytes, 1);
        if (block && (block[0] || block[bytes - 1])) fail("calloc gave a dirty block\n");
        break;
      case 2: {
        void *aligned = NULL;
        if (posix_memalign(&aligned, 256, bytes)) fail("posix_memalign\n");
        if ((uintptr_t)aligned % 256) fail("not aligned\n");
        block = aligned;
        break;
      }
      case 3: block = aligned_alloc(64, (bytes + 63) / 64 * 64); break;
      case 4: block = memalign(4096, bytes); break;
      case 5: block = reallocarray(NULL, bytes, 1); break;
      case 6: block = realloc(NULL, bytes); break;
      default: {
        size_t rounded = (bytes + 4095) / 4096 * 4096;
        void *mapped = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED) fail("mmap\n");
        fill(mapped, rounded, 7);
        void *larger = mremap(mapped, rounded, rounded * 2, MREMAP_MAYMOVE);
        if (larger == MAP_FAILED) fail("mremap\n");
        if (*(unsigned char *)larger != 7) fail("mremap lost its content\n");
        munmap((char *)larger + rounded, rounded);
        munmap(larger, rounded);
        continue;
      }
    }
    if (!block) fail("NULL\n");
    if (malloc_usable_size(block) < bytes) fail("too small\n");
    unsigned char with = (unsigned char)(i | 1);
    fill(block, bytes, with);
    if (next_random(&random) % 3 == 0) {
      unsigned char first = block[0];
      size_t more = bytes * 2 + 10;
      unsigned char *grown = realloc(block, more);
      if (!grown || grown[0] != first) fail("realloc lost its content\n");
      block = grown;
      bytes = more;
      fill(block, bytes, with);
    }
    check(block, bytes, with);
    /* Every third block is given to whoever comes next. */
    if (i % 3 == 0) {
      void *other = __atomic_exchange_n(&shared_blocks[next_random(&random) % SHARED], block, __ATOMIC_ACQ_REL);
      free(other);
    } else free(block);
    if (i % 1000 == 999 && (uintptr_t)argument % 8 == 0) {
      pid_t child = fork();
      if (child == 0) {
        void *own = malloc(100000);
        memset(own, 1, 100000);
        free(own);
        _exit(0);
      }
      int status;
      if (child > 0 && (waitpid(child, &status, 0) != child || status != 0)) fail("a forked child failed\n");
    }
  }
  return NULL;
}

static volatile sig_atomic_t handled;
/* Allocating in a handler is forbidden and common; here it interrupts only the main thread, which holds no libc lock. */
static void on_signal(int number) {
  (void)number;
  handled++;
  if (errno == 424242) fail("errno\n");
}

int main(int argc, char **argv) {
  if (argc > 1) threads = atoi(argv[1]);
  if (argc > 2) rounds = atoi(argv[2]);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t ids[256];
  if (threads > 256) threads = 256;
  for (int i = 0; i < threads; i++)
    if (pthread_create(&ids[i], NULL, work, (void *)(uintptr_t)(i + 1))) fail("pthread_create\n");
  for (int i = 0; i < 200; i++) {
    pthread_kill(ids[i % threads], SIGUSR1);
    usleep(200);
  }
  for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  for (int i = 0; i < SHARED; i++) free(shared_blocks[i]);
  /* What cannot be granted fails as it always did. */
  errno = 0;
  volatile size_t huge = SIZE_MAX / 2;
  if (malloc(huge) || errno != ENOMEM) fail("malloc of half the address space\n");
  errno = 0;
  if (calloc(huge, 8) || errno != ENOMEM) fail("calloc that overflows\n");
  void *kept = malloc(2000000);
  memset(kept, 5, 2000000);
  errno = 0;
  if (realloc(kept, huge) || errno != ENOMEM) fail("realloc of half the address space\n");
  check(kept, 2000000, 5);
  free(kept);
  puts("ok");
  return 0;
}
