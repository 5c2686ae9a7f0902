#ifndef CORONER_FILE_H
#define CORONER_FILE_H

#include "agent.h"

void state_open(const char *folder, uint32_t parent);
bool state_open_later(const char *folder, uint32_t parent);
void state_end(uint32_t how, int code);
bool state_discard_if_dull(void);
void state_fork_child(void);
bool state_begin_child(void);
/* What the process may lock is the program's: called before it locks anything. */
void state_unlock_file(void);
/* Indexes are touched all over at once. */
void fault_in(void *start, size_t bytes);

#endif
