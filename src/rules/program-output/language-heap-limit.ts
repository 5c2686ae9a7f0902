import { ruleOnErrors, type OtherMemory } from '../shared/other-memory.ts';

export const heapMemory: OtherMemory = {
  resource: 'language-heap',
  title: "A runtime's own heap limit was reached",
  cause: 'language-heap-limit',
  owner: 'runtime',
  headline: (size, place, { variant }) =>
    `${runtimeName(variant)} reached its own memory limit${size === 'memory' ? '' : ` when ${size} more were asked for`}${place}: not the limit of the machine`,
  says: 'The words name a cap that the runtime sets itself',
  remedies: ({ variant }) => [
    {
      title: 'Raise the cap, if the machine has the memory, or find what fills it',
      detail: raiseCap(variant),
      command: null,
    },
  ],
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
    default:
      return 'The runtime';
  }
}

function raiseCap(variant: string | undefined): string {
  switch (variant) {
    case 'v8-heap':
      return 'NODE_OPTIONS=--max-old-space-size=MiB; --heapsnapshot-near-heap-limit=2 writes what fills it.';
    case 'jvm-heap':
      return '-Xmx, -XX:MaxMetaspaceSize or -XX:MaxDirectMemorySize; -XX:+HeapDumpOnOutOfMemoryError writes what fills it. In Spark: spark.executor.memory, spark.driver.memory.';
    case 'php-memory-limit':
      return 'memory_limit in php.ini, or php -d memory_limit=1G.';
    case 'micropython':
      return 'The heap of the board is small and fragments: gc.collect() before large buffers, preallocate them, freeze modules into the firmware.';
    case 'duckdb-memory-limit':
      return "SET memory_limit = '…GB', SET temp_directory so that it may spill, fewer threads, preserve_insertion_order=false.";
    default:
      return 'See the documentation of the runtime for its heap setting.';
  }
}
