/* The one lock of all tables, and who may take it. */
#include "lock.h"

#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox.h"

uint32_t own_pid;

/*
 * In a sandbox the coarse clocks (4 ms), which are memory to read: strict mode forbids the counter that the others read too, and where
 * that is no good clock they are system calls. Without the kernel's page of them (under valgrind) the time stands still.
 */
static bool has_vdso;
static uint64_t now_ns(clockid_t precise, clockid_t coarse) {
  struct timespec now = {0};
  if (LIKELY(!sandboxed)) clock_gettime(precise, &now);
  else if (has_vdso) clock_gettime(coarse, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
uint64_t monotonic_ns(void) { return now_ns(CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE); }
uint64_t realtime_ns(void) { return now_ns(CLOCK_REALTIME, CLOCK_REALTIME_COARSE); }

uint64_t own_cpu_ns(void) {
  struct timespec now = {0};
  if (!sandboxed) syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &now);
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
    if (tries > 64 && !sandboxed) sched_yield();
  }
  return true;
}
void unlock(void) { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }

/*
 * A page that the kernel empties in every child: one that was made by a raw clone() shares the file's mapping but is another
 * process, and writes nothing. No system call for that. (Linux 4.14; NULL: ask for the pid.)
 */
static uint8_t *own_page;
bool is_own_process(void) { return LIKELY(own_page) ? *own_page : sandboxed || (uint32_t)syscall(SYS_getpid) == own_pid; }

/* A vfork child is in the same memory, and what it allocates is its parent's. But its end is not its parent's. */
bool is_own_end(void) {
  if (!is_own_process()) return false;
  return !vfork_seen || (!sandboxed && (uint32_t)syscall(SYS_getpid) == own_pid);
}

void lock_start(void) {
  own_pid = thread.id = (uint32_t)getpid();
  has_vdso = getauxval(AT_SYSINFO_EHDR) != 0;
  const int wipe_on_fork = 18;
  void *page = (void *)syscall(SYS_mmap, NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
  if (page == MAP_FAILED || syscall(SYS_madvise, page, (size_t)sysconf(_SC_PAGESIZE), (long)wipe_on_fork)) return;
  own_page = page;
  *own_page = 1;
}

uint32_t own_thread_id(void) {
  if (!thread.id && !sandboxed) thread.id = (uint32_t)syscall(SYS_gettid);
  return thread.id;
}

void lock_begin_child(void) {
  lock_word = 0;
  thread.id = 0;
  if (own_page) *own_page = 1;
}
