/** How programs say that an allocation was refused, and what only sounds so: one table a subject, one row a wording. */
import { allocators } from './allocators.ts';
import { gpu } from './gpu.ts';
import { languages } from './languages.ts';
import { libraries } from './libraries.ts';
import type { Refusal } from './refusal.ts';
import { servers } from './servers.ts';
import { sharedMemory } from './shared-memory.ts';
import { system } from './system.ts';
import { tools } from './tools.ts';

/** Of wordings that meet in a text the first is taken: what says most of another memory than the host's first, the vaguest last. */
export const refusals: readonly Refusal[] = [
  ...gpu,
  ...sharedMemory,
  ...allocators,
  ...languages,
  ...libraries,
  ...tools,
  ...servers,
  ...system,
];
