/* The samples that are live, and how an address is told to be none of them. */
#include "live.h"

#include <errno.h>
#include <string.h>

#include "file.h"
#include "intern.h"
#include "lock.h"
#include "weigh.h"

uint8_t filter[1u << FILTER_BITS];

#define SMALL_STEP ((size_t)256 << 10)
#define LIVE_INDEX 65536u
static uint16_t live_index[LIVE_INDEX];
static uint16_t live_free[LIVE_CAPACITY];
static uint32_t live_free_count, live_used_count;
static uint32_t mapping_count;
/*
 * By library: the last Python call that had it allocate. A native thread of that library works for this call as long as the call is
 * under way. What the last line of some Python thread was tells nothing: that may be any line.
 */
#define LIBRARY_CALLS 64u
static struct library_call {
  uint32_t library, node;
  const char *state;
  struct python_frame innermost;
} library_calls[LIBRARY_CALLS];

static uint32_t live_slot_of(uint64_t address) { return (uint32_t)(mix(address >> 4) >> 20) & (LIVE_INDEX - 1); }

static uint32_t live_find(uint64_t address, uint32_t *slot_out) {
  uint32_t slot = live_slot_of(address);
  for (; live_index[slot]; slot = (slot + 1) & (LIVE_INDEX - 1)) {
    if (file->live[live_index[slot] - 1].address == address) {
      *slot_out = slot;
      return live_index[slot];
    }
  }
  return 0;
}

static void account(struct coroner_stack *stack, int64_t weight, bool exact, int sign) {
  if (exact) stack->live_exact += sign * weight;
  else stack->live_estimated += sign * weight, stack->live_samples += (uint32_t)sign;
  file->header.live_bytes += sign * weight;
}

/* How many addresses are in a bucket; a full one stays full. */
static uint8_t filter_count[1u << FILTER_BITS];
static void filter_count_once(uintptr_t address) {
  if (filter_count[filter_index(address)] < 255) filter_count[filter_index(address)]++;
}
static void filter_count_always(uintptr_t address) { filter_count[filter_index(address)] = 255; }
void filter_always(uintptr_t address) {
  filter_count_always(address);
  filter[filter_index(address)] = FILTER_MANY;
}
void filter_add(uint64_t address) {
  const uint32_t at = filter_index(address);
  filter_count_once(address);
  __atomic_store_n(&filter[at], filter[at] ? FILTER_MANY : filter_tag(address), __ATOMIC_RELAXED);
}
void filter_remove(uint64_t address) {
  const uint32_t at = filter_index(address);
  if (filter_count[at] < 255 && filter_count[at] && --filter_count[at] == 0) __atomic_store_n(&filter[at], 0, __ATOMIC_RELAXED);
}

struct growing growing[GROWING];

/* By how much it may grow before the next look: what is counted exactly by a thirty-second, what is estimated by an eighth. */
static void growing_keep(uint64_t address, size_t bytes, bool exact) {
  size_t step = exact ? bytes / 32 : bytes / 8;
  /* Only a look compares what is held with the limit. */
  if (limit_set && step > SMALL_STEP) step = SMALL_STEP;
  struct growing *one = growing_of((uintptr_t)address);
  one->address = 0;
  one->from = bytes - bytes / 8;
  one->up_to = bytes + step;
  __atomic_store_n(&one->address, (uintptr_t)address, __ATOMIC_RELEASE);
}

static void live_remove(uint32_t id, uint32_t slot) {
  struct coroner_live *entry = &file->live[id - 1];
  uint64_t address = entry->address;
  if (growing_of((uintptr_t)address)->address == (uintptr_t)address) growing_of((uintptr_t)address)->address = 0;
  account(&file->stacks[entry->stack - 1], entry->weight, entry->flags & LIVE_EXACT, -1);
  if (entry->kind >= KIND_MAPPING) mapping_count--;
  file->header.removed++;
  __atomic_store_n(&entry->address, 0, __ATOMIC_RELEASE);
  live_free[live_free_count++] = (uint16_t)(id - 1);
  live_used_count--;
  filter_remove(address);
  /* Open addressing without tombstones: what was pushed behind the hole moves back. */
  uint32_t hole = slot, probe = slot;
  for (;;) {
    live_index[hole] = 0;
    for (;;) {
      probe = (probe + 1) & (LIVE_INDEX - 1);
      if (!live_index[probe]) return;
      uint32_t home = live_slot_of(file->live[live_index[probe] - 1].address);
      bool between = hole <= probe ? hole < home && home <= probe : hole < home || home <= probe;
      if (!between) break;
    }
    live_index[hole] = live_index[probe];
    hole = probe;
  }
}

