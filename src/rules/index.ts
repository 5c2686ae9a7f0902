import { coreAllocFailureAbort } from './core-alloc-failure-abort.ts';
import { coreAllocFailureSegfault } from './core-alloc-failure-segfault.ts';
import { coreNotMemory } from './core-not-memory.ts';
import { countedKill } from './counted-kill.ts';
import type { Rule } from './define-rule.ts';

/** Every rule, the most specific explanation of a death first: of equally sure findings the earlier wins. */
export const rules: readonly Rule[] = [
  coreAllocFailureSegfault,
  coreAllocFailureAbort,
  coreNotMemory,
  countedKill,
];
