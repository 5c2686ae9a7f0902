/* The tables in the shared mapping, and the private indexes that find things in them. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

struct coroner_file *file;
struct coroner_tree *tree;
bool agent_ready;
uint8_t filter[1u << FILTER_BITS];

static char folder_path[512];
static uint32_t own_pid;

/* Indexes: ids (from 1) by hash, open addressing. They are rebuilt by nobody: a fork copies them with everything else. */
#define STACK_INDEX (STACK_CAPACITY * 2)
#define NODE_INDEX (NODE_CAPACITY * 2)
#define FRAME_INDEX (FRAME_CAPACITY * 2)
#define CODE_INDEX (CODE_CAPACITY * 2)
#define LIVE_INDEX 65536u
#define TEXT_INDEX 8192u
static uint16_t stack_index[STACK_INDEX];
static uint16_t node_index[NODE_INDEX];
static uint16_t frame_index[FRAME_INDEX];
static uint16_t code_index[CODE_INDEX];
static uint16_t live_index[LIVE_INDEX];
static uint32_t text_index[TEXT_INDEX];
static struct line_cursor line_cursors[CODE_CAPACITY];
static uint16_t live_free[LIVE_CAPACITY];
static uint32_t live_free_count, live_used_count;
static uint32_t mapping_count;
/* The last stack of a Python thread: what a native thread's memory was probably asked for by. */
static uint32_t last_python_node;
static uint64_t last_python_ns;
static uint64_t next_weigh_ns, next_moment_ns;
/* Of what is counted one by one no sample was drawn: arrays that come and go are no reason to sample the rest more finely. */
static uint64_t drawn_count, drawn_bytes;
uint32_t state_pace_ms = 200; /* of weighing, and of moments at first */

static inline uint64_t mix(uint64_t x) {
  x *= 0x9E3779B97F4A7C15ull;
  return x ^ (x >> 32);
}

uint64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
static uint64_t realtime_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- the lock --- */

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
static bool is_own_process(void) { return (uint32_t)syscall(SYS_getpid) == own_pid; }

static uint32_t own_thread_id(void) {
  if (!thread.id) thread.id = (uint32_t)syscall(SYS_gettid);
  return thread.id;
}

/* --- dense sections --- */

static void publish(enum coroner_section section, uint32_t used) {
  __atomic_store_n(&file->header.sections[section].used, used, __ATOMIC_RELEASE);
}
static uint32_t used(enum coroner_section section) { return file->header.sections[section].used; }

uint32_t state_text(const char *bytes, size_t length) {
  if (length > 4096) length = 4096;
  uint64_t hash = 1469598103934665603ull;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)bytes[i]) * 1099511628211ull;
  uint32_t slot = (uint32_t)mix(hash) & (TEXT_INDEX - 1);
  for (uint32_t probe = 0; probe < 64; probe++, slot = (slot + 1) & (TEXT_INDEX - 1)) {
    uint32_t offset = text_index[slot];
    if (offset) {
      uint32_t stored;
      memcpy(&stored, file->text + offset, 4);
      if (stored == length && !memcmp(file->text + offset + 4, bytes, length)) return offset;
      continue;
    }
    uint32_t at = used(SECTION_TEXT);
    uint32_t need = (uint32_t)(4 + ((length + 3) & ~(size_t)3));
    if (at + need > TEXT_CAPACITY) return 0;
    uint32_t length32 = (uint32_t)length;
    memcpy(file->text + at, &length32, 4);
    memcpy(file->text + at + 4, bytes, length);
    publish(SECTION_TEXT, at + need);
    text_index[slot] = at;
    return at;
  }
  return 0;
}

