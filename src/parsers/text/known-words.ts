/**
 * What well-known words really mean, wherever they stand: as a program's last words (refusals/) or in an exception (meaning.ts).
 * Sentences have no full stop.
 */
import type { Resource } from '../../model/evidence.ts';

export interface KnownMeaning {
  readonly resource: Resource;
  readonly variant?: string;
  /** For words that lie: what they really mean. */
  readonly actualMeaning?: string;
}
export interface KnownWords {
  readonly pattern: RegExp;
  readonly means: KnownMeaning;
}

const lies = (actualMeaning: string, variant?: string): KnownMeaning => ({
  resource: 'none',
  actualMeaning,
  ...(variant === undefined ? {} : { variant }),
});

export const heapCorrupted = lies(
  'the heap was corrupted by a bug (a write past the end, or memory freed twice); no memory was short',
  'heap-corrupted',
);
export const negativeSize = lies(
  'the size is a negative number read as a huge one: a bug or a bad input, no shortage',
  'impossible-size',
);
export const impossibleSize = lies(
  'the size that was asked for is near 2^63 or 2^64 bytes, or negative: a bug in a size or a bad input, no shortage',
  'impossible-size',
);
export const serverLockTable = lies(
  'the lock table of PostgreSQL is full (max_locks_per_transaction), a table of fixed size; neither RAM nor /dev/shm ran out',
);
export const staticTls = lies(
  'the loader ran out of static thread-local storage for a library that was loaded late, which has nothing to do with RAM',
);
export const threadLimit = {
  resource: 'threads',
  actualMeaning: 'a limit of threads or processes was reached (ulimit -u, pids.max)',
} as const satisfies KnownMeaning;
export const fileWatches = {
  resource: 'descriptors',
  actualMeaning: 'the limit of file watches was reached (fs.inotify.max_user_watches)',
} as const satisfies KnownMeaning;
export const fullDisk = {
  resource: 'disk',
  actualMeaning: 'the disk (or a quota on it) was full',
} as const satisfies KnownMeaning;
export const lockedMemory = lies(
  'the limit of locked memory was reached (ulimit -l), not the memory',
);
export const duckdbLimit = {
  resource: 'language-heap',
  variant: 'duckdb-memory-limit',
} as const satisfies KnownMeaning;

export const otherPageSize: KnownWords = {
  pattern: /<jemalloc>: Unsupported system page size/,
  means: lies(
    'jemalloc was built for another page size than this kernel has (4 KiB against 16 or 64 KiB): no memory was short',
  ),
};
export const boardRegisters: KnownWords = {
  pattern: /bcm2835\w{0,20}: .{0,40}mmap failed: Cannot allocate memory/,
  means: lies(
    "the board's registers could not be mapped (a library older than the board, or no right to /dev/mem)",
  ),
};
export const sqliteOther: KnownWords = {
  pattern: /out of memory \((?:1|14|21)\)/,
  means: lies(
    'SQLite prints "out of memory" where it has no better text: the code in brackets is an SQL error or a file that cannot be opened',
  ),
};
export const mapCountCheck: KnownWords = {
  pattern: /max virtual memory areas vm\.max_map_count \[\d+\] (?:is )?(?:likely )?too low/,
  means: lies('a start-up check asks for a higher vm.max_map_count; no memory ran out'),
};
export const redisLimit: KnownWords = {
  pattern: /\bcommand not allowed when used memory/,
  means: lies("Redis reached its own 'maxmemory' setting and refuses writes"),
};
export const phpLimit: KnownWords = {
  pattern: /Allowed memory size of \d+ bytes exhausted.{0,60}/,
  means: { resource: 'language-heap', variant: 'php-memory-limit' },
};
export const goStack: KnownWords = {
  pattern: /goroutine stack exceeds \d+-byte limit/,
  means: lies('endless recursion: the stack limit of Go, not the memory'),
};
export const rustStack: KnownWords = {
  pattern: /thread '.{0,60}' (?:\(\d+\) )?has overflowed its stack/,
  means: lies('calls were nested too deeply: the stack, not the memory'),
};
