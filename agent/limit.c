/*
 * --memory-limit: turns a kill into an exception. Only where the user asked for it: without a limit the agent decides nothing.
 *
 * What counts is memory that cannot be dropped (anonymous and shared pages), read from /proc: it is looked at on the
 * slow path only, and small requests between two looks are bounded by the distance of two samples.
 */
#include "agent.h"
#include "ask.h"
#include "failed.h"
#include "file.h"
#include "lock.h"
#include "weigh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool limit_set;
static uint64_t limit_bytes;
static enum { AT_LIMIT_RAISE, AT_LIMIT_REPORT, AT_LIMIT_KILL } at_limit;
static struct coroner_tree_slot *own_slot;
/*
 * Interpreters check small requests least of all: CPython 3.13's compiler dereferences the NULL. So these may go above the limit by a
 * little, where the larger ones that come along are refused first, and after a refusal some pass, so that the exception can be raised
 * and told. To tell it CPython imports `traceback`, for which a table of some hundred KiB may have to grow; 3.13 crashes where that of the
 * interned strings may not.
 */
#define TELLING_BYTES (512u << 10)
static uint64_t small_reserve, allowance;
static uint64_t whole_allowance(void) { return limit_bytes / 64 < (8u << 20) ? limit_bytes / 64 : 8u << 20; }
/* At the last look: what this process held and what the others did. */
static uint64_t held_bytes, others_bytes, asked_bytes, read_ns;

void limit_open(uint64_t bytes, int how) {
  if (!file) return;
  limit_bytes = bytes;
  at_limit = how == 2 ? AT_LIMIT_KILL : how == 1 ? AT_LIMIT_REPORT : AT_LIMIT_RAISE;
  limit_set = true;
  allowance = whole_allowance();
  small_reserve = (64u << 10) + bytes / 100;
  file->header.limit_bytes = bytes;
  limit_begin_child();
}

void limit_begin_child(void) {
  own_slot = NULL;
  ask_begin_child();
  if (!limit_set || !tree) return;
  uint32_t pid = own_pid;
  for (uint32_t i = 0; i < TREE_SLOTS && !own_slot; i++) {
    uint32_t taken = __atomic_load_n(&tree->slots[i].pid, __ATOMIC_RELAXED);
    /* exec keeps the pid; the slots of the dead are free. */
    if (taken == pid) own_slot = &tree->slots[i];
    else if ((taken == 0 || (syscall(SYS_kill, taken, 0) && errno == ESRCH)) &&
             __atomic_compare_exchange_n(&tree->slots[i].pid, &taken, pid, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      own_slot = &tree->slots[i];
  }
  if (own_slot) own_slot->pages = 0;
}

void limit_end(void) {
  if (own_slot) own_slot->pages = 0, __atomic_store_n(&own_slot->pid, 0, __ATOMIC_RELAXED);
  own_slot = NULL;
}

/* RssAnon + RssShmem + VmSwap of /proc/self/status (Linux 4.5); 0: not told. */
static uint64_t unreclaimable(void) {
  char text[4096];
  int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  long length = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return 0;
  text[length] = 0;
  uint64_t sum = 0;
  static const char *const names[] = {"\nRssAnon:", "\nRssShmem:", "\nVmSwap:"};
  for (int i = 0; i < 3; i++) {
    const char *at = strstr(text, names[i]);
    if (!at) continue;
    at += strlen(names[i]);
    while (*at == ' ' || *at == '\t') at++;
    uint64_t kib = 0;
    while (*at >= '0' && *at <= '9') kib = kib * 10 + (uint64_t)(*at++ - '0');
    sum += kib << 10;
  }
  return sum;
}

static uint64_t held_by_others(void) {
  if (!tree || !own_slot) return 0;
  uint64_t pages = 0;
  for (uint32_t i = 0; i < TREE_SLOTS; i++) {
    struct coroner_tree_slot *slot = &tree->slots[i];
    uint32_t pid = __atomic_load_n(&slot->pid, __ATOMIC_RELAXED);
    if (!pid || slot == own_slot) continue;
    if (syscall(SYS_kill, pid, 0) && errno == ESRCH) continue;
    pages += slot->pages;
  }
  return pages * file->header.page_bytes;
}

COLD bool limit_refuses(size_t bytes, bool small) {
  if (thread.inside) return false;
  int saved_errno = errno;
  thread.inside = 1;
  if ((!file && !state_begin_child()) || !is_own_process()) {
    thread.inside = 0;
    errno = saved_errno;
    return false;
  }
  bool refuse = false;
  /* A request may be touched long after it was granted: what was asked for since the last look counts as held, for a while. */
  uint64_t now = monotonic_ns();
  asked_bytes += small ? sampling_mean() : bytes;
  if (held_bytes + others_bytes + asked_bytes + bytes > limit_bytes / 2 || now - read_ns > 20000000) {
    uint64_t vm, rss, shared, total;
    if (read_statm(&vm, &rss, &shared)) {
      held_bytes = rss;
      if (own_slot) own_slot->pages = (uint32_t)(rss / file->header.page_bytes);
      asked_bytes = 0;
      read_ns = now;
      others_bytes = held_by_others();
      total = rss + others_bytes;
      const uint64_t most = limit_bytes + (small ? small_reserve : 0);
      if (total + bytes > most) {
        uint64_t sure = unreclaimable();
        if (sure) {
          held_bytes = sure;
          if (own_slot) own_slot->pages = (uint32_t)(sure / file->header.page_bytes);
          total = sure + others_bytes;
        }
      }
      refuse = total + bytes > most;
      /* What was given back made room for the next exception. */
      if (total + whole_allowance() < limit_bytes) allowance = whole_allowance();
      if (refuse) {
        struct coroner_header *header = &file->header;
        if (header->limit_hits++ == 0) header->limit_monotonic_ns = now, header->limit_used_bytes = total;
        const uint64_t cost = small ? sampling_mean() : bytes;
        if ((small || bytes <= TELLING_BYTES) && at_limit == AT_LIMIT_RAISE && header->limit_hits > 1 && allowance >= cost) {
          allowance -= cost;
          refuse = false;
        }
      } else ask_may_come(total);
      if (refuse) ask_for_snapshot(total, bytes);
    }
  }
  thread.inside = 0;
  errno = saved_errno;
  if (!refuse || at_limit == AT_LIMIT_REPORT) return false;
  if (at_limit == AT_LIMIT_KILL) {
    state_failed(bytes, FAILURE_MALLOC, FAILURE_BY_LIMIT, CALLER, STACK_HERE);
    syscall(SYS_kill, own_pid, SIGKILL);
  }
  errno = ENOMEM;
  return true;
}