static uint32_t intern_code(const char *code) {
  struct coroner_code key = {0};
  if (!python_code_key(code, &key)) return 0;
  uint32_t slot = (uint32_t)mix(key.address ^ (uint64_t)(uint32_t)key.first_line << 40 ^ key.name_address << 7) & (CODE_INDEX - 1);
  for (uint32_t probe = 0; probe < 256; probe++, slot = (slot + 1) & (CODE_INDEX - 1)) {
    uint32_t id = code_index[slot];
    if (id) {
      const struct coroner_code *entry = &file->codes[id - 1];
      if (entry->address == key.address && entry->first_line == key.first_line && entry->file_address == key.file_address &&
          entry->name_address == key.name_address)
        return id;
      continue;
    }
    uint32_t next = used(SECTION_CODES);
    if (next >= CODE_CAPACITY) return 0;
    python_code_names(code, &key);
    line_cursors[next] = (struct line_cursor){0};
    file->codes[next] = key;
    publish(SECTION_CODES, next + 1);
    code_index[slot] = (uint16_t)(next + 1);
    return next + 1;
  }
  return 0;
}

static uint32_t intern_frame(const struct python_frame *frame) {
  if (frame->id) return frame->id;
  uint32_t code = intern_code(frame->code);
  if (!code) return 0;
  uint32_t slot = (uint32_t)mix((uint64_t)code << 32 | (uint32_t)frame->last_instruction) & (FRAME_INDEX - 1);
  for (uint32_t probe = 0; probe < 256; probe++, slot = (slot + 1) & (FRAME_INDEX - 1)) {
    uint32_t id = frame_index[slot];
    if (id) {
      if (file->frames[id - 1].code == code && file->frames[id - 1].last_instruction == frame->last_instruction) return id;
      continue;
    }
    uint32_t next = used(SECTION_FRAMES);
    if (next >= FRAME_CAPACITY) return 0;
    file->frames[next] = (struct coroner_frame){code, frame->last_instruction, python_line(frame->code, frame->last_instruction, &line_cursors[code - 1]), 0};
    publish(SECTION_FRAMES, next + 1);
    frame_index[slot] = (uint16_t)(next + 1);
    return next + 1;
  }
  return 0;
}

static uint32_t intern_node(uint32_t caller, uint32_t frame) {
  uint32_t slot = (uint32_t)mix((uint64_t)caller << 32 | frame) & (NODE_INDEX - 1);
  for (uint32_t probe = 0; probe < 256; probe++, slot = (slot + 1) & (NODE_INDEX - 1)) {
    uint32_t id = node_index[slot];
    if (id) {
      if (file->nodes[id - 1].caller == caller && file->nodes[id - 1].frame == frame) return id;
      continue;
    }
    uint32_t next = used(SECTION_NODES);
    if (next >= NODE_CAPACITY) return 0;
    file->nodes[next] = (struct coroner_node){caller, frame};
    publish(SECTION_NODES, next + 1);
    node_index[slot] = (uint16_t)(next + 1);
    return next + 1;
  }
  return 0;
}

/* A new path mostly shares its outer frames with the one before it. Outermost first. */
static struct { uint64_t hash; uint32_t node; } last_path[MAX_PYTHON_DEPTH];

static uint32_t intern_path(const struct caller_stack *stack) {
  uint32_t node = 0;
  bool shared = true;
  for (uint32_t i = stack->python_count, depth = 0; i-- > 0; depth++) {
    const uint64_t hash = stack->python[i].hash;
    if (shared && last_path[depth].hash == hash && last_path[depth].node) {
      node = last_path[depth].node;
      continue;
    }
    shared = false;
    uint32_t frame = intern_frame(&stack->python[i]);
    uint32_t next = frame ? intern_node(node, frame) : 0;
    last_path[depth].hash = hash;
    last_path[depth].node = next;
    if (!next) {
      file->header.dropped_stacks++;
      return node;
    }
    node = next;
  }
  /* What is left below belongs to another path. */
  if (stack->python_count < MAX_PYTHON_DEPTH) last_path[stack->python_count].node = 0;
  return node;
}

