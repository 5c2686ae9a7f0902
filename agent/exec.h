#ifndef CORONER_EXEC_H
#define CORONER_EXEC_H

#include "agent.h"

/* Looks up the functions behind: the caller may be a vfork child, whose parent's threads hold locks that nobody will give back. */
void exec_start(void);

#endif