static struct coroner_live *live_add(uint64_t address) {
  uint32_t slot, stale = live_find(address, &slot);
  /* Freed where we could not see it (in a signal handler, by a library's own allocator): the address is used again. */
  if (stale) live_remove(stale, slot);
  uint32_t id;
  if (live_free_count) id = live_free[--live_free_count];
  else if (used(SECTION_LIVE) < LIVE_CAPACITY) id = used(SECTION_LIVE);
  else return NULL;
  for (slot = live_slot_of(address); live_index[slot]; slot = (slot + 1) & (LIVE_INDEX - 1)) {}
  live_index[slot] = (uint16_t)(id + 1);
  live_used_count++;
  filter_add(address);
  return &file->live[id];
}

/* The table is filling: sample more rarely from now on. What is in it keeps its weight, so sums stay unbiased. */
static void thin_out(void) {
  uint32_t left = LIVE_CAPACITY - live_used_count;
  static uint32_t steps;
  if (left < (LIVE_CAPACITY / 2) >> (steps / 2) && steps < 24 && left > 256) {
    steps++;
    sampling_set_mean(sampling_mean() * 2, false);
    file->header.sample_mean_bytes = sampling_mean();
    file->header.exact_bytes = exact_bytes;
  }
}

/* --- what the hooks call --- */

void look_at_callers(struct caller_stack *stack, uintptr_t caller, uintptr_t here, bool deep) {
  bool cut = false;
  stack->flags = 0;
  stack->node = 0;
  stack->python_count = python_walk(stack->python, MAX_PYTHON_DEPTH, &cut);
  if (cut) stack->flags |= STACK_CUT;
  deep = deep || (stack->python_count == 0 && (python_stacks() || !python_present()));
  if (deep && caller && lock()) {
    /* Scanning needs to know which words point into code. */
    const uint64_t address = caller;
    native_know_modules(&address, 1);
    unlock();
  }
  native_stack(stack, caller, here, deep);
}

/* The first of its callers that is a library of its own. */
static uint32_t library_of(const struct caller_stack *stack) {
  for (uint32_t i = 0; i < stack->native_count; i++) {
    const uint32_t library = native_library(stack->native[i]);
    if (library) return library;
  }
  return 0;
}

static struct library_call *library_call_of(uint32_t library) { return &library_calls[mix(library) % LIBRARY_CALLS]; }

static void remember_call(const struct caller_stack *stack, uint32_t node) {
  thread.last_node = node;
  const uint32_t library = library_of(stack);
  if (library) *library_call_of(library) = (struct library_call){library, node, thread.python_state, stack->python[0]};
}

/* For whom a thread without Python frames works: 0, for nobody that can be told. */
static uint32_t call_under_way(const struct caller_stack *stack) {
  if (python_hides_released() && thread.last_node) return thread.last_node;
  const uint32_t library = library_of(stack);
  const struct library_call *call = library_call_of(library);
  return library && call->library == library && python_still_at(call->state, &call->innermost) ? call->node : 0;
}

static uint32_t stack_of(struct caller_stack *stack, uint16_t kind) {
  if (stack->python_count == 0 && python_present() && (stack->node = call_under_way(stack))) stack->flags |= STACK_PROBABLE;
  const uint32_t id = intern_stack(stack, kind);
  if (stack->python_count) remember_call(stack, file->stacks[id - 1].node);
  return id;
}

/* Into the table; its id, 0: there is no room. */
static uint32_t live_put(const struct coroner_live *what) {
  struct coroner_live *live = live_add(what->address);
  if (!live) {
    file->header.dropped_live++;
    return 0;
  }
  const uint64_t address = what->address;
  live->bytes = what->bytes;
  live->weight = what->weight;
  live->born_monotonic_ns = what->born_monotonic_ns;
  live->stack = what->stack;
  live->kind = what->kind;
  live->flags = what->flags;
  __atomic_store_n(&live->address, address, __ATOMIC_RELEASE);
  const uint32_t slot = (uint32_t)(live - file->live);
  if (slot == used(SECTION_LIVE)) publish(SECTION_LIVE, slot + 1);
  if (what->kind >= KIND_MAPPING) mapping_count++;
  weigh_added(slot);
  account(&file->stacks[what->stack - 1], what->weight, what->flags & LIVE_EXACT, 1);
  return slot + 1;
}

static void count_total(uint32_t stack, uint64_t bytes) {
  struct coroner_stack *entry = &file->stacks[stack - 1];
  entry->total += bytes;
  entry->total_count++;
  file->header.total_bytes += bytes;
  file->header.samples++;
}