static uint32_t intern_stack(struct caller_stack *stack, uint16_t kind) {
  uint64_t hash = kind + 1u + ((uint64_t)stack->flags << 8);
  for (uint32_t i = 0; i < stack->native_count; i++) hash = mix(hash ^ stack->native[i]);
  for (uint32_t i = 0; i < stack->python_count; i++) {
    stack->python[i].hash = python_frame_hash(&stack->python[i]);
    hash = mix(hash + stack->python[i].hash);
  }
  hash |= 1;
  uint32_t slot = (uint32_t)(hash >> 20) & (STACK_INDEX - 1);
  for (uint32_t probe = 0; probe < 256; probe++, slot = (slot + 1) & (STACK_INDEX - 1)) {
    uint32_t id = stack_index[slot];
    if (id) {
      if (file->stacks[id - 1].hash == hash) return id;
      continue;
    }
    uint32_t next = used(SECTION_STACKS);
    if (next >= STACK_CAPACITY) break;
    struct coroner_stack *entry = &file->stacks[next];
    memset(entry, 0, sizeof *entry);
    native_know_modules(stack->native, stack->native_count);
    entry->hash = hash;
    entry->node = intern_path(stack);
    entry->kind = kind;
    entry->flags = stack->flags;
    entry->native_count = stack->native_count;
    memcpy(entry->native, stack->native, sizeof entry->native);
    publish(SECTION_STACKS, next + 1);
    stack_index[slot] = (uint16_t)(next + 1);
    return next + 1;
  }
  file->header.dropped_stacks++;
  return 1; /* the first entry is "could not be told" */
}

/* --- live samples --- */

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

/* --- weighing large blocks by what is resident --- */

#define PRESENT_OR_SWAPPED (3ull << 62)
static uint64_t pagemap_buffer[512];

/* Bytes of the range that are in memory or swapped out: a reservation that nobody touched is not memory. */
static int64_t resident_bytes(int pagemap, uint64_t start, uint64_t bytes) {
  const uint64_t page = file->header.page_bytes;
  uint64_t first = start / page, count = (start + bytes + page - 1) / page - first;
  const uint64_t chunk = 512, chunks = (count + chunk - 1) / chunk;
  /* At most 64 looks a block: of larger ones every n-th stretch. */
  uint64_t step = (chunks + 63) / 64, seen = 0, resident = 0;
  for (uint64_t c = 0; c < chunks; c += step) {
    uint64_t from = c * chunk, pages = count - from < chunk ? count - from : chunk;
    long got = syscall(SYS_pread64, pagemap, pagemap_buffer, pages * 8, (first + from) * 8);
    if (got <= 0) return -1;
    pages = (uint64_t)got / 8;
    for (uint64_t i = 0; i < pages; i++) resident += (pagemap_buffer[i] & PRESENT_OR_SWAPPED) != 0;
    seen += pages;
  }
  if (!seen) return -1;
  double part = (double)resident / (double)seen;
  uint64_t result = (uint64_t)(part * (double)bytes);
  return (int64_t)(result > bytes ? bytes : result);
}

static void weigh(uint64_t now) {
  int pagemap = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return;
  for (uint32_t i = 0; i < used(SECTION_LIVE); i++) {
    struct coroner_live *entry = &file->live[i];
    if (!entry->address || !(entry->flags & LIVE_EXACT)) continue;
    /* Just granted, about to be filled: taken at its word for a second. */
    if (entry->weight == (int64_t)entry->bytes && now - entry->born_monotonic_ns < 1000000000u) continue;
    int64_t resident = resident_bytes(pagemap, entry->address, entry->bytes);
    if (resident < 0) continue;
    struct coroner_stack *stack = &file->stacks[entry->stack - 1];
    int64_t change = resident - entry->weight;
    if (!(entry->flags & LIVE_WEIGHED) && change < 0 && entry->born_monotonic_ns <= file->header.peak_monotonic_ns) {
      /* It was in the copy of the peak with all that was asked for: it never held that much. */
      stack->peak_exact += change;
      file->header.peak_bytes += change;
    }
    entry->weight = resident;
    entry->flags |= LIVE_WEIGHED;
    stack->live_exact += change;
    file->header.live_bytes += change;
  }
  syscall(SYS_close, pagemap);
  file->header.weighed_monotonic_ns = now;
}

