/** The system itself, of whatever program: fork, loader, limits, errno in words. The vaguest words stand last. */
import { fileWatches, fullDisk, lockedMemory, staticTls } from '../known-words.ts';
import { mentions } from '../lines.ts';
import type { Refusal } from './refusal.ts';

/** `unshare --pid` without `--fork`: the first child is process 1 of the new namespace, and when it ends nothing can be started there. */
const leavesDeadNamespace =
  /\bunshare (?=[^\n]{0,200}?(?:--pid\b|-[a-zA-Z]{0,8}p))(?![^\n]{0,200}?(?:--fork\b|(?:^|\s)-[a-zA-Z]{0,8}f))/;

/** People name an error that they thought of, and that it was not. */
const isSupposed = (before: string, after: string): boolean =>
  /\b(?:thought|suspect(?:ed)?|assum(?:ed?|ing)|guess(?:ed)?|expect(?:ed)?|not|never|isn't|wasn't|without|kein|pas)\b[^.:;]{0,60}$/i.test(
    before,
  ) || /^[^.:;]{10,80}\b(?:but|however|yet|aber|mais)\b/i.test(after);

export const system: readonly Refusal[] = [
  {
    reporter: 'fork',
    literal: 'ork: Cannot allocate memory',
    resource: 'none',
    raises: true,
    variant: 'dead-pid-namespace',
    actualMeaning:
      'process 1 of its pid namespace had ended, so nothing can be started in it (unshare --pid needs --fork)',
    pattern: /[Ff]ork: Cannot allocate memory/,
    unless: ({ input }) => !mentions(input, leavesDeadNamespace),
  },
  {
    reporter: 'fork',
    literal: 'ork: Cannot allocate memory',
    raises: true,
    variant: 'fork',
    pattern: /(?<!in background: )[Ff]ork: Cannot allocate memory/,
  },
  {
    reporter: 'fork',
    literal: 'ork: Resource temporarily unavailable',
    resource: 'threads',
    raises: true,
    actualMeaning: 'a limit of processes was reached (ulimit -u, pids.max)',
    pattern: /[Ff]ork: (?:retry: )?Resource temporarily unavailable/,
  },
  {
    reporter: 'fork',
    literal: 'retry: Resource temporarily unavailable',
    resource: 'threads',
    raises: true,
    actualMeaning: 'a limit of processes was reached (ulimit -u, pids.max)',
    pattern: /fork: retry: Resource temporarily unavailable/,
  },
  {
    reporter: 'loader',
    literal: 'failed to map segment from shared object',
    raises: true,
    pattern:
      /error while loading shared libraries: .{1,200}: failed to map segment from shared object(?!: (?:Operation not permitted|Permission denied))/,
  },
  {
    reporter: 'loader',
    literal: 'static TLS block',
    ...staticTls,
    raises: true,
    pattern: /cannot allocate memory in static TLS block/,
  },
  // glibc's elf/dl-tls.c: malloc returned NULL for the thread's block of a library that was loaded late. It ends with status 127 and
  // no signal. Not to be taken for "in static TLS block", which is about room that was laid out at the start.
  {
    reporter: 'glibc',
    literal: 'for thread-local data',
    pattern: /cannot allocate memory for thread-local data: ABORT/,
  },
  {
    reporter: 'inotify',
    literal: 'number of file watchers reached',
    ...fileWatches,
    raises: true,
    pattern: /System limit for number of file watchers reached/,
  },
  {
    reporter: 'disk',
    literal: 'o space left on device',
    ...fullDisk,
    raises: true,
    pattern: /(?<!Errno 28\] )(?<!segment .{0,120})[Nn]o space left on device/,
    unless: ({ passage, match }) =>
      isSupposed(
        passage.slice(Math.max(0, match.index - 120), match.index),
        passage.slice(match.index, match.index + 160),
      ),
  },
  {
    reporter: 'mlock',
    literal: 'mlock',
    ...lockedMemory,
    raises: true,
    pattern: /\bmlock(?:all|2)?\b.{0,120}Cannot allocate memory/,
  },
  {
    // Plan 9: the note that ends the process
    reporter: 'Plan 9',
    literal: 'nsufficient physical memory',
    pattern: /Killed: [Ii]nsufficient physical memory/,
  },
  {
    reporter: 'Windows',
    literal: 'aging file is too small',
    raises: true,
    variant: 'windows-commit-limit',
    pattern: /(?<!Error: .{0,60})[Pp]aging file is too small for this operation to complete.{0,40}/,
  },
  {
    reporter: 'malloc',
    literal: ') returned NULL',
    raises: true,
    pattern:
      /\b(?:malloc|calloc|realloc|mmap|aligned_alloc|posix_memalign)\([^()]{0,60}\) returned NULL\b/,
  },
  {
    reporter: 'errno 12',
    literal: '[Errno 12]',
    raises: true,
    pattern:
      /(?<!(?:Error|Exception)(?::|\(['"]?) ?)\[Errno 12\] (?:Cannot allocate memory|Not enough space)/,
  },
  {
    reporter: 'errno 12',
    literal: 'annot allocate memory',
    raises: true,
    pattern:
      /(?<!\[Errno 12\] )(?<!Error: .{0,80})(?<!(?:bcm2835|\bmlock(?:all|2)?\b|lock JVM [Mm]emory).{0,120})\b[Cc]annot allocate memory(?! in static TLS)(?! for the buffer pool)(?! for thread-local data)(?:.{0,60}os error 12\))?/,
  },
  {
    reporter: 'errno 12',
    literal: 'ENOMEM',
    raises: true,
    pattern:
      /(?:spawn|Error:|errno:?|code:?|failed:?|returned|syscall)[^\n]{0,60}\bENOMEM\b.{0,60}/,
  },
];