static uint32_t note(const void *address, size_t bytes, size_t drawn, uint16_t kind, uintptr_t caller, uintptr_t here) {
  if (thread.inside) return 0;
  thread.inside = 1;
  int saved_errno = errno;
  uint32_t noted = 0;
  if (is_own_process() && (file || state_begin_child())) {
    struct caller_stack stack;
    look_at_callers(&stack, caller, here, false);
    const bool exact = bytes >= exact_bytes, reserved = kind & NOTE_RESERVED;
    struct coroner_live what = {
        .address = (uint64_t)(uintptr_t)address,
        .bytes = bytes,
        .weight = exact ? reserved ? 0 : (int64_t)bytes : (int64_t)sample_weight(drawn),
        .born_monotonic_ns = monotonic_ns(),
        .kind = kind & (uint16_t)~NOTE_RESERVED,
        .flags = exact ? LIVE_EXACT : 0,
    };
    if (lock()) {
      what.stack = stack_of(&stack, what.kind);
      noted = live_put(&what);
      if (noted) thin_out();
      count_total(what.stack, (uint64_t)what.weight);
      if (!exact) weigh_drawn((uint64_t)what.weight);
      keep_books(what.born_monotonic_ns);
      unlock();
    }
  }
  errno = saved_errno;
  thread.inside = 0;
  return noted;
}

COLD uint32_t state_note(const void *address, size_t bytes, uint16_t kind, uintptr_t caller, uintptr_t here) {
  return note(address, bytes, bytes, kind, caller, here);
}

COLD void state_note_grown(const void *address, size_t bytes, size_t drawn, uint16_t kind, uintptr_t caller, uintptr_t here) {
  note(address, bytes, drawn, kind, caller, here);
}

/*
 * Its growth is counted byte for byte: what grows beside a block that was sampled needs no drawing, since what grew before it was
 * stands for what others grew. From exact_bytes on all blocks are noted, and each stands for itself.
 */
static struct coroner_live at_size(const struct coroner_live *before, const void *block, size_t bytes) {
  struct coroner_live what = *before;
  what.address = (uint64_t)(uintptr_t)block;
  what.weight += (int64_t)bytes - (int64_t)before->bytes;
  what.bytes = bytes;
  what.flags |= LIVE_GROWN;
  if (bytes >= exact_bytes && !(before->flags & LIVE_EXACT)) what.flags |= LIVE_EXACT, what.weight = (int64_t)bytes;
  if (what.weight < 0) what.weight = 0;
  return what;
}

COLD void state_regrown(const struct coroner_live *before, const void *block, size_t bytes, uintptr_t caller, uintptr_t here) {
  if (thread.inside || !file) return;
  thread.inside = 1;
  int saved_errno = errno;
  if (is_own_process()) {
    struct caller_stack stack;
    look_at_callers(&stack, caller, here, false);
    struct coroner_live what = at_size(before, block, bytes);
    const uint64_t now = monotonic_ns();
    if (lock()) {
      uint32_t slot, id = live_find(before->address, &slot);
      if (id && file->live[id - 1].born_monotonic_ns == before->born_monotonic_ns) live_remove(id, slot);
      what.stack = stack_of(&stack, what.kind);
      if (live_put(&what)) growing_keep(what.address, bytes, what.flags & LIVE_EXACT);
      count_total(what.stack, bytes > before->bytes ? bytes - before->bytes : 0);
      keep_books(now);
      unlock();
    }
  }
  errno = saved_errno;
  thread.inside = 0;
}

COLD void state_drop(const struct coroner_live *before) {
  if (thread.inside || !file) return;
  thread.inside = 1;
  int saved_errno = errno;
  if (is_own_process() && lock()) {
    uint32_t slot, id = live_find(before->address, &slot);
    if (id && file->live[id - 1].born_monotonic_ns == before->born_monotonic_ns) live_remove(id, slot);
    unlock();
  }
  errno = saved_errno;
  thread.inside = 0;
}

COLD void state_moved(const void *old, const void *block, size_t bytes) {
  if (thread.inside || !file) return;
  thread.inside = 1;
  int saved_errno = errno;
  if (is_own_process() && lock()) {
    /* Still among those that grow: since the call nobody has noted another block at its old address. */
    const bool is_still = growing_of((uintptr_t)old)->address == (uintptr_t)old;
    uint32_t slot, id = is_still ? live_find((uint64_t)(uintptr_t)old, &slot) : 0;
    if (id) {
      const struct coroner_live what = at_size(&file->live[id - 1], block, bytes);
      live_remove(id, slot);
      if (live_put(&what)) growing_keep(what.address, bytes, what.flags & LIVE_EXACT);
    }
    unlock();
  }
  errno = saved_errno;
  thread.inside = 0;
}