static void copy_peak(uint64_t now) {
  struct coroner_header *header = &file->header;
  __atomic_store_n(&header->peak_sequence, header->peak_sequence + 1, __ATOMIC_RELEASE);
  for (uint32_t i = 0; i < used(SECTION_STACKS); i++) {
    struct coroner_stack *stack = &file->stacks[i];
    stack->peak_exact = stack->live_exact;
    stack->peak_estimated = stack->live_estimated;
    stack->peak_samples = stack->live_samples;
  }
  header->peak_bytes = header->live_bytes;
  header->peak_monotonic_ns = now;
  uint64_t vm, rss, shared;
  if (read_statm(&vm, &rss, &shared)) header->peak_rss_bytes = rss;
  __atomic_store_n(&header->peak_sequence, header->peak_sequence + 1, __ATOMIC_RELEASE);
}

static void write_moment(uint64_t now) {
  struct coroner_header *header = &file->header;
  uint32_t count = used(SECTION_HISTORY);
  if (count == HISTORY_CAPACITY) {
    /* Full: every second moment goes, and moments come half as often from here on. */
    for (uint32_t i = 0; i < HISTORY_CAPACITY / 2; i++) file->history[i] = file->history[i * 2];
    publish(SECTION_HISTORY, count = HISTORY_CAPACITY / 2);
    header->history_interval_ms *= 2;
  }
  struct coroner_moment moment = {.monotonic_ns = now, .live_bytes = header->live_bytes};
  uint64_t vm, shared;
  (void)read_statm(&vm, &moment.rss_bytes, &shared);
  int64_t least = 0;
  for (uint32_t i = 0; i < used(SECTION_STACKS); i++) {
    int64_t bytes = file->stacks[i].live_exact + file->stacks[i].live_estimated;
    if (bytes <= least) continue;
    uint32_t at = HISTORY_TOP - 1;
    for (; at > 0 && moment.top[at - 1].bytes < bytes; at--) moment.top[at] = moment.top[at - 1];
    moment.top[at] = (struct coroner_moment_stack){i + 1, 0, bytes};
    least = moment.top[HISTORY_TOP - 1].bytes;
  }
  file->history[count] = moment;
  publish(SECTION_HISTORY, count + 1);
}


static void keep_books(uint64_t now) {
  struct coroner_header *header = &file->header;
  if (now >= next_weigh_ns) {
    weigh(now);
    uint64_t cost = monotonic_ns() - now;
    /* Never more than a third of a per cent of the time. */
    next_weigh_ns = now + (cost * 300 > state_pace_ms * 1000000ull ? cost * 300 : state_pace_ms * 1000000ull);
  }
  int64_t margin = header->peak_bytes / 64 + (1 << 20);
  if (header->live_bytes > header->peak_bytes + margin) copy_peak(now);
  if (now >= next_moment_ns) {
    write_moment(now);
    next_moment_ns = now + (uint64_t)header->history_interval_ms * 1000000;
  }
  header->last_event_monotonic_ns = now;
  sampling_adapt(drawn_count, (uint64_t)(header->peak_bytes > 0 ? header->peak_bytes : 0), drawn_bytes);
}

/* --- what the hooks call --- */

