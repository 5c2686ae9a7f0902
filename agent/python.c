/*
 * CPython from inside, without its C API: that may allocate, collect garbage or wait for the GIL, none of which an
 * allocator may do. Only fields of the own thread's frames are read, at the offsets of its version.
 */
#include "agent.h"
#include "behind.h"
#include "failed.h"
#include "intern.h"
#include "live.h"
#include "offsets.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static const struct python_layout *layout;
/* Of a libpython that the program has opened itself (an embedding, a frozen program). 0: Python is part of the program, or there is none. */
static uintptr_t own_base;
static bool objects_late; /* its allocators are still to be hooked, by a thread that holds the GIL */
static struct { bool stacks, objects; } asked_for;
static bool present, stacks_wanted, objects_wanted;
static const void *code_type;
static char *(*current_state)(void); /* of the thread that holds the GIL (to 3.11), or of this thread while attached (3.12 on) */
static char **current_state_27;
static char *(*own_state)(void);

/* memcpy, not a cast: the compiler must not think it knows these types. */
static inline uintptr_t word_at(const char *base, size_t offset) {
  uintptr_t value;
  memcpy(&value, base + offset, sizeof value);
  return value;
}
static inline int32_t int_at(const char *base, size_t offset) {
  int32_t value;
  memcpy(&value, base + offset, sizeof value);
  return value;
}
static inline bool looks_like_pointer(uintptr_t value) { return value > 4096 && (value & 7) == 0; }
/* From 3.14 on what a frame runs carries a mark in the lowest bits: whose reference it is. */
static inline uintptr_t unmarked(uintptr_t value) { return value & ~(uintptr_t)3; }

static bool verify_hooks(void);
static void begin_objects(void);
static void begin_late(void);
static uint32_t hook_checks;

bool python_present(void) { return present; }
bool python_stacks(void) { return layout && stacks_wanted; }
bool python_hides_released(void) { return current_state_27; }

/* Where its own thread is in Python; NULL: nowhere. */
static const char *innermost_frame(void) {
  char *state = current_state_27 ? *current_state_27 : current_state();
  bool holds_gil = state && word_at(state, layout->state_thread_id) == (uintptr_t)pthread_self();
  if (!holds_gil) {
    state = own_state ? own_state() : NULL;
    if (!state || word_at(state, layout->state_thread_id) != (uintptr_t)pthread_self()) return NULL;
  } else if (objects_late) {
    objects_late = false;
    begin_objects();
  } else if (objects_wanted && hook_checks < 8) {
    hook_checks++;
    verify_hooks();
  }
  thread.python_state = state;
  uintptr_t frame = word_at(state, layout->state_frame);
  if (layout->frame_indirect >= 0 && looks_like_pointer(frame)) frame = word_at((const char *)frame, (size_t)layout->frame_indirect);
  return looks_like_pointer(frame) ? (const char *)frame : NULL;
}

uint32_t python_walk(struct python_frame *frames, uint32_t capacity, bool *cut) {
  if (UNLIKELY(own_base && !present)) begin_late();
  if (!__atomic_load_n(&stacks_wanted, __ATOMIC_ACQUIRE) || !layout) return 0;
  uint32_t count = 0;
  const char *frame = innermost_frame();
  const struct python_layout at = *layout;
  const void *const code_is = code_type;
  /* The bound is for a chain that is torn or circular: deeper recursion than this is cut anyway. */
  for (uint32_t seen = 0; frame && seen < 4096; seen++) {
    const char *code = (const char *)unmarked(word_at(frame, at.frame_code));
    const bool of_c_stack = at.frame_owner && (uint8_t)frame[at.frame_owner] >= 3;
    if (!of_c_stack && looks_like_pointer((uintptr_t)code) && (const void *)word_at(code, 8) == code_is) {
      if (count == capacity) {
        *cut = true;
        break;
      }
      frames[count].id = 0;
      frames[count].frame = frame;
      frames[count].code = code;
      if (at.last_unit) frames[count].last_instruction = int_at(frame, at.frame_last) * at.last_unit;
      else frames[count].last_instruction = (int32_t)(word_at(frame, at.frame_last) - ((uintptr_t)code + at.code_adaptive));
      count++;
    }
    uintptr_t back = word_at(frame, at.frame_back);
    frame = looks_like_pointer(back) ? (const char *)back : NULL;
  }
  return count;
}

