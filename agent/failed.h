#ifndef CORONER_FAILED_H
#define CORONER_FAILED_H

#include "agent.h"

void look_at_limits(void);
void state_failed(size_t bytes, uint16_t kind, uint16_t flags, uintptr_t caller, uintptr_t stack);

#endif
