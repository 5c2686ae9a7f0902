#ifndef CORONER_SANDBOX_H
#define CORONER_SANDBOX_H

#include "agent.h"

/*
 * The process has set up a seccomp filter (or strict mode): what the filter does not know of kills. From then on the agent makes no
 * system call that malloc() itself would not make: it goes on with what it can see from within.
 */
extern uint8_t sandboxed;
/* The process has called vfork() or clone(): what runs now may be a child in its memory. */
extern uint8_t vfork_seen;
/* Is it one of those functions that are hooked here? Then the hook. NULL: no. */
void *sandbox_hook_for(void *found);
void sandbox_start(void);

#endif