/* The frame may be gone and its memory with it, or used by another call: all three words have to be as they were. */
bool python_still_at(const char *state, const struct python_frame *innermost) {
  uintptr_t frame, code, last = 0;
  if (!layout || !peek((uintptr_t)state + layout->state_frame, &frame, sizeof frame)) return false;
  if (layout->frame_indirect >= 0 && !peek(frame + (size_t)layout->frame_indirect, &frame, sizeof frame)) return false;
  if (frame != (uintptr_t)innermost->frame) return false;
  if (!peek(frame + layout->frame_code, &code, sizeof code) || (code & ~(uintptr_t)7) != (uintptr_t)innermost->code) return false;
  if (!peek(frame + layout->frame_last, &last, layout->last_unit ? 4 : sizeof last)) return false;
  const int32_t at = layout->last_unit ? (int32_t)last * layout->last_unit : (int32_t)(last - (code + layout->code_adaptive));
  return at == innermost->last_instruction;
}

/* A code object's address is used again after it is freed: what it is called belongs to its identity. */
uint64_t python_frame_hash(const struct python_frame *frame) {
  if (frame->id) return frame->hash;
  uint64_t key = (uint64_t)(uintptr_t)frame->code ^ (uint64_t)(uint32_t)frame->last_instruction << 44;
  key ^= (word_at(frame->code, layout->code_name) << 5) + (uint64_t)(uint32_t)int_at(frame->code, layout->code_first_line) * 0xD6E8FEB86659FD93ull;
  return key;
}

bool python_code_key(const char *code, struct coroner_code *key) {
  key->address = (uint64_t)(uintptr_t)code;
  key->file_address = word_at(code, layout->code_file);
  key->name_address = word_at(code, layout->code_name);
  key->first_line = int_at(code, layout->code_first_line);
  return true;
}

/* A str as UTF-8 into the text section. */
static uint32_t text_of(uintptr_t object) {
  if (!looks_like_pointer(object)) return 0;
  const char *base = (const char *)object;
  size_t length = word_at(base, 16);
  if (length > 4096) length = 4096;
  if (layout->lines == LINES_LNOTAB_27) return state_text(base + layout->ascii_data, length);
  uint32_t state = (uint32_t)int_at(base, 32);
  uint32_t kind = state >> 2 & 7, compact = state >> 5 & 1, ascii = state >> 6 & 1;
  if (!compact) return 0;
  if (ascii) return state_text(base + layout->ascii_data, length);
  static char utf8[4096]; /* under the lock; the caller may be on a small signal stack */
  size_t out = 0;
  const unsigned char *data = (const unsigned char *)base + layout->compact_data;
  for (size_t i = 0; i < length && out + 4 <= sizeof utf8; i++) {
    uint32_t c;
    if (kind == 1) c = data[i];
    else if (kind == 2) {
      uint16_t half;
      memcpy(&half, data + i * 2, 2);
      c = half;
    } else if (kind == 4) memcpy(&c, data + i * 4, 4);
    else return 0;
    if (c >= 0xd800 && c < 0xe000) c = 0xfffd; /* undecodable bytes of a file name are lone surrogates */
    if (c < 0x80) utf8[out++] = (char)c;
    else if (c < 0x800) utf8[out++] = (char)(0xc0 | c >> 6), utf8[out++] = (char)(0x80 | (c & 63));
    else if (c < 0x10000)
      utf8[out++] = (char)(0xe0 | c >> 12), utf8[out++] = (char)(0x80 | (c >> 6 & 63)), utf8[out++] = (char)(0x80 | (c & 63));
    else
      utf8[out++] = (char)(0xf0 | c >> 18), utf8[out++] = (char)(0x80 | (c >> 12 & 63)), utf8[out++] = (char)(0x80 | (c >> 6 & 63)),
      utf8[out++] = (char)(0x80 | (c & 63));
  }
  return state_text(utf8, out);
}

void python_code_names(const char *code, struct coroner_code *entry) {
  entry->file = text_of(word_at(code, layout->code_file));
  entry->function = text_of(word_at(code, layout->code_name));
}

/* --- line tables --- */

static int32_t line_lnotab(const uint8_t *table, size_t size, int32_t first, int32_t at, bool is_signed) {
  int32_t line = first, address = 0;
  for (size_t i = 0; i + 1 < size; i += 2) {
    address += table[i];
    if (address > at) break;
    line += is_signed ? (int8_t)table[i + 1] : table[i + 1]; /* line numbers go backwards from 3.6 on */
  }
  return line;
}

