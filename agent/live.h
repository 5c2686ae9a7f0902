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
/* Is the sample still that block? Without the lock: who asks holds the GIL, without which no object is freed. */
static inline bool state_holds(uint32_t id, const void *address) {
  return file && __atomic_load_n(&file->live[id - 1].address, __ATOMIC_RELAXED) == (uint64_t)(uintptr_t)address;
}
void state_taken_again(uint32_t id, const void *address, struct caller_stack *stack);
bool state_forget(const void *address);
bool state_forget_copy(const void *address, struct coroner_live *copy);
void state_restore(const struct coroner_live *copy); /* after a realloc() that failed */
void state_forget_range(uintptr_t start, size_t bytes);
uint32_t state_frame(const struct python_frame *frame); /* its id; 0: no room */
void look_at_callers(struct caller_stack *stack, uintptr_t caller, uintptr_t here, bool deep);
void live_fault_in(void);
void live_forget(void); /* all of them: under no lock, in a child that begins its file */

#endif
