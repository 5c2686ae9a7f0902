/* Requests that were refused. */
#include "failed.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "ask.h"
#include "file.h"
#include "intern.h"
#include "live.h"
#include "lock.h"
#include "sandbox.h"
#include "weigh.h"

static uint64_t limit_as = UINT64_MAX, limit_data = UINT64_MAX;

static uint64_t soft_limit(int resource) {
  struct rlimit limit;
  return getrlimit(resource, &limit) ? UINT64_MAX : (uint64_t)limit.rlim_cur;
}

/* In a sandbox those of the start count: it can lower its limits before that, hardly later. */
void look_at_limits(void) {
  if (sandboxed) return;
  limit_as = soft_limit(RLIMIT_AS);
  limit_data = soft_limit(RLIMIT_DATA);
}

/*
 * Whether a limit of the process itself refuses a request. A request far above the limit is a wrong size, whoever holds the memory; a block
 * that grows may ask for a little more than the limit. At most the whole address space counts against RLIMIT_DATA.
 */
static bool fills(uint64_t limit, uint64_t used_bytes, size_t bytes) {
  return limit != UINT64_MAX && bytes / 4 <= limit && used_bytes + bytes > limit;
}

/* A request was refused. errno is the allocator's and stays as it is. */
COLD void state_failed(size_t bytes, uint16_t kind, uint16_t flags, uintptr_t caller, uintptr_t here) {
  if (thread.inside) return;
  int error = errno;
  thread.inside = 1;
  if (is_own_process() && (file || state_begin_child())) {
    struct caller_stack stack;
    look_at_callers(&stack, caller, here, true);
    look_at_limits();
    struct coroner_failure failure = {
        .realtime_ns = realtime_ns(),
        .monotonic_ns = monotonic_ns(),
        .bytes = bytes,
        .thread_id = own_thread_id(),
        .error = error,
        .kind = kind,
        .flags = flags,
        .native_count = stack.native_count,
        .stack_flags = stack.flags,
        .limit_as_bytes = limit_as,
        .limit_data_bytes = limit_data,
    };
    if (failure.thread_id == own_pid) failure.flags |= FAILURE_MAIN_THREAD;
    memcpy(failure.native, stack.native, sizeof failure.native);
    uint64_t shared;
    (void)read_statm(&failure.vm_bytes, &failure.rss_bytes, &shared);
    if (lock()) {
      native_know_modules(stack.native, stack.native_count);
      for (uint32_t i = 0; i < stack.python_count; i++) stack.python[i].hash = python_frame_hash(&stack.python[i]);
      failure.node = intern_path(&stack);
      uint64_t sequence = ++file->header.failure_count;
      uint64_t at = sequence <= FAILURE_CAPACITY ? sequence - 1
                                                 : FAILURE_KEPT + (sequence - 1 - FAILURE_KEPT) % (FAILURE_CAPACITY - FAILURE_KEPT);
      struct coroner_failure *entry = &file->failures[at];
      __atomic_store_n(&entry->sequence, 0, __ATOMIC_RELEASE);
      *entry = failure;
      __atomic_store_n(&entry->sequence, sequence, __ATOMIC_RELEASE);
      if (at >= used(SECTION_FAILURES)) publish(SECTION_FAILURES, (uint32_t)at + 1);
      uint64_t now = failure.monotonic_ns;
      /* The state at the first refusal is worth a look of its own: weigh now, whatever the last weighing cost. */
      if (sequence == 1) weigh_soon();
      keep_books(now);
      copy_refused(&failure, sequence, limit_as != UINT64_MAX && failure.vm_bytes + bytes > limit_as);
      unlock();
    }
    const bool is_full = fills(limit_as, failure.vm_bytes, bytes) || fills(limit_data, failure.vm_bytes, bytes);
    if (is_full && !(flags & FAILURE_BY_LIMIT)) ask_for_snapshot(failure.vm_bytes, bytes);
  }
  errno = error;
  thread.inside = 0;
}
