#ifndef CORONER_INTERN_H
#define CORONER_INTERN_H

#include "agent.h"

/* All of it under the lock. Ids count from 1; 0: no room. */
static inline void publish(enum coroner_section section, uint32_t used) {
  __atomic_store_n(&file->header.sections[section].used, used, __ATOMIC_RELEASE);
}
static inline uint32_t used(enum coroner_section section) { return file->header.sections[section].used; }

static inline uint64_t mix(uint64_t x) {
  x *= 0x9E3779B97F4A7C15ull;
  return x ^ (x >> 32);
}

uint32_t state_text(const char *bytes, size_t length);
uint32_t intern_frame(const struct python_frame *frame);
uint32_t intern_path(const struct caller_stack *stack); /* the node of its innermost frame */
uint32_t intern_stack(struct caller_stack *stack, uint16_t kind);
void intern_fault_in(void);
void intern_forget(void);

#endif
