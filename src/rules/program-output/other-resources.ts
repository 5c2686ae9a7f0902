/** Words about memory that is not the host's: the GPU's, /dev/shm's, a runtime's own heap. */
import { defined } from '../../model/defined.ts';
import type { Cause } from '../../model/causes.ts';
import type { ProgramAbort, ProgramError, Resource } from '../../model/evidence.ts';
import type { Advice, Finding } from '../../model/finding.ts';
import type { LimitOwner } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { atUsersLine, groupRepeated, subjectOf } from '../shared/subjects.ts';
import { remedy } from '../shared/remedies.ts';

type Words = ProgramError | ProgramAbort;

interface Kind {
  readonly cause: Cause;
  readonly owner: LimitOwner;
  readonly headline: (size: string, place: string, words: Words) => string;
  readonly says: string;
  readonly remedies: (words: Words) => readonly Advice[];
}

const kinds: Partial<Record<Resource, Kind>> = {
  gpu: {
    cause: 'gpu-oom',
    owner: 'gpu',
    headline: (size, place) =>
      `The GPU had no ${size} left${place}: its memory ran out, not the host's`,
    says: 'The words name the memory of the GPU',
    remedies: ({ requestBytes }) => [
      remedy('smaller-batch', requestBytes),
      remedy('see-who-holds-the-gpu'),
    ],
  },
  shm: {
    cause: 'shm-exhausted',
    owner: 'shm',
    headline: (_, place) =>
      `Shared memory (/dev/shm) was full${place}: a limit of that file system, not of the memory`,
    says: 'The words name shared memory, which is a file system with a size of its own (64 MB by default in Docker)',
    remedies: () => [remedy('more-shared-memory', true), remedy('less-shared-memory')],
  },
  'language-heap': {
    cause: 'language-heap-limit',
    owner: 'runtime',
    headline: (size, place, { variant }) =>
      `${runtimeName(variant)} reached its own memory limit${size === 'memory' ? '' : ` when ${size} more were asked for`}${place}: not the limit of the machine`,
    says: 'The words name a cap that the runtime sets itself',
    remedies: ({ variant }) => [remedy('raise-runtime-cap', variant)],
  },
};

export const gpuOom = ruleFor('gpu', 'gpu-oom', "The GPU's memory ran out (E17)");
export const shmExhausted = ruleFor('shm', 'shm-exhausted', '/dev/shm was full (E9)');
export const languageHeapLimit = ruleFor(
  'language-heap',
  'language-heap-limit',
  "A runtime's own heap limit was reached (P19, E18)",
);

function ruleFor(resource: Resource, id: string, title: string) {
  const kind = kinds[resource]!;
  // Either kind of words may be there alone: two rules of one shape would say the same twice.
  return [
    defineRule({
      id,
      title,
      needs: ['program-error'],
      judge: ({ 'program-error': errors }) => judge(errors, resource, kind),
    }),
    defineRule({
      id: `${id}-abort`,
      title,
      needs: ['program-abort'],
      judge: ({ 'program-abort': aborts }) => judge(aborts, resource, kind),
    }),
  ] as const;
}

function judge(facts: readonly Words[], resource: Resource, kind: Kind): readonly Finding[] {
  return groupRepeated(facts.filter((fact) => fact.resource === resource)).map(
    ([fact, ...again]) => {
      const size = fact.requestBytes === undefined ? 'memory' : formatBytes(fact.requestBytes);
      const limitBytes = fact.kind === 'program-error' ? fact.limitBytes : undefined;
      return {
        subject: subjectOf(fact, fact),
        cause: kind.cause,
        ...defined({ variant: fact.variant }),
        confidence: 'strong',
        headline: kind.headline(size, atUsersLine(fact.stack), fact),
        because: [
          reason(fact, `${kind.says}${again.length === 0 ? '' : ` (${again.length + 1} times)`}`),
        ],
        ruledOut: [
          {
            cause: 'alloc-failure-exception',
            because: `${kind.says}; nothing says that the host was short of memory`,
          },
        ],
        request: { bytes: fact.requestBytes ?? null },
        ...(limitBytes === undefined ? {} : { limit: { owner: kind.owner, bytes: limitBytes } }),
        ...(fact.stack.length === 0 ? {} : { stack: fact.stack }),
        ...(fact.pid === undefined ? {} : { victim: { pid: fact.pid } }),
        remedies: kind.remedies(fact),
      };
    },
  );
}

function runtimeName(variant: string | undefined): string {
  switch (variant) {
    case 'v8-heap':
      return 'Node (V8)';
    case 'jvm-heap':
      return 'The JVM';
    case 'php-memory-limit':
      return 'PHP';
    case 'micropython':
      return 'MicroPython';
    case 'duckdb-memory-limit':
      return 'DuckDB';
    default:
      return 'The runtime';
  }
}