static void look_at_callers(struct caller_stack *stack, uintptr_t caller, uintptr_t here, bool deep) {
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
      if (!exact) drawn_count++, drawn_bytes += (uint64_t)weight;
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

/* A request was refused. errno is the allocator's and stays as it is. */
COLD void state_failed(size_t bytes, uint16_t kind, uint16_t flags, uintptr_t caller, uintptr_t here) {
  if (thread.inside) return;
  int error = errno;
  thread.inside = 1;
  if (is_own_process() && (file || state_begin_child())) {
    struct caller_stack stack;
    look_at_callers(&stack, caller, here, true);
    struct rlimit as = {0}, data = {0};
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
        .limit_as_bytes = getrlimit(RLIMIT_AS, &as) ? UINT64_MAX : (uint64_t)as.rlim_cur,
        .limit_data_bytes = getrlimit(RLIMIT_DATA, &data) ? UINT64_MAX : (uint64_t)data.rlim_cur,
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
      if (sequence == 1) next_weigh_ns = next_moment_ns = 0;
      keep_books(now);
      unlock();
    }
  }
  errno = error;
  thread.inside = 0;
}

/* --- /proc/self/statm --- */

bool read_statm(uint64_t *vm_bytes, uint64_t *rss_bytes, uint64_t *shared_bytes) {
  char text[128];
  int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  long length = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return false;
  uint64_t pages[3] = {0};
  const char *at = text, *end = text + length;
  for (int i = 0; i < 3; i++) {
    while (at < end && *at == ' ') at++;
    if (at >= end) return false;
    while (at < end && *at >= '0' && *at <= '9') pages[i] = pages[i] * 10 + (uint64_t)(*at++ - '0');
  }
  const uint64_t page = file->header.page_bytes;
  *vm_bytes = pages[0] * page;
  *rss_bytes = pages[1] * page;
  *shared_bytes = pages[2] * page;
  return true;
}

/* --- the file's life --- */

static void own_path(char *out, size_t size, uint32_t pid) { snprintf(out, size, "%s/%u.mem", folder_path, pid); }

