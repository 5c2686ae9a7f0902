/** Languages and their runtimes. */
import {
  otherPageSize,
  goStack,
  impossibleSize,
  negativeSize,
  phpLimit,
  rustStack,
  threadLimit,
} from '../known-words.ts';
import { mentions } from '../lines.ts';
import type { Refusal } from './refusal.ts';

/** Rust's sizes end at isize::MAX: what is beyond was a negative number. */
const isNegativeSize = (words: string): boolean =>
  BigInt(/\d{19,20}/.exec(words)?.[0] ?? 0) >= 2n ** 63n;

export const languages: readonly Refusal[] = [
  {
    reporter: 'Rust',
    literal: 'memory allocation of',
    ...negativeSize,
    signal: 'SIGABRT',
    pattern: /memory allocation of \d{19,20} bytes failed/,
    unless: ({ match }) => !isNegativeSize(match[0]),
  },
  {
    reporter: 'Rust',
    literal: 'memory allocation of',
    signal: 'SIGABRT',
    unless: ({ input, match }) =>
      isNegativeSize(match[0]) ||
      // What such a jemalloc refuses is the first small thing that is asked for.
      (/ \d{1,4} bytes/.test(match[0]) && mentions(input, otherPageSize.pattern)),
    // `~438KB bytes`: as people round it
    pattern: /memory allocation of ~?(?:\d{1,20}|[\d_,.]{1,25} ?[KMG]?i?B?) bytes failed/,
  },
  {
    reporter: 'Rust',
    literal: 'capacity overflow',
    ...impossibleSize,
    actualMeaning:
      'the size of a vector cannot even be expressed: a bug or a bad input, no shortage',
    pattern: /panicked at .{0,120}capacity overflow/,
  },
  {
    reporter: 'Go',
    literal: 'len out of range',
    ...impossibleSize,
    pattern: /(?:makeslice|makechan|growslice|makemap): (?:len|size|cap) out of range/,
  },
  {
    reporter: 'Go',
    literal: 'cap out of range',
    ...impossibleSize,
    pattern: /makeslice: cap out of range/,
  },
  {
    reporter: 'C++',
    literal: 'std::length_error',
    signal: 'SIGABRT',
    ...impossibleSize,
    pattern:
      /terminate called after throwing an instance of 'std::length_error'(?: what\(\): .{0,120})?/,
  },
  {
    reporter: '.NET',
    literal: 'Array dimensions exceeded supported range',
    ...impossibleSize,
    raises: true,
    pattern: /Array dimensions exceeded supported range/,
  },
  {
    reporter: 'Rust',
    literal: 'has overflowed its stack',
    ...rustStack.means,
    pattern: rustStack.pattern,
  },
  {
    reporter: 'Go',
    literal: 'out of memory',
    pattern:
      /(?:fatal error: )?runtime: (?:out of memory|cannot allocate memory|cannot map pages).{0,100}|fatal error: (?:runtime: )?(?:out of memory|cannot allocate (?:memory|heap metadata)).{0,80}/,
  },
  {
    reporter: 'Go',
    literal: 'VirtualAlloc of',
    variant: 'windows-commit-limit',
    // ERROR_COMMITMENT_LIMIT and ERROR_NOT_ENOUGH_MEMORY
    pattern: /runtime: VirtualAlloc of \d{1,19} bytes failed with errno=(?:1455|8)\b/,
  },
  {
    reporter: 'Go',
    literal: 'cannot map pages',
    // Why (the errno) stands on the line before: alone it is no certainty.
    unless: ({ input }) => mentions(input, /VirtualAlloc of \d{1,19} bytes failed/),
    pattern: /fatal error: runtime: cannot map pages.{0,60}/,
  },
  {
    reporter: 'Go',
    literal: 'cannot allocate memory',
    pattern:
      /(?:fatal error: |panic: |runtime: ).{0,80}cannot allocate (?:memory|heap metadata).{0,60}/,
  },
  {
    reporter: 'Go',
    literal: 'goroutine stack exceeds',
    ...goStack.means,
    pattern: goStack.pattern,
  },
  {
    reporter: 'PHP',
    literal: 'Allowed memory size',
    ...phpLimit.means,
    pattern: phpLimit.pattern,
  },
  {
    reporter: 'PHP',
    literal: 'tried to allocate',
    pattern:
      /Out of memory \(allocated \d+(?: bytes)?\) (?:\(|at .{0,80})?\(?tried to allocate \d+ bytes\)?/,
  },
  {
    reporter: 'PHP',
    literal: 'mmap() failed',
    pattern: /mmap\(\) failed: \[12\] Cannot allocate memory/,
  },
  {
    reporter: 'Ruby',
    literal: 'NoMemoryError',
    raises: true,
    pattern:
      /(?:failed to allocate memory )?\(?NoMemoryError\)?|\[FATAL\] failed to allocate memory/,
  },
  {
    reporter: 'Ruby',
    literal: '[FATAL] failed to allocate memory',
    pattern: /\[FATAL\] failed to allocate memory/,
  },
  {
    reporter: 'Perl',
    literal: 'Out of memory!',
    pattern: /^(?:perl: )?Out of memory!$|Out of memory(?: in perl:|! ?\(malloc).{0,80}/,
  },
  {
    reporter: 'R',
    literal: 'cannot allocate',
    raises: true,
    pattern:
      /cannot allocate (?:vector|memory block) of (?:size|length) [\d.]{1,20}(?: ?[KMGTkmgt]?b)?/i,
  },
  {
    reporter: 'R',
    literal: 'memory exhausted',
    resource: 'language-heap',
    variant: 'r-vector-limit',
    raises: true,
    pattern: /vector memory (?:limit of .{1,20} reached|exhausted \(limit reached\?\)).{0,60}/,
  },
  {
    reporter: 'R',
    literal: 'vector memory limit',
    resource: 'language-heap',
    variant: 'r-vector-limit',
    raises: true,
    pattern: /vector memory limit of .{1,20} reached.{0,60}/,
  },
  {
    reporter: 'Julia',
    literal: 'OutOfMemoryError()',
    raises: true,
    pattern: /(?:ERROR: |LoadError: |nested task error: )?OutOfMemoryError\(\)/,
  },
  {
    // erts/emulator/beam/erl_alloc.c: eheap_alloc, binary_alloc, temp_alloc, …; the slogan of a crash dump, or cut out of a console.
    reporter: 'Erlang',
    literal: 'bytes of memory (of type',
    pattern:
      /(?:\w{2,20}_alloc: )?Cannot (?:re)?allocate \d{1,20} bytes of memory \(of type "\w{1,40}".{0,30}/,
  },
  {
    reporter: 'Erlang',
    literal: '_alloc: Cannot ',
    pattern: /\w{2,20}_alloc: Cannot (?:re)?allocate \d{1,20} bytes of memory.{0,60}/,
  },
  {
    reporter: 'Haskell',
    literal: 'eap exhausted',
    resource: 'language-heap',
    variant: 'ghc-heap',
    pattern: /[Hh]eap exhausted[;:]? .{0,100}/,
  },
  {
    reporter: '.NET',
    literal: 'OutOfMemoryException',
    raises: true,
    pattern: /System\.OutOfMemoryException(?!: Array dimensions exceeded)(?:: .{0,160})?/,
  },
  {
    reporter: '.NET',
    literal: 'Out of memory.',
    pattern: /^Out of memory\.$|Process terminated\. Out of memory\./,
  },
  {
    reporter: 'MATLAB',
    literal: 'Out of memory. ',
    raises: true,
    pattern: /Out of memory\. (?:Type (?:"?help memory"?|HELP MEMORY)|The likely cause).{0,120}/i,
  },
  {
    reporter: 'PyPy',
    literal: "out of memory: couldn't allocate ",
    pattern: /out of memory: couldn't allocate (?:a few KB more|the next arena)/,
  },
  {
    reporter: 'Dart',
    literal: 'Out of Memory',
    pattern:
      /Unhandled exception: Out of Memory|Exhausted heap space, trying to allocate \d+ bytes/,
  },
  {
    reporter: 'jvm',
    literal: 'pthread_create failed (EAGAIN)',
    ...threadLimit,
    raises: true,
    pattern: /Failed to start thread "[^"]{1,80}" - pthread_create failed \(EAGAIN\)/,
  },
  {
    reporter: 'MATLAB',
    literal: 'array exceeds maximum array size preference',
    raises: true,
    pattern:
      /Requested [\dx]{1,60} \([\d.]{1,12}[KMGT]B\) array exceeds maximum array size preference.{0,40}/,
  },
  {
    reporter: 'Emscripten',
    literal: 'Cannot enlarge memory arrays',
    resource: 'language-heap',
    variant: 'wasm-memory',
    raises: true,
    pattern: /Cannot enlarge memory arrays.{0,80}/,
  },
];
