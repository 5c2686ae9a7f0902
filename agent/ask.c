/*
 * Where a request is refused, by --memory-limit or by a limit of the process, the moment is ours: the process waits while the recorder
 * looks into it.
 *
 * Node can neither wait at a futex nor wake one, and a pipe would be a descriptor that the program sees and may close. So both sides use
 * `tree`, which they have anyway: the process writes who it is and sleeps a millisecond at a time on the count of answers; the recorder's
 * thread reads the file near the limit every millisecond and counts the answer up by a write. Whoever answers promises it for two
 * seconds at a time: where the recorder was killed one process waits its half second within these, and from then on nobody does.
 */
#include "agent.h"
#include "ask.h"
#include "lock.h"
#include "sandbox.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* linux/futex.h, which musl's compiler does not find. */
#define FUTEX_WAIT 0
#define MOST_NS 500000000u
#define SLICE_NS 1000000

static bool has_asked;
/* The least that the tree was seen to hold since the last snapshot: the next is due a tenth above it. */
static uint64_t least_bytes;

void ask_begin_child(void) { has_asked = false; }

void ask_may_come(uint64_t used_bytes) {
  if (used_bytes < least_bytes) least_bytes = used_bytes;
}

static bool is_answered(struct coroner_ask *ask, uint32_t answers, uint64_t begun) {
  /* A signal cuts a slice short, and a stop makes it longer: the clock decides. */
  while (__atomic_load_n(&ask->answers, __ATOMIC_ACQUIRE) == answers) {
    const uint64_t now = monotonic_ns();
    if (now - begun >= MOST_NS || now >= __atomic_load_n(&ask->until_ns, __ATOMIC_RELAXED)) return false;
    const struct timespec slice = {0, SLICE_NS};
    syscall(SYS_futex, &ask->answers, (long)FUTEX_WAIT, (long)answers, &slice, NULL, 0L);
  }
  return true;
}

COLD void ask_for_snapshot(uint64_t used_bytes, size_t request_bytes) {
  if (!tree || sandboxed) return;
  ask_may_come(used_bytes);
  if (has_asked && used_bytes < least_bytes + least_bytes / 10) return;
  struct coroner_ask *ask = &tree->ask;
  const uint64_t now = monotonic_ns();
  if (now >= __atomic_load_n(&ask->until_ns, __ATOMIC_RELAXED) || now < __atomic_load_n(&ask->not_before_ns, __ATOMIC_RELAXED)) return;
  uint32_t nobody = 0;
  /* One at a time: another one's turn is no reason to wait. */
  if (!__atomic_compare_exchange_n(&ask->pid, &nobody, own_pid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  has_asked = true;
  least_bytes = used_bytes;
  const uint32_t answers = __atomic_load_n(&ask->answers, __ATOMIC_ACQUIRE);
  ask->used_bytes = used_bytes;
  ask->request_bytes = request_bytes;
  __atomic_store_n(&ask->asked_ns, now, __ATOMIC_RELEASE);
  /* Nobody else waits in vain. Whoever is there after all says so again. */
  if (!is_answered(ask, answers, now)) __atomic_store_n(&ask->until_ns, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&ask->asked_ns, 0, __ATOMIC_RELAXED);
  uint32_t own = own_pid;
  __atomic_compare_exchange_n(&ask->pid, &own, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
