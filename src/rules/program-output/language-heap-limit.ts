import { ruleOnErrors, type OtherMemory } from '../shared/other-memory.ts';
import { remedy } from '../shared/remedies.ts';

export const heapMemory: OtherMemory = {
  resource: 'language-heap',
  title: "A runtime's own heap limit was reached",
  cause: 'language-heap-limit',
  owner: 'runtime',
  headline: (size, place, { variant }) =>
    `${runtimeName(variant)} reached its own memory limit${size === 'memory' ? '' : ` when ${size} more were asked for`}${place}: not the limit of the machine`,
  says: 'The words name a cap that the runtime sets itself',
  remedies: ({ variant }) => [remedy('raise-runtime-cap', variant)],
};

export const languageHeapLimit = ruleOnErrors('language-heap-limit', heapMemory);

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
    case 'server-memory-limit':
    case 'circuit-breaker':
      return 'The server';
    default:
      return 'The runtime';
  }
}
