/* What the parts of the agent share. Nothing here is visible outside the library. */
#ifndef CORONER_AGENT_H
#define CORONER_AGENT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define EXPORT __attribute__((visibility("default")))
#define COLD __attribute__((noinline, cold))
/* The address the innermost hook returns to, and where its stack begins. */
#define CALLER ((uintptr_t)__builtin_return_address(0))
#define STACK_HERE ((uintptr_t)__builtin_frame_address(0))

#define MAX_PYTHON_DEPTH 64u
/* The countdown never exceeds this, so every request of 1 MiB takes the slow path without a comparison of its own. */
#define COUNTDOWN_CAP ((int64_t)(1 << 20) - 1)

/*
 * All zero in a new thread: the first request takes the slow path and seeds it. Initial-exec, and small, because a
 * library that is preloaded shares the loader's static TLS surplus.
 */
struct thread_state {
  int64_t countdown; /* bytes until the next sample */
  int64_t rest;      /* what the countdown has still to be given */
  uint64_t random;
  uint32_t id;
  uint32_t mean;     /* that the distance was drawn with */
  uint32_t due_mean; /* and that of the sample that has just come due */
  uint8_t inside; /* in the agent itself: count nothing */
  uint8_t seeded;
  uint8_t in_arena; /* CPython maps memory for small objects, which are counted one by one */
  uint8_t watching; /* so many requests more take the slow path: python.c, "free lists" */
  uint32_t last_node; /* of its last Python stack */
  const char *python_state; /* its PyThreadState, where the last look found Python frames */
};
extern _Thread_local struct thread_state thread __attribute__((tls_model("initial-exec")));

struct python_frame {
  const char *code;
  int32_t last_instruction;
  uint32_t id;       /* not 0: already in the file, and code may be gone */
  const char *frame; /* where it is */
  uint64_t hash;
};
struct caller_stack {
  uint32_t python_count;
  uint32_t native_count;
  uint16_t flags;
  uint32_t node; /* without Python frames of its own: the Python call that it works for; 0: none */
  struct python_frame python[MAX_PYTHON_DEPTH];
  uint64_t native[NATIVE_DEPTH];
};

/* hooks.c: the allocator behind this one */
extern void *(*next_malloc)(size_t);
extern void *(*next_calloc)(size_t, size_t);

/* sampling.c */
bool sample_due(size_t bytes);
void sampling_set_mean(uint64_t mean, bool fixed);
uint64_t sampling_mean(void);
void sampling_adapt(uint64_t samples, uint64_t peak_bytes, uint64_t total_bytes);
double sample_weight(size_t bytes);
void sample_every_request(uint8_t requests);
extern uint64_t exact_bytes;

/* file.c */
extern struct coroner_file *file;
extern struct coroner_tree *tree;
extern bool agent_ready;
/* While every request takes the slow path: true, this one is none that is sampled. */
static inline bool sample_passes(void) {
  const int64_t left = thread.rest + thread.countdown;
  if (left <= 0 || !thread.seeded || thread.inside || !agent_ready) return false;
  thread.rest = left;
  thread.countdown = 0;
  return true;
}

/* objects.c */
#define SMALL_REQUEST 512u /* larger ones go to malloc() themselves, where they are seen */
#define OBJECTS_BYTES (2u << 20)
extern uintptr_t objects_start; /* 0: none was taken yet */
static inline bool is_object(const void *block) { return objects_start && (uintptr_t)block - objects_start < OBJECTS_BYTES; }
bool objects_reserve(void); /* at the start, or with the first that is taken */
void *objects_take(size_t bytes); /* NULL: none left */
void objects_give(void *block);
size_t objects_room(const void *block);
void objects_hold(void (*hold)(uintptr_t));

/* hooks.c: which block's release must come by, to know that it does; NULL: it has */
extern void *awaited;
void early_hold(void (*hold)(uintptr_t));

/* native.c */
void native_stack(struct caller_stack *out, uintptr_t caller, uintptr_t stack, bool deep);
void native_know_modules(const uint64_t *addresses, uint32_t count); /* under the lock */
void native_forget_modules(void);
uint32_t native_library(uint64_t address); /* under the lock: one that a call can be told by; 0: none, or everybody's */
bool peek(uintptr_t address, void *out, size_t bytes);

/* python.c */
uint32_t python_walk(struct python_frame *frames, uint32_t capacity, bool *cut);
void python_start(bool want_stacks, bool want_objects);
uint64_t python_frame_hash(const struct python_frame *frame);
bool python_code_key(const char *code, struct coroner_code *key);
void python_code_names(const char *code, struct coroner_code *entry);
/* Where the last look at a code object's line table stopped: module bodies have tables of thousands of entries. */
struct line_cursor {
  uint32_t at;
  int32_t address, line;
};
int32_t python_line(const char *code, int32_t last_instruction, struct line_cursor *cursor);
bool python_present(void);
void python_appeared(uintptr_t base); /* a libpython that the program has opened itself, under the lock */
bool python_stacks(void); /* are read */
bool python_hides_released(void); /* a thread that has released the GIL shows no frames: 2.7 */
bool python_still_at(const char *state, const struct python_frame *innermost); /* of any thread: read without a fault */

/* limit.c */
extern bool limit_set;
void limit_open(uint64_t bytes, int at_limit);
bool limit_refuses(size_t bytes, bool small); /* true: the request must fail */
void limit_begin_child(void);
void limit_end(void);

#endif