/* 3.10: pairs of address and line steps; -128 is "no line". */
static int32_t line_310(const uint8_t *table, size_t size, int32_t first, int32_t at) {
  int32_t line = first, address = 0;
  for (size_t i = 0; i + 1 < size; i += 2) {
    int8_t step = (int8_t)table[i + 1];
    if (step != -128) line += step;
    address += table[i];
    if (address > at) return step == -128 ? 0 : line;
  }
  return at < 0 ? first : 0;
}

static size_t read_varint(const uint8_t *table, size_t size, size_t i, uint32_t *value) {
  uint32_t shift = 0;
  *value = 0;
  while (i < size) {
    uint8_t byte = table[i++];
    if (shift < 30) *value |= (uint32_t)(byte & 63) << shift;
    shift += 6;
    if (!(byte & 64)) break;
  }
  return i;
}

/* 3.11 on: Objects/locations.md */
static int32_t line_311(const uint8_t *table, size_t size, int32_t first, int32_t at, struct line_cursor *cursor) {
  int32_t line = first, address = 0;
  size_t i = 0;
  if (cursor->at && cursor->at < size && cursor->address <= at) i = cursor->at, address = cursor->address, line = cursor->line;
  while (i < size) {
    *cursor = (struct line_cursor){(uint32_t)i, address, line};
    uint32_t kind = table[i] >> 3 & 15, units = (table[i] & 7) + 1u, value;
    bool has_line = true;
    i++;
    if (kind == 15) has_line = false;
    else if (kind >= 13) {
      i = read_varint(table, size, i, &value);
      line += value & 1 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
      for (int n = 0; kind == 14 && n < 3; n++) i = read_varint(table, size, i, &value);
    } else if (kind >= 10) line += (int32_t)kind - 10, i += 2;
    else i++;
    address += (int32_t)units * 2;
    if (at < address) return has_line ? line : 0;
  }
  return 0;
}

int32_t python_line(const char *code, int32_t last_instruction, struct line_cursor *cursor) {
  uintptr_t object = word_at(code, layout->code_lines);
  int32_t first = int_at(code, layout->code_first_line);
  if (!looks_like_pointer(object)) return first;
  const char *bytes = (const char *)object;
  size_t size = word_at(bytes, 16);
  if (size > (4u << 20)) return first;
  const uint8_t *table = (const uint8_t *)bytes + (layout->lines == LINES_LNOTAB_27 ? 36 : 32);
  switch (layout->lines) {
    case LINES_LNOTAB_27: return line_lnotab(table, size, first, last_instruction, false);
    case LINES_LNOTAB: return line_lnotab(table, size, first, last_instruction, true);
    case LINES_310: return line_310(table, size, first, last_instruction);
    case LINES_311: return line_311(table, size, first, last_instruction, cursor);
  }
  return first;
}

/* --- small objects --- */

struct py_allocator {
  void *context;
  void *(*malloc)(void *, size_t);
  void *(*calloc)(void *, size_t, size_t);
  void *(*realloc)(void *, void *, size_t);
  void (*free)(void *, void *);
};
struct py_arena_allocator {
  void *context;
  void *(*alloc)(void *, size_t);
  void (*free)(void *, void *, size_t);
};
enum py_domain { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJ };

static void (*get_allocator)(int, struct py_allocator *);
static void (*set_allocator)(int, const struct py_allocator *);
static struct py_allocator raw_next, mem_next, obj_next;
static struct py_arena_allocator arena_next;
/*
 * A diverted block is given back through PyMem_RawFree() and so through the process' own free(): it must come from the
 * malloc() that belongs to it, which is not the one behind this library where another allocator is listed before it.
 */
static void *(*process_malloc)(size_t);

static bool raw_unchanged(void) {
  struct py_allocator now;
  get_allocator(DOMAIN_RAW, &now);
  return now.malloc == raw_next.malloc && now.free == raw_next.free;
}

/*
 * Whether what Python frees and reallocates comes by our hooks: not where the executable brings an allocator of its own. Only then may
 * it be given blocks that are not libc's.
 */
