#ifndef CORONER_BEHIND_H
#define CORONER_BEHIND_H

#include "agent.h"

/* The function of that name that would have been called without this library; NULL: there is none. */
void *behind(const char *name);
/* The same, where there is no dlsym() to ask. */
void *behind_by_hand(const char *name);
/* The symbol of that name in the object that is mapped at `base`, without the loader; NULL: it has none. */
void *behind_in(uintptr_t base, const char *name);
/* The process runs on another C library than this one was made for: it is loaded, passes every call on, and notes nothing. */
bool libc_is_foreign(void);

#endif
