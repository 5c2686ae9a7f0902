#ifndef CORONER_WEIGH_H
#define CORONER_WEIGH_H

#include "agent.h"

extern uint32_t state_pace_ms;
/* After each event, under the lock. */
void keep_books(uint64_t now);
void weigh_drawn(uint64_t weight); /* a sample was drawn that stands for so many bytes */
void weigh_added(uint32_t slot); /* a live entry has just been filled in */
/* What is live where a request was refused: with what nobody has touched, if the limit counts that too. */
void copy_refused(const struct coroner_failure *failure, uint64_t sequence, bool counts_untouched);
void weigh_at_end(void);         /* the last look, under the lock */
void weigh_soon(void);             /* at the next event, whatever the last weighing cost */
void weigh_forget(void);
bool read_statm(uint64_t *vm_bytes, uint64_t *rss_bytes, uint64_t *shared_bytes);

#endif