static bool own_blocks_come_back;
static void see_whether_blocks_come_back(void) {
  void *block = process_malloc(24);
  if (!block) return;
  filter_add((uintptr_t)block);
  awaited = block;
  void *grown = raw_next.realloc(raw_next.context, block, 32);
  own_blocks_come_back = !awaited;
  filter_remove((uintptr_t)block);
  if (!grown) return;
  filter_add((uintptr_t)grown);
  awaited = grown;
  raw_next.free(raw_next.context, grown);
  own_blocks_come_back = own_blocks_come_back && !awaited;
  filter_remove((uintptr_t)grown);
  awaited = NULL;
}

/* For one that is sampled. Else from malloc(), whose free() and realloc() see all that pymalloc hands on to them. */
static void *block_for_sample(size_t bytes) {
  void *block = own_blocks_come_back ? objects_take(bytes) : NULL;
  return block ? block : process_malloc(bytes ? bytes : 1);
}

/* --- free lists --- */

/*
 * CPython keeps freed lists, dicts, tuples, floats, dict keys and (3.14) ints and gives them out again without asking an allocator. In
 * a loop that makes a temporary list and keeps another, the one that is kept is the one that was just given back: by
 * who called the allocator, all lists that leak belong to the line of the temporary ones. So the first uses of a sampled
 * object are watched: when its reference count was seen at 0 and is not 0 any more, somebody has taken it from the free
 * list since the last request. A list asks for its items next: its line is the one that runs now. The others ask for
 * nothing more: between the last request and this one, the instruction that builds a dict or a tuple is looked for; where
 * there is none, what ran at the last request, which mostly made what goes into it, is the better guess.
 * What is given back later than WATCHED_REQUESTS requests after it was made stays where it was. Where objects of that size
 * are not given back (or have no free list) time and again, only every 16th is watched.
 */
#define WATCHED_REQUESTS 64u
#define WATCHED_CHANGES 8u
#define WATCHED_NEW 4u
#define WATCHED_BYTES 64u
static const void *watched_types[5];
/* One at a time, by the thread that sampled it: sub-interpreters (3.12) may each have a GIL of their own. */
static struct {
  const struct thread_state *owner;
  const char *block;
  uint32_t id;
  uint8_t *dull;   /* how often nothing happened to such objects */
  uint8_t changes; /* left to be followed */
  uint8_t unknown; /* requests until it must have been filled in; 0: it is known what it is */
  uint8_t count;   /* offset of its reference count */
  uint8_t kind;    /* index in watched_types; WATCHED_KEYS */
  bool given;      /* back, and lies in a free list */
  bool collected;  /* by the collector, which has it in its lists */
  /* The innermost frame at the last request, and who called it. */
  struct python_frame last, last_caller;
} watched;
#define WATCHED_LIST 0u
#define WATCHED_DICT 1u
#define WATCHED_TUPLE 2u
#define WATCHED_FLOAT 3u
#define WATCHED_INT 4u
#define WATCHED_KEYS 5u

/* The count of what lies in a free list is 0, or (3.14) gave way to the address of the next in the list: such a count is not to be reached. */
static inline bool lies_in_free_list(uintptr_t count) { return count == 0 || (layout->version >= 0x030e && (count >> 32 & 0xffff)); }

/* Offset of the reference count of what CPython has a free list for; -1: something else, or not filled in yet. */
static int count_offset(const char *block) {
  /* PyGC_Head: 16 bytes since 3.8, 24 in 3.7, 32 in 3.6 */
  for (int head = 0; head <= 32; head += head == 0 ? 16 : 8) {
    const void *type = (const void *)word_at(block, (size_t)head + 8);
    for (size_t i = 0; i < sizeof watched_types / sizeof *watched_types; i++)
      if (type && type == watched_types[i]) return watched.kind = (uint8_t)i, head;
  }
  /* PyDictKeysObject of the smallest size, the only one that is kept: dk_refcnt, then dk_size or (3.11) two logarithms of sizes. */
  const uintptr_t size = word_at(block, 8);
  watched.kind = WATCHED_KEYS;
  return word_at(block, 0) < 4096 && (layout->version < 0x030b ? size == 8 : (size & 0xffff) == 0x0303) ? 0 : -1;
}

static uint8_t dull_objects[8192];

