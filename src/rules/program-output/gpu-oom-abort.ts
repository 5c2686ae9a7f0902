import { ruleOnAborts } from '../shared/other-memory.ts';
import { gpuMemory } from './gpu-oom.ts';

export const gpuOomAbort = ruleOnAborts('gpu-oom-abort', gpuMemory);
