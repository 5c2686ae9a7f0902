import { ruleOnAborts } from '../shared/other-memory.ts';
import { heapMemory } from './language-heap-limit.ts';

export const languageHeapLimitAbort = ruleOnAborts('language-heap-limit-abort', heapMemory);