static void watch_first_uses(const void *block, size_t bytes, uint32_t id) {
  if (!id || !layout || !stacks_wanted || !watched_types[0]) return;
  uint8_t *dull = &dull_objects[(file->live[id - 1].stack * 31u + (uint32_t)bytes / 16u) % sizeof dull_objects];
  if (*dull >= 8 && ++*dull % 16) return;
  if (*dull < 8) ++*dull;
  watched.dull = dull;
  watched.changes = WATCHED_CHANGES;
  watched.owner = &thread;
  watched.block = block;
  watched.id = id;
  watched.unknown = WATCHED_NEW;
  watched.given = watched.collected = false;
  sample_every_request(WATCHED_REQUESTS);
}

/* Where it was given back, or a request later: its code may be gone when it is needed. */
static void remember_frame(void) {
  struct python_frame now;
  bool cut;
  if (!python_walk(&now, 1, &cut)) return;
  if (now.frame == watched.last.frame && now.code == watched.last.code && now.last_instruction == watched.last.last_instruction && watched.last.id) return;
  now.hash = python_frame_hash(&now);
  now.id = state_frame(&now);
  watched.last = now;
  struct python_frame two[2];
  watched.last_caller = python_walk(two, 2, &cut) == 2 ? two[1] : (struct python_frame){0};
}

/*
 * The first instruction behind `from` and up to `to` that builds what is watched; -1: none. Inline caches are read as if they
 * were instructions: at worst it is another one of the same stretch.
 */
static int32_t building(const char *code, int32_t from, int32_t to) {
  const char *bytes;
  if (layout->code_adaptive) bytes = code + layout->code_adaptive;
  else {
    /* co_code stands behind co_firstlineno. */
    const uintptr_t object = word_at(code, (layout->code_first_line + 4u + 7u) & ~7u);
    if (!looks_like_pointer(object)) return -1;
    bytes = (const char *)object + 32;
  }
  for (int32_t at = from < 0 ? 0 : from + 2; at <= to; at += 2) {
    const uint8_t op = (uint8_t)bytes[at];
    if (!op) continue;
    if (watched.kind == WATCHED_TUPLE ? op == layout->build_tuple : op == layout->build_map || op == layout->build_const_key_map) return at;
  }
  return -1;
}

static void without_inner(struct caller_stack *stack, uint32_t frames) {
  stack->python_count -= frames;
  memmove(stack->python, stack->python + frames, stack->python_count * sizeof *stack->python);
}

static COLD void taken_again(void) {
  struct caller_stack stack = {0};
  bool cut = false;
  stack.python_count = python_walk(stack.python, MAX_PYTHON_DEPTH, &cut);
  if (cut) stack.flags |= STACK_CUT;
  if (!stack.python_count) return;
  if (watched.kind != WATCHED_LIST && watched.last.id) {
    for (uint32_t i = 0; i < stack.python_count; i++) {
      struct python_frame *one = &stack.python[i];
      const bool same = one->frame == watched.last.frame && one->code == watched.last.code;
      const bool caller = one->frame == watched.last_caller.frame && one->code == watched.last_caller.code;
      if (!same && !caller) continue;
      if (watched.kind == WATCHED_DICT || watched.kind == WATCHED_TUPLE || watched.kind == WATCHED_KEYS) {
        const int32_t found = building(one->code, same ? watched.last.last_instruction : watched.last_caller.last_instruction, one->last_instruction);
        if (found >= 0) {
          one->last_instruction = found;
          without_inner(&stack, i);
          break;
        }
      }
      /* A number is as likely the doing of who called that frame, once it has returned. */
      if (!same && (watched.kind == WATCHED_FLOAT || watched.kind == WATCHED_INT)) {
        without_inner(&stack, i);
        break;
      }
      /* That frame, on top of those who called it: it is still there, or has returned to this one. */
      const uint32_t from = same ? i + 1 : i, left = stack.python_count - from;
      memmove(stack.python + 1, stack.python + from, (left < MAX_PYTHON_DEPTH ? left : MAX_PYTHON_DEPTH - 1) * sizeof *stack.python);
      stack.python[0] = watched.last;
      stack.python_count = left < MAX_PYTHON_DEPTH ? left + 1 : MAX_PYTHON_DEPTH;
      break;
    }
  }
  state_taken_again(watched.id, watched.block, &stack);
}

/*
 * From 3.14 on there may be no request between the end of a list and its next use: ints have a free list too. A list that asks for its items
 * is not in the lists of the collector yet; one that was, and is not, has been given back and taken again.
 */