/* A frame that may be gone by the time that its stack is noted. */
COLD uint32_t state_frame(const struct python_frame *frame) {
  if (!file || !lock()) return 0;
  uint32_t id = intern_frame(frame);
  unlock();
  return id;
}

/* A block that its allocator did not hear of has a new owner: it counts where it is used from now on. */
COLD void state_taken_again(uint32_t id, const void *address, struct caller_stack *stack) {
  if (thread.inside) return;
  thread.inside = 1;
  int saved_errno = errno;
  if (is_own_process() && lock()) {
    struct coroner_live *live = &file->live[id - 1];
    if (state_holds(id, address) && live->stack) {
      uint32_t now = intern_stack(stack, live->kind);
      if (now != live->stack) {
        const bool exact = live->flags & LIVE_EXACT;
        account(&file->stacks[live->stack - 1], live->weight, exact, -1);
        live->stack = now;
        account(&file->stacks[now - 1], live->weight, exact, 1);
        file->stacks[now - 1].total += (uint64_t)live->weight;
      }
    }
    unlock();
  }
  errno = saved_errno;
  thread.inside = 0;
}

COLD bool state_forget(const void *address) {
  if (!file || thread.inside) return false;
  thread.inside = 1;
  int saved_errno = errno;
  bool found = false;
  if (lock()) {
    uint32_t slot, id = live_find((uint64_t)(uintptr_t)address, &slot);
    /* Mostly the filter was wrong: no system call for that. */
    if (id && is_own_process()) {
      live_remove(id, slot);
      found = true;
    }
    unlock();
  }
  errno = saved_errno;
  thread.inside = 0;
  return found;
}

COLD bool state_find(const void *address, struct coroner_live *copy) {
  if (!file || thread.inside) return false;
  thread.inside = 1;
  bool found = false;
  if (lock()) {
    uint32_t slot, id = live_find((uint64_t)(uintptr_t)address, &slot);
    if (id) *copy = file->live[id - 1], found = true;
    unlock();
  }
  thread.inside = 0;
  return found;
}

/* munmap() may take any part of a mapping. */
COLD void state_forget_range(uintptr_t start, size_t bytes) {
  if (!file || thread.inside || !mapping_count) return;
  thread.inside = 1;
  int saved_errno = errno;
  if (is_own_process() && lock()) {
    uint64_t end = (uint64_t)start + bytes;
    for (uint32_t i = 0, left = mapping_count; left && i < used(SECTION_LIVE); i++) {
      struct coroner_live *entry = &file->live[i];
      if (!entry->address || entry->kind < KIND_MAPPING) continue;
      left--;
      uint64_t entry_end = entry->address + entry->bytes;
      if (entry->address >= end || entry_end <= start) continue;
      struct coroner_live old = *entry;
      uint32_t slot, id = live_find(old.address, &slot);
      if (!id) continue;
      live_remove(id, slot);
      /* What is left before and behind the hole keeps its part of the weight. */
      const uint64_t pieces[2][2] = {{old.address, start}, {end, entry_end}};
      for (int piece = 0; piece < 2; piece++) {
        if (pieces[piece][1] <= pieces[piece][0] || pieces[piece][0] < old.address) continue;
        struct coroner_live rest = old;
        rest.address = pieces[piece][0];
        rest.bytes = pieces[piece][1] - pieces[piece][0];
        rest.weight = (int64_t)((double)old.weight * (double)rest.bytes / (double)old.bytes);
        live_put(&rest);
      }
    }
    unlock();
  }
  errno = saved_errno;
  thread.inside = 0;
}

void live_fault_in(void) {
  fault_in(filter, sizeof filter);
  fault_in(live_index, sizeof live_index);
}

void live_forget(void) {
  /* What other threads free meanwhile must never find the bucket of a block empty that is not the allocator's. */
  memset(filter_count, 0, sizeof filter_count);
  objects_hold(filter_count_once);
  early_hold(filter_count_always);
  for (uint32_t i = 0; i < sizeof filter; i++) __atomic_store_n(&filter[i], filter_count[i] ? FILTER_MANY : 0, __ATOMIC_RELAXED);
  memset(live_index, 0, sizeof live_index);
  memset(growing, 0, sizeof growing);
  memset(library_calls, 0, sizeof library_calls);
  thread.last_node = 0;
  live_free_count = live_used_count = mapping_count = 0;
}
