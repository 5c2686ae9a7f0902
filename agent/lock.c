/* The one lock of all tables, and who may take it. */
#include "lock.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint32_t own_pid;

uint64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
uint64_t realtime_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * Private to the process and never waited for without end: a thread that was cancelled or killed with the lock in its
 * hand costs samples, not the program. A signal handler cannot meet its own thread's lock (`inside`).
 */
static uint32_t lock_word;
bool lock(void) {
  for (uint32_t tries = 0; __atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE); tries++) {
    if (tries > 100000) {
      if (file) __atomic_fetch_add(&file->header.lock_timeouts, 1, __ATOMIC_RELAXED);
      return false;
    }
    if (tries > 64) sched_yield();
  }
  return true;
}
void unlock(void) { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }

/* A vfork child or one made by a raw clone() shares the mapping but is another process: it writes nothing. */
bool is_own_process(void) { return (uint32_t)syscall(SYS_getpid) == own_pid; }

uint32_t own_thread_id(void) {
  if (!thread.id) thread.id = (uint32_t)syscall(SYS_gettid);
  return thread.id;
}

void lock_begin_child(void) {
  lock_word = 0;
  thread.id = 0;
}
