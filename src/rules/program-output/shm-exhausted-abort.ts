import { ruleOnAborts } from '../shared/other-memory.ts';
import { sharedMemory } from './shm-exhausted.ts';

export const shmExhaustedAbort = ruleOnAborts('shm-exhausted-abort', sharedMemory);
