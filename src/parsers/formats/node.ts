/** Node and V8: the heap limit of the runtime, workers' limits, array buffers. */
import { defined } from '../../model/defined.ts';
import type { ProgramAbort } from '../../model/evidence.ts';
import { readPhrases } from '../text/lines.ts';
import type { Parser } from '../parser.ts';
import { integer } from '../text/sizes.ts';

const id = 'node';

const wordings: readonly {
  readonly literal: string;
  readonly pattern: RegExp;
  readonly resource: ProgramAbort['resource'];
}[] = [
  {
    literal: 'heap out of memory',
    resource: 'language-heap',
    pattern: /(?:FATAL ERROR: )?.{0,120}?(?:JavaScript|JS) heap out of memory/,
  },
  {
    literal: 'near heap limit',
    resource: 'language-heap',
    pattern: /Ineffective mark-compacts near heap limit.{0,60}/,
  },
  { literal: 'Reached heap limit', resource: 'language-heap', pattern: /Reached heap limit/ },
  {
    literal: 'ERR_WORKER_OUT_OF_MEMORY',
    resource: 'language-heap',
    pattern: /ERR_WORKER_OUT_OF_MEMORY|Worker terminated due to reaching memory limit/,
  },
  {
    literal: 'invalid array length Allocation failed',
    resource: 'language-heap',
    pattern: /invalid (?:array|table) (?:length|size) Allocation failed/,
  },
  {
    literal: 'Array buffer allocation failed',
    resource: 'memory',
    pattern: /RangeError: Array buffer allocation failed/,
  },
  {
    literal: 'Zone Allocation failed',
    resource: 'memory',
    pattern: /Zone Allocation failed - process out of memory/,
  },
  {
    literal: 'process out of memory',
    resource: 'memory',
    pattern: /(?:Fatal process OOM|Allocation failed - process out of memory)/,
  },
  {
    literal: 'Committing semi space failed',
    resource: 'memory',
    pattern: /Committing semi space failed\. Allocation failed.{0,60}/,
  },
  {
    literal: 'Invalid string length',
    resource: 'none',
    pattern: /RangeError: Invalid string length/,
  },
  {
    literal: 'Maximum call stack size exceeded',
    resource: 'stack',
    pattern: /RangeError: Maximum call stack size exceeded/,
  },
];

export const node: Parser = {
  id,
  title: 'Node and V8: the limit of their own heap, and memory that the system refused',
  literals: [...new Set(wordings.map(({ literal }) => literal))],
  *parse(input) {
    let heap = false;
    for (const fact of readPhrases<ProgramAbort>(
      input,
      id,
      wordings.map(({ literal, pattern, resource }) => ({
        literal,
        pattern,
        make: ({ origin, match, input: { lines }, index }) => {
          // `<--- Last few GCs --->`: `[4242:0x55…] 71385 ms: Mark-sweep 2047.6 (2049.9) -> …`
          const gc = lines
            .slice(Math.max(0, index - 12), index)
            .map(({ text }) =>
              /\[(\d{1,9}):0x[0-9a-f]{1,16}\]\s{1,8}\d{1,12} ms: /.exec(text.slice(0, 400)),
            )
            .find((found) => found !== null);
          const pid = integer(gc?.[1]);
          return {
            kind: 'program-abort',
            origin,
            reporter: 'Node',
            ...(resource === 'language-heap' ? { variant: 'v8-heap' } : {}),
            resource,
            message: match[0],
            stack: [],
            ...defined({ pid }),
            ...(resource === 'none'
              ? {
                  actualMeaning:
                    'a string may not be longer than V8 allows (512 MiB): a limit of the language, no shortage',
                }
              : {}),
          };
        },
      })),
    )) {
      if (fact.resource === 'language-heap') {
        if (heap) continue;
        heap = true;
      }
      yield fact;
    }
  },
};