static struct coroner_file *make_file(uint32_t pid) {
  if (tree && __atomic_load_n(&tree->files, __ATOMIC_RELAXED) >= TREE_MAX_FILES) {
    __atomic_fetch_add(&tree->refused_files, 1, __ATOMIC_RELAXED);
    return NULL;
  }
  char path[600];
  own_path(path, sizeof path, pid);
  /* fork and exec keep the pid: the name may be taken by what this process was before. Never truncate: the old file may be mapped. */
  bool replaced = unlink(path) == 0;
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return NULL;
  struct coroner_file *made = MAP_FAILED;
  struct statfs filesystem;
  const unsigned long tmpfs = 0x01021994;
  bool roomy = true;
  /* A hole that the disk has no room for is a SIGBUS: have the room now. On tmpfs that would be memory at once, so only look. */
  if (fstatfs(fd, &filesystem)) roomy = false;
  else if ((unsigned long)filesystem.f_type == tmpfs || posix_fallocate(fd, 0, sizeof *made))
    roomy = (uint64_t)filesystem.f_bavail * (uint64_t)filesystem.f_bsize > 16 * sizeof *made;
  if (roomy && !ftruncate(fd, sizeof *made))
    made = (struct coroner_file *)syscall(SYS_mmap, NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
  close(fd);
  if (made == MAP_FAILED) {
    unlink(path);
    return NULL;
  }
  if (tree && !replaced) __atomic_fetch_add(&tree->files, 1, __ATOMIC_RELAXED);
  return made;
}

static void open_tree(void) {
  char path[600];
  snprintf(path, sizeof path, "%s/tree", folder_path);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  /* Not fstat(): its symbol is of glibc 2.33, and the library must load where glibc is older. */
  if (lseek(fd, 0, SEEK_END) >= (off_t)sizeof *tree) {
    struct coroner_tree *found = (struct coroner_tree *)syscall(SYS_mmap, NULL, sizeof *tree, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    if (found != MAP_FAILED && !memcmp(found->magic, CORONER_TREE_MAGIC, 8)) {
      tree = found;
      __atomic_fetch_add(&tree->processes, 1, __ATOMIC_RELAXED);
    }
  }
  close(fd);
}

static void read_name(struct coroner_header *header) {
  int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    long length = read(fd, header->name, sizeof header->name - 1);
    if (length > 0 && header->name[length - 1] == '\n') header->name[length - 1] = 0;
    close(fd);
  }
  long length = readlink("/proc/self/exe", header->executable, sizeof header->executable - 1);
  if (length < 0) header->executable[0] = 0;
}

static void begin_file(struct coroner_file *made, uint32_t parent) {
  struct coroner_header *header = &made->header;
  header->version = CORONER_LAYOUT_VERSION;
  header->header_bytes = sizeof *header;
  header->file_bytes = sizeof *made;
  header->pid = own_pid;
  header->parent_pid = parent;
  header->started_realtime_ns = realtime_ns();
  header->started_monotonic_ns = monotonic_ns();
  header->page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
  header->sample_mean_bytes = header->first_sample_mean_bytes = sampling_mean();
  header->exact_bytes = exact_bytes;
  header->history_interval_ms = state_pace_ms;
#define SECTION(id, field, entry, count) \
  header->sections[id] = (struct coroner_section_entry){(uint32_t)offsetof(struct coroner_file, field), entry, count, 0}
  SECTION(SECTION_STACKS, stacks, sizeof made->stacks[0], STACK_CAPACITY);
  SECTION(SECTION_NODES, nodes, sizeof made->nodes[0], NODE_CAPACITY);
  SECTION(SECTION_FRAMES, frames, sizeof made->frames[0], FRAME_CAPACITY);
  SECTION(SECTION_CODES, codes, sizeof made->codes[0], CODE_CAPACITY);
  SECTION(SECTION_TEXT, text, 1, TEXT_CAPACITY);
  SECTION(SECTION_LIVE, live, sizeof made->live[0], LIVE_CAPACITY);
  SECTION(SECTION_FAILURES, failures, sizeof made->failures[0], FAILURE_CAPACITY);
  SECTION(SECTION_HISTORY, history, sizeof made->history[0], HISTORY_CAPACITY);
  SECTION(SECTION_MODULES, modules, sizeof made->modules[0], MODULE_CAPACITY);
  header->sections[SECTION_TEXT].used = 8;
  header->sections[SECTION_STACKS].used = 1;
}

static bool in_folder(const char *folder) {
  size_t length = strlen(folder);
  if (length >= sizeof folder_path) return false;
  memcpy(folder_path, folder, length + 1);
  own_pid = (uint32_t)getpid();
  open_tree();
  return true;
}

/*
 * The indexes are hashed into: some hundred samples touch nearly every page of them, and a page fault each would be most of
 * what the start costs. Linux 5.14; before that they come one by one.
 */
static void fault_in(void *start, size_t bytes) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t from = (uintptr_t)start & ~(page - 1), to = ((uintptr_t)start + bytes + page - 1) & ~(page - 1);
  const int populate_write = 23;
  syscall(SYS_madvise, from, to - from, populate_write);
}

void state_open(const char *folder, uint32_t parent) {
  if (!in_folder(folder)) return;
  fault_in(filter, sizeof filter);
  fault_in(node_index, sizeof node_index);
  fault_in(frame_index, sizeof frame_index);
  fault_in(live_index, sizeof live_index);
  fault_in(text_index, sizeof text_index);
  struct coroner_file *made = make_file(own_pid);
  if (!made) return;
  begin_file(made, parent);
  read_name(&made->header);
  memcpy(made->header.magic, CORONER_MAGIC, 8);
  file = made;
}

void state_end(uint32_t how, int code) {
  if (!file || !is_own_process()) return;
  file->header.exit_code = code;
  file->header.state_monotonic_ns = monotonic_ns();
  __atomic_store_n(&file->header.state, how, __ATOMIC_RELEASE);
}

/* Thousands of short helpers (sed, uname) each leave a file: one that says nothing is taken away again. */
bool state_discard_if_dull(void) {
  if (!file || !is_own_process()) return false;
  const struct coroner_header *header = &file->header;
  /* The command itself is Python more often than not, and its file is wanted even where it is dull. */
  bool of_interest = python_present() && !(header->flags & FILE_FORKED);
  if (of_interest || header->failure_count || header->limit_hits || header->peak_bytes > (4 << 20)) return false;
  char path[600];
  own_path(path, sizeof path, own_pid);
  if (unlink(path) == 0 && tree) __atomic_fetch_sub(&tree->files, 1, __ATOMIC_RELAXED);
  return true;
}