static bool is_renewed_list(void) {
  if (watched.kind != WATCHED_LIST || watched.count < 16 || layout->version < 0x0308) return false;
  const bool before = watched.collected;
  watched.collected = word_at(watched.block, watched.count - 16u) != 0;
  return before && !watched.collected && !watched.given;
}

/* With the GIL held: an object is not freed meanwhile. */
static inline void watch(void) {
  struct thread_state *t = &thread;
  if (t->inside) return;
  t->watching--;
  if (watched.owner != t || !state_holds(watched.id, watched.block)) {
    t->watching = 0;
    return;
  }
  if (watched.unknown) {
    const int offset = count_offset(watched.block);
    if (offset < 0) {
      if (--watched.unknown == 0) t->watching = 0;
      return;
    }
    watched.count = (uint8_t)offset;
    watched.unknown = 0;
  }
  const bool given = lies_in_free_list(word_at(watched.block, watched.count));
  const bool renewed = !given && is_renewed_list();
  if (given != watched.given && watched.changes) {
    watched.changes--;
    *watched.dull = 0;
    t->watching = WATCHED_REQUESTS;
  }
  if ((watched.given && !given) || renewed) taken_again();
  if (given && watched.kind != WATCHED_LIST) {
    if (!watched.given) watched.last.id = 0;
    remember_frame();
  }
  watched.given = given;
}

/*
 * A sampled small block does not come from pymalloc, whose free() and realloc() see an address that is not theirs and hand
 * it on to free() and realloc(), which are hooked: so not one instruction is added to freeing.
 */
static COLD void *sampled_object(struct py_allocator *next, size_t bytes, bool zero) {
  if (thread.watching) {
    watch();
    if (sample_passes()) return zero ? next->calloc(next->context, 1, bytes) : next->malloc(next->context, bytes);
  }
  bool due = sample_due(bytes) && bytes <= SMALL_REQUEST;
  if (due && limit_set && limit_refuses(bytes, true)) {
    state_failed(bytes, zero ? FAILURE_CALLOC : FAILURE_MALLOC, FAILURE_BY_LIMIT, 0, 0);
    return NULL;
  }
  if (!due || !raw_unchanged()) return zero ? next->calloc(next->context, 1, bytes) : next->malloc(next->context, bytes);
  thread.inside = 1;
  void *block = block_for_sample(bytes);
  thread.inside = 0;
  if (!block) return zero ? next->calloc(next->context, 1, bytes) : next->malloc(next->context, bytes);
  /* What malloc() left in it must not be taken for an object. */
  memset(block, 0, zero || bytes < WATCHED_BYTES ? bytes : WATCHED_BYTES);
  watch_first_uses(block, bytes, state_note(block, bytes, KIND_OBJECT, 0, 0));
  return block;
}

/* A list or dict that grows within pymalloc: its new block may be the sampled one. */
static COLD void *sampled_regrowth(struct py_allocator *next, void *old, size_t bytes) {
  if (thread.watching) watch();
  bool due = sample_due(bytes) && bytes <= SMALL_REQUEST;
  if (due && limit_set && limit_refuses(bytes, true)) {
    state_failed(bytes, FAILURE_REALLOC, FAILURE_BY_LIMIT, 0, 0);
    return NULL;
  }
  void *grown = next->realloc(next->context, old, bytes);
  if (!due || !grown || !raw_unchanged() || maybe_sampled(grown)) return grown;
  thread.inside = 1;
  void *block = block_for_sample(bytes);
  if (block) {
    memcpy(block, grown, bytes);
    next->free(next->context, grown);
  }
  thread.inside = 0;
  if (!block) return grown;
  state_note(block, bytes, KIND_OBJECT, 0, 0);
  return block;
}

#define COUNT_DOWN(bytes) ((thread.countdown = (int64_t)((uint64_t)thread.countdown - (uint64_t)(bytes))) >= 0)

/*
 * Requests above SMALL_REQUEST count down here too and once more in malloc(), where they are noted: the distance to a
 * sample has no memory, so using up more of it changes no probability, and two instructions are saved on every request.
 * Not where a large block grows: it would come by here in vain a million times.
 * CPython has refused what does not fit into Py_ssize_t before it comes here.
 */
