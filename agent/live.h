#ifndef CORONER_LIVE_H
#define CORONER_LIVE_H

#include "agent.h"

/*
 * The filter says for sure that an address is not in the table; one byte a bucket, in which neighbours stay
 * neighbours (free() of blocks that lie together stays in the cache): 0, the bucket is empty; FILTER_MANY, take a second
 * look; else what tells the bucket's one address from the others that belong there. Without that a block that is freed and
 * given out again a million times, and happens to share the bucket of a sampled one, took the lock each time.
 */
#define FILTER_BITS 17
#define FILTER_MANY 255u
extern uint8_t filter[1u << FILTER_BITS];
static inline uint32_t filter_index(uintptr_t address) {
  return (uint32_t)(address >> 4) & ((1u << FILTER_BITS) - 1);
}
static inline uint8_t filter_tag(uintptr_t address) {
  return (uint8_t)(((uint64_t)(address >> (4 + FILTER_BITS)) * 0x9E3779B97F4A7C15ull >> 40) % (FILTER_MANY - 1) + 1);
}
void filter_add(uint64_t address);
void filter_remove(uint64_t address);
/* For good: an address that is in no table and still has to be looked at. */
void filter_always(uintptr_t address);
static inline bool maybe_sampled(const void *address) {
  const uint8_t bucket = filter[filter_index((uintptr_t)address)];
  /* NULL shares its bucket with mappings at whole huge pages, and is freed all day. */
  return UNLIKELY(bucket != 0) && address && (bucket == FILTER_MANY || bucket == filter_tag((uintptr_t)address));
}

/* Added to the kind: counts as nothing until its resident pages are looked at. */
#define NOTE_RESERVED 0x8000u
uint32_t state_note(const void *address, size_t bytes, uint16_t kind, uintptr_t caller, uintptr_t stack); /* its id; 0: not noted */
/* A block that was not noted so far has grown by `drawn` bytes, one of which was the sampled one. */
void state_note_grown(const void *address, size_t bytes, size_t drawn, uint16_t kind, uintptr_t caller, uintptr_t stack);
/* Is the sample still that block? Without the lock: who asks holds the GIL, without which no object is freed. */
static inline bool state_holds(uint32_t id, const void *address) {
  return file && __atomic_load_n(&file->live[id - 1].address, __ATOMIC_RELAXED) == (uint64_t)(uintptr_t)address;
}
void state_taken_again(uint32_t id, const void *address, struct caller_stack *stack);
bool state_forget(const void *address);
bool state_find(const void *address, struct coroner_live *copy);
/*
 * A noted block has another size, and perhaps another address: it stays the one that it was, at the line that made it grow.
 * `before` is what it was before the call: once it has moved, its old address may be another thread's.
 */
void state_regrown(const struct coroner_live *before, const void *block, size_t bytes, uintptr_t caller, uintptr_t stack);

void state_drop(const struct coroner_live *before); /* it is not noted any more, whoever has its address now */

/*
 * Blocks that were seen to grow: between `from` and `up_to` one of them may have any size without a look at who asked.
 * A string that grows a byte at a time is asked for a billion times, and the look costs as much as a hundred requests.
 * Read without the lock: a torn entry costs a size that is out of date.
 */
#define GROWING 64u
struct growing { uintptr_t address; size_t from, up_to; };
extern struct growing growing[GROWING];
static inline struct growing *growing_of(uintptr_t address) { return &growing[(address >> 4 ^ address >> 12) & (GROWING - 1)]; }
static inline bool just_grows(const void *block, size_t bytes) {
  const struct growing *one = growing_of((uintptr_t)block);
  return one->address == (uintptr_t)block && bytes - one->from <= one->up_to - one->from;
}
/* One of them has moved, and who made it grow was not looked at. */
void state_moved(const void *old, const void *block, size_t bytes);
void state_forget_range(uintptr_t start, size_t bytes);
uint32_t state_frame(const struct python_frame *frame); /* its id; 0: no room */
void look_at_callers(struct caller_stack *stack, uintptr_t caller, uintptr_t here, bool deep);
void live_fault_in(void);
void live_forget(void); /* all of them: under no lock, in a child that begins its file */

#endif
