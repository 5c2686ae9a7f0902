/** Compilers and tools. */
import { threadLimit } from '../known-words.ts';
import type { Refusal } from './refusal.ts';

export const tools: readonly Refusal[] = [
  {
    reporter: 'GCC',
    literal: 'out of memory allocating',
    raises: true,
    pattern:
      /(?:cc1(?:plus|obj)?|g\+\+|gcc|f951|lto1|as|ld|collect2|[\w./-]{1,60}): out of memory allocating \d+ bytes.{0,60}/,
  },
  {
    reporter: 'GCC',
    literal: 'irtual memory exhausted',
    raises: true,
    pattern: /[Vv]irtual memory exhausted(?:: Cannot allocate memory)?/,
  },
  {
    reporter: 'linker',
    literal: 'final link failed',
    raises: true,
    pattern:
      /(?:final link failed|failed to set dynamic section sizes|could not read symbols): (?:[Mm]emory exhausted|Cannot allocate memory)/,
  },
  {
    reporter: 'LLVM',
    literal: 'LLVM ERROR: out of memory',
    signal: 'SIGABRT',
    pattern: /LLVM ERROR: out of memory(?: .{0,40})?/,
  },
  {
    reporter: 'git',
    literal: 'malloc failed',
    raises: true,
    pattern:
      /fatal: Out of memory, (?:malloc|realloc|calloc) failed(?: \(tried to allocate \d+ bytes\))?/,
  },
  {
    reporter: 'git',
    literal: 'unable to create thread',
    ...threadLimit,
    raises: true,
    pattern:
      /(?:fatal|error): unable to create (?:load_index_extensions )?thread: Resource temporarily unavailable/,
  },
  {
    reporter: 'gnulib',
    literal: 'memory exhausted',
    raises: true,
    pattern: /(?:^|\s)[\w./-]{1,60}: memory exhausted$/,
  },
  {
    reporter: 'shell',
    literal: 'xrealloc',
    pattern: /(?:xmalloc|xrealloc|subst\.c:\d+).{0,60}cannot (?:re)?allocate \d+ bytes.{0,40}/,
  },
  {
    reporter: 'shell',
    literal: 'xmalloc',
    pattern: /(?:xmalloc|xrealloc).{0,60}cannot (?:re)?allocate \d+ bytes.{0,40}/,
  },
  {
    reporter: 'QEMU',
    literal: 'cannot set up guest memory',
    raises: true,
    pattern: /cannot set up guest memory '.{1,60}': Cannot allocate memory/,
  },
];
