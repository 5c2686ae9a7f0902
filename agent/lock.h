#ifndef CORONER_LOCK_H
#define CORONER_LOCK_H

#include "agent.h"

extern uint32_t own_pid;
/* false: it could not be had, and nothing may be changed. */
bool lock(void);
void unlock(void);
void lock_start(void);
bool is_own_process(void);
bool is_own_end(void);
uint32_t own_thread_id(void); /* 0: not to be had */
/* Another thread of the parent may have held it. */
void lock_begin_child(void);
uint64_t monotonic_ns(void);
uint64_t realtime_ns(void);
uint64_t own_cpu_ns(void); /* of this thread: on a busy machine a look takes longer than it costs; 0 in a sandbox */

#endif