#define DOMAIN_HOOKS(domain)                                                                      \
  static void *domain##_malloc(void *context, size_t bytes) {                                     \
    if (LIKELY(COUNT_DOWN(bytes))) return domain##_next.malloc(context, bytes);                   \
    return sampled_object(&domain##_next, bytes, false);                                          \
  }                                                                                               \
  static void *domain##_calloc(void *context, size_t count, size_t each) {                        \
    if (LIKELY(COUNT_DOWN(count * each))) return domain##_next.calloc(context, count, each);      \
    return sampled_object(&domain##_next, count * each, true);                                    \
  }                                                                                               \
  static void *domain##_realloc(void *context, void *old, size_t bytes) {                         \
    if (LIKELY(bytes > SMALL_REQUEST || COUNT_DOWN(bytes))) return domain##_next.realloc(context, old, bytes); \
    if (!old) return sampled_object(&domain##_next, bytes, false);                                \
    return sampled_regrowth(&domain##_next, old, bytes);                                          \
  }
DOMAIN_HOOKS(obj)
DOMAIN_HOOKS(mem)

/* The objects in an arena are counted one by one. */
static void *arena_alloc(void *context, size_t bytes) {
  thread.in_arena++;
  void *arena = arena_next.alloc(context, bytes);
  thread.in_arena--;
  return arena;
}

static void install(void) {
  struct py_allocator obj = {obj_next.context, obj_malloc, obj_calloc, obj_realloc, obj_next.free};
  struct py_allocator mem = {mem_next.context, mem_malloc, mem_calloc, mem_realloc, mem_next.free};
  set_allocator(DOMAIN_OBJ, &obj);
  set_allocator(DOMAIN_MEM, &mem);
}

/*
 * 3.6 sets its allocators in Py_Main, after constructors have run; so do PYTHONMALLOC and -X dev later on. With the GIL
 * held, see whether ours are still there: put them back in front of pymalloc, never into a debug layer.
 */
static bool verify_hooks(void) {
  struct py_allocator obj, mem;
  get_allocator(DOMAIN_OBJ, &obj);
  get_allocator(DOMAIN_MEM, &mem);
  bool there = obj.malloc == obj_malloc;
  if (!there && obj.malloc == obj_next.malloc && (mem.malloc == mem_next.malloc || mem.malloc == obj_next.malloc) && raw_unchanged()) {
    mem_next = mem; /* 3.6: the mem domain is malloc() before Py_Main */
    install();
    there = true;
  }
  if (file) {
    file->header.python_flags &= ~(uint32_t)(PYTHON_OBJECTS | PYTHON_OTHER_ALLOCATOR);
    file->header.python_flags |= there ? PYTHON_OBJECTS : PYTHON_OTHER_ALLOCATOR;
  }
  return there;
}

static uint32_t parse_version(const char *text) {
  uint32_t numbers[3] = {0};
  for (int i = 0; i < 3 && *text; i++) {
    while (*text >= '0' && *text <= '9') numbers[i] = numbers[i] * 10 + (uint32_t)(*text++ - '0');
    if (*text == '.') text++;
    else break;
  }
  return numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8;
}

static void *find(const char *name) { return own_base ? behind_in(own_base, name) : dlsym(RTLD_DEFAULT, name); }

/*
 * 3.13 and later begin _PyRuntime with the offsets of their structs. A version is not enough: an alpha, or a build that was changed, may have
 * one that is known and other structs.
 */
static bool says_the_same(const struct python_layout *at) {
  const char *runtime = at->debug_state ? find("_PyRuntime") : NULL;
  if (!runtime) return true;
  const char *state = runtime + at->debug_state, *frame = runtime + at->debug_frame, *code = runtime + at->debug_code;
  return memcmp(runtime, "xdebugpy", 8) == 0 && word_at(state, 0) == at->state_frame && /* and of a frame: */
         word_at(frame, 0) == at->frame_back && word_at(frame, 8) == at->frame_code && word_at(frame, 16) == at->frame_last &&
         word_at(frame, 32) == at->frame_owner && /* and of code: */
         word_at(code, 0) == at->code_file && word_at(code, 8) == at->code_name && word_at(code, 24) == at->code_lines &&
         word_at(code, 32) == at->code_first_line && word_at(code, 64) == at->code_adaptive;
}

static void begin_objects(void) {
  get_allocator = (void (*)(int, struct py_allocator *))find("PyMem_GetAllocator");
  set_allocator = (void (*)(int, const struct py_allocator *))find("PyMem_SetAllocator");
  if (!get_allocator || !set_allocator || !process_malloc) return;
  void (*get_arena)(struct py_arena_allocator *) = (void (*)(struct py_arena_allocator *))find("PyObject_GetArenaAllocator");
  void (*set_arena)(const struct py_arena_allocator *) =
      (void (*)(const struct py_arena_allocator *))find("PyObject_SetArenaAllocator");
  get_allocator(DOMAIN_RAW, &raw_next);
  get_allocator(DOMAIN_MEM, &mem_next);
  get_allocator(DOMAIN_OBJ, &obj_next);
  install();
  if (get_arena && set_arena) {
    get_arena(&arena_next);
    struct py_arena_allocator arena = {arena_next.context, arena_alloc, arena_next.free};
    set_arena(&arena);
  }
  /* Other threads allocate meanwhile where Python is under way: nothing can be tried out then. */
  if (!own_base) see_whether_blocks_come_back();
  if (own_blocks_come_back) objects_reserve();
  objects_wanted = true;
  static const char *const kept[] = {"PyList_Type", "PyDict_Type", "PyTuple_Type", "PyFloat_Type", "PyLong_Type"};
  const size_t kinds = sizeof kept / sizeof *kept - (layout->version < 0x030e); /* ints have a free list from 3.14 on */
  for (size_t i = 0; i < kinds; i++) watched_types[i] = find(kept[i]);
  if (file) file->header.python_flags |= PYTHON_OBJECTS;
}

/* What is known of it, its stacks, and whether its small objects can be sampled. */
static bool begin(bool want_stacks) {
  const char *(*get_version)(void) = (const char *(*)(void))find("Py_GetVersion");
  code_type = find("PyCode_Type");
  if (!get_version || !code_type || sizeof(void *) != 8) return false;
  const char *version_text = get_version();
  uint32_t version = parse_version(version_text);
  bool free_threaded = strstr(version_text, "free-threading") != NULL;
  for (size_t i = 0; i < sizeof python_layouts / sizeof *python_layouts; i++)
    if (python_layouts[i].version == version >> 16 && !free_threaded && says_the_same(&python_layouts[i])) layout = &python_layouts[i];
  if (layout && layout->lines == LINES_LNOTAB_27) {
    current_state_27 = (char **)find("_PyThreadState_Current");
    /* 2.7's PyGILState_GetThisThreadState() takes a lock of its own. */
    if (!current_state_27) layout = NULL;
  } else if (layout) {
    current_state = (char *(*)(void))find("_PyThreadState_UncheckedGet");
    if (!current_state) current_state = (char *(*)(void))find("PyThreadState_GetUnchecked"); /* 3.13 */
    own_state = (char *(*)(void))find("PyGILState_GetThisThreadState");
    if (!current_state) layout = NULL;
  }
  present = true;
  if (file) {
    file->header.python_version = version;
    file->header.python_flags = (layout ? PYTHON_STACKS : PYTHON_UNKNOWN_VERSION) | (free_threaded ? PYTHON_FREE_THREADED : 0);
  }
  /* Last: from here on other threads read what was found. */
  __atomic_store_n(&stacks_wanted, want_stacks, __ATOMIC_RELEASE);
  /* Unknown versions keep their allocators as they are: their pymalloc may treat a foreign address otherwise. */
  return layout != NULL;
}

/* From the constructor: no Python code has run and there is one thread. */
void python_start(bool want_stacks, bool want_objects) {
  process_malloc = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
  asked_for.stacks = want_stacks;
  asked_for.objects = want_objects;
  if (begin(want_stacks) && want_objects) begin_objects();
}

/* dlopen() gives no sign, and its lock is held where it allocates: the loader must not be asked. */
void python_appeared(uintptr_t base) {
  if (present || own_base || !behind_in(base, "PyCode_Type")) return;
  code_type = behind_in(base, "PyCode_Type");
  __atomic_store_n(&own_base, base, __ATOMIC_RELEASE);
}

/* Not before Python has begun: until then its library may not even be relocated. */
static void begin_late(void) {
  const size_t flags_of_type = 168, ready = 1u << 12;
  static bool begun;
  if (!(word_at(code_type, flags_of_type) & ready) || __atomic_exchange_n(&begun, true, __ATOMIC_ACQ_REL)) return;
  objects_late = begin(asked_for.stacks) && asked_for.objects;
}
