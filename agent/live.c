/* The samples that are live, and how an address is told to be none of them. */
#include "live.h"

#include <errno.h>
#include <string.h>

#include "file.h"
#include "intern.h"
#include "lock.h"
#include "weigh.h"

uint8_t filter[1u << FILTER_BITS];

#define LIVE_INDEX 65536u
static uint16_t live_index[LIVE_INDEX];
static uint16_t live_free[LIVE_CAPACITY];
static uint32_t live_free_count, live_used_count;
static uint32_t mapping_count;
/* The last stack of a Python thread: what a native thread's memory was probably asked for by. */
static uint32_t last_python_node;
static uint64_t last_python_ns;

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

static void live_remove(uint32_t id, uint32_t slot) {
  struct coroner_live *entry = &file->live[id - 1];
  uint64_t address = entry->address;
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

COLD uint32_t state_note(const void *address, size_t bytes, uint16_t kind, uintptr_t caller, uintptr_t here) {
  if (thread.inside) return 0;
  thread.inside = 1;
  int saved_errno = errno;
  uint32_t noted = 0;
  if (is_own_process() && (file || state_begin_child())) {
    struct caller_stack stack;
    look_at_callers(&stack, caller, here, false);
    bool exact = bytes >= exact_bytes, reserved = kind & NOTE_RESERVED;
    kind &= (uint16_t)~NOTE_RESERVED;
    int64_t weight = exact ? reserved ? 0 : (int64_t)bytes : (int64_t)sample_weight(bytes);
    uint64_t now = monotonic_ns();
    if (lock()) {
      if (stack.python_count == 0 && python_present() && last_python_node && now - last_python_ns < 1000000000u)
        stack.flags |= STACK_PROBABLE;
      uint32_t id = intern_stack(&stack, kind);
      struct coroner_stack *entry = &file->stacks[id - 1];
      if ((stack.flags & STACK_PROBABLE) && !entry->node) entry->node = last_python_node;
      if (stack.python_count) last_python_node = entry->node, last_python_ns = now;
      struct coroner_live *live = live_add((uint64_t)(uintptr_t)address);
      if (live) {
        live->bytes = bytes;
        live->weight = weight;
        live->born_monotonic_ns = now;
        live->stack = id;
        live->kind = kind;
        live->flags = exact ? LIVE_EXACT : 0;
        __atomic_store_n(&live->address, (uint64_t)(uintptr_t)address, __ATOMIC_RELEASE);
        uint32_t slot = (uint32_t)(live - file->live);
        noted = slot + 1;
        if (slot == used(SECTION_LIVE)) publish(SECTION_LIVE, slot + 1);
        if (kind >= KIND_MAPPING) mapping_count++;
        account(entry, weight, exact, 1);
        thin_out();
      } else file->header.dropped_live++;
      entry->total += (uint64_t)weight;
      entry->total_count++;
      file->header.total_bytes += (uint64_t)weight;
      file->header.samples++;
      if (!exact) weigh_drawn((uint64_t)weight);
      keep_books(now);
      unlock();
    }
  }
  errno = saved_errno;
  thread.inside = 0;
  return noted;
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
  struct coroner_live ignored;
  return state_forget_copy(address, &ignored);
}

COLD bool state_forget_copy(const void *address, struct coroner_live *copy) {
  if (!file || thread.inside) return false;
  thread.inside = 1;
  int saved_errno = errno;
  bool found = false;
  if (lock()) {
    uint32_t slot, id = live_find((uint64_t)(uintptr_t)address, &slot);
    /* Mostly the filter was wrong: no system call for that. */
    if (id && is_own_process()) {
      *copy = file->live[id - 1];
      live_remove(id, slot);
      found = true;
    }
    unlock();
  }
  errno = saved_errno;
  thread.inside = 0;
  return found;
}

static void live_restore(const struct coroner_live *copy) {
  struct coroner_live *live = live_add(copy->address);
  if (!live) return;
  *live = *copy;
  uint32_t slot = (uint32_t)(live - file->live);
  if (slot == used(SECTION_LIVE)) publish(SECTION_LIVE, slot + 1);
  if (copy->kind >= KIND_MAPPING) mapping_count++;
  account(&file->stacks[copy->stack - 1], copy->weight, copy->flags & LIVE_EXACT, 1);
}

COLD void state_restore(const struct coroner_live *copy) {
  if (!file || thread.inside) return;
  thread.inside = 1;
  if (lock()) {
    live_restore(copy);
    unlock();
  }
  thread.inside = 0;
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
        live_restore(&rest);
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
  live_free_count = live_used_count = mapping_count = last_python_node = 0;
}