/*
 * A forked child must not write into its parent's file. It begins one of its own, and an empty one: with the first
 * thing that it has to say, so that the many children that only exec or exit cost nothing. What it was born with is
 * its parent's, shared until it is written to, and stands in its parent's file.
 */
static struct coroner_file *parents_file;
static uint32_t parents_pid;
/* Not forked, but not begun either: parents_file is empty. */
static bool waiting;

/*
 * A process without Python begins like a forked child, with the first thing that it has to say: the thousands of
 * `sed` and `uname` of a shell script mostly have nothing, and a file costs a millisecond.
 */
bool state_open_later(const char *folder, uint32_t parent) {
  if (!in_folder(folder)) return false;
  void *empty = (void *)syscall(SYS_mmap, NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
  if (empty == MAP_FAILED) return false;
  parents_file = empty;
  parents_pid = parent;
  waiting = true;
  return true;
}

void state_fork_child(void) {
  if (!file && !parents_file) return;
  /* Another thread of the parent may have held it. */
  lock_word = 0;
  thread.id = 0;
  if (thread.inside && file) {
    /* A signal handler forked in the middle of a hook: let that one finish on a copy, and be done. */
    struct coroner_file *copy = (struct coroner_file *)syscall(SYS_mmap, NULL, sizeof *file, PROT_READ | PROT_WRITE,
                                                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    if (copy == MAP_FAILED) return;
    memcpy(copy, file, sizeof *file);
    file = copy;
    agent_ready = false;
    return;
  }
  if (file) parents_file = file;
  file = NULL;
  parents_pid = own_pid;
  own_pid = (uint32_t)getpid();
}

static void forget_everything(void) {
  /* What other threads free meanwhile must never find the bucket of a block empty that is not the allocator's. */
  memset(filter_count, 0, sizeof filter_count);
  objects_hold(filter_count_once);
  early_hold(filter_count_always);
  for (uint32_t i = 0; i < sizeof filter; i++) __atomic_store_n(&filter[i], filter_count[i] ? FILTER_MANY : 0, __ATOMIC_RELAXED);
  memset(stack_index, 0, sizeof stack_index);
  memset(node_index, 0, sizeof node_index);
  memset(frame_index, 0, sizeof frame_index);
  memset(code_index, 0, sizeof code_index);
  memset(live_index, 0, sizeof live_index);
  memset(text_index, 0, sizeof text_index);
  memset(last_path, 0, sizeof last_path);
  live_free_count = live_used_count = mapping_count = last_python_node = 0;
  next_weigh_ns = next_moment_ns = drawn_count = drawn_bytes = 0;
  native_forget_modules();
}

COLD bool state_begin_child(void) {
  struct coroner_file *parent = parents_file;
  if (!parent) return false;
  parents_file = NULL;
  struct coroner_file *made = make_file(own_pid);
  if (made) {
    forget_everything();
    begin_file(made, parents_pid);
    struct coroner_header *header = &made->header;
    const struct coroner_header *from = &parent->header;
    if (waiting) {
      read_name(header);
      waiting = false;
    } else {
      memcpy(header->name, from->name, sizeof header->name);
      memcpy(header->executable, from->executable, sizeof header->executable);
      header->flags = FILE_FORKED;
    }
    header->python_flags = from->python_flags;
    header->python_version = from->python_version;
    header->limit_bytes = from->limit_bytes;
    header->forked_live_bytes = from->live_bytes;
    memcpy(header->magic, CORONER_MAGIC, 8);
    file = made;
    limit_begin_child();
  }
  syscall(SYS_munmap, parent, sizeof *parent);
  return made != NULL;
}
