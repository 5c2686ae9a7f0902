/* Before a request is refused: the recorder may look into the process first. */
#ifndef CORONER_ASK_H
#define CORONER_ASK_H

#include <stddef.h>
#include <stdint.h>

/* Waits, at most half a second, while a snapshot is taken, where one is due and somebody takes it. `used_bytes`: what counts against the
 * limit that refuses: all that the tree holds, or the process's address space. */
void ask_for_snapshot(uint64_t used_bytes, size_t request_bytes);
/* It holds so much, and nothing was refused. */
void ask_may_come(uint64_t used_bytes);
void ask_begin_child(void);

#endif
