/** C and C++: allocators, sanitizers, and the C library that found its heap broken. */
import { heapCorrupted, impossibleSize, otherPageSize } from '../known-words.ts';
import { mentions } from '../lines.ts';
import type { Refusal } from './refusal.ts';

export const allocators: readonly Refusal[] = [
  {
    reporter: 'C++',
    literal: 'bad_alloc',
    signal: 'SIGABRT',
    pattern:
      /terminate called after throwing an instance of '(?:std::|boost::.{0,80})?bad_alloc.{0,20}'(?: what\(\): {1,2}(?:std::)?bad_alloc)?/,
  },
  {
    reporter: 'C++',
    literal: 'bad_alloc',
    signal: 'SIGABRT',
    pattern:
      /(?:libc\+\+abi(?:\.dylib)?: )?terminating (?:due to|with) uncaught exception of type (?:std::|boost::.{0,80})?bad_alloc.{0,60}/,
  },
  {
    reporter: 'C++',
    literal: 'terminate called without an active exception',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning:
      'a thread was still running when its object was destroyed, or an exception was passed on where there was none: a bug, no shortage',
    pattern: /terminate called without an active exception/,
  },
  {
    reporter: 'C++',
    literal: 'bad_array_new_length',
    signal: 'SIGABRT',
    ...impossibleSize,
    actualMeaning:
      'the size of an array was negative or beyond all bounds: a bug or a bad input, no shortage',
    pattern: /std::bad_array_new_length/,
  },
  {
    reporter: 'C++',
    literal: 'bad_alloc',
    raises: true,
    pattern: /(?<![:\w]Error: )(?:\bstd::bad_alloc\b|bad_alloc exception).{0,80}/,
    unless: ({ input }) => mentions(input, /thrust::[\w:]{0,40}bad_alloc/),
  },
  {
    reporter: 'C++',
    literal: 'bad allocation',
    raises: true,
    pattern: /(?<!Error: )\bbad allocation\b/,
  },
  {
    reporter: 'jemalloc',
    literal: '<jemalloc>',
    ...otherPageSize.means,
    signal: 'SIGABRT',
    pattern: otherPageSize.pattern,
  },
  {
    reporter: 'jemalloc',
    literal: '<jemalloc>',
    signal: 'SIGABRT',
    pattern: /<jemalloc>: Error (?:in|allocating|mapping).{0,120}(?:out of memory|memory).{0,60}/i,
  },
  {
    reporter: 'tcmalloc',
    literal: 'tcmalloc',
    resource: 'none',
    actualMeaning:
      'tcmalloc notes a large allocation that it has made; it is a warning, not a failure',
    pattern: /tcmalloc: large alloc \d+ bytes == .{0,80}/,
  },
  {
    reporter: 'tcmalloc',
    literal: 'allocate',
    signal: 'SIGABRT',
    pattern:
      /(?:tcmalloc|src\/[\w/]{1,40}malloc.{0,10}\.cc).{0,120}(?:Unable to allocate|allocation failed|out of memory|CRASHED).{0,80}/i,
  },
  {
    reporter: 'mimalloc',
    literal: 'mimalloc',
    signal: 'SIGABRT',
    pattern: /mimalloc: error: .{0,120}(?:unable to allocate|out of memory).{0,80}/i,
  },
  {
    reporter: 'tcmalloc',
    literal: 'free invalid pointer',
    ...heapCorrupted,
    signal: 'SIGABRT',
    pattern: /[Aa]ttempt to free invalid pointer 0x[0-9a-f]{1,16}/,
  },
  {
    reporter: 'glibc',
    literal: 'malloc(): ',
    ...heapCorrupted,
    signal: 'SIGABRT',
    pattern:
      /malloc\(\): (?:corrupted|unaligned|invalid|mismatching|memory corruption|smallbin|unsorted|largebin).{0,60}/,
  },
  {
    reporter: 'glibc',
    literal: 'free()',
    ...heapCorrupted,
    signal: 'SIGABRT',
    pattern:
      /(?:free\(\): (?:invalid|double|corrupted|unaligned|too many).{0,60}|munmap_chunk\(\): invalid pointer|double free or corruption.{0,30})/,
  },
  {
    reporter: 'glibc',
    literal: 'munmap_chunk()',
    ...heapCorrupted,
    signal: 'SIGABRT',
    pattern: /munmap_chunk\(\): invalid pointer/,
  },
  {
    reporter: 'glibc',
    literal: 'double free or corruption',
    ...heapCorrupted,
    signal: 'SIGABRT',
    pattern: /double free or corruption.{0,30}/,
  },
  {
    reporter: 'glibc',
    literal: 'corrupted ',
    ...heapCorrupted,
    signal: 'SIGABRT',
    pattern: /corrupted (?:size vs\. prev_size|double-linked list).{0,30}/,
  },
  {
    reporter: 'glibc',
    literal: 'realloc(): ',
    ...heapCorrupted,
    signal: 'SIGABRT',
    pattern: /realloc\(\): invalid .{0,40}/,
  },
  {
    reporter: 'glibc',
    literal: 'malloc_consolidate()',
    ...heapCorrupted,
    signal: 'SIGABRT',
    pattern: /malloc_consolidate\(\): .{0,40}/,
  },
  {
    reporter: 'glibc',
    literal: 'stack smashing detected',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: 'the stack was overwritten by a bug',
    pattern: /\*{3} stack smashing detected \*{3}.{0,40}/,
  },
  {
    reporter: 'AddressSanitizer',
    literal: 'AddressSanitizer',
    resource: 'none',
    actualMeaning: 'a sanitizer stopped a memory bug (a wrong address), not a shortage',
    pattern:
      /AddressSanitizer: (?!requested allocation size|out of memory|allocator is out)[\w-]{3,40}/,
  },
  {
    reporter: 'a sanitizer',
    literal: 'Sanitizer: ',
    pattern:
      /(?:Address|HWAddress|Memory|Thread|Leak|DataFlow|UndefinedBehavior)Sanitizer: (?:out of memory|allocator is out of memory|failed to allocate).{0,120}/i,
  },
  {
    // sanitizer_common, ReportMmapFailureAndDie(); the code is an errno.
    reporter: 'a sanitizer',
    literal: 'Sanitizer failed to ',
    pattern:
      /ERROR: \w{4,20}Sanitizer failed to (?:allocate|map|reserve) 0x[0-9a-f]{1,16} \(\d{1,19}\) bytes.{0,120}\((?:errno|error code): 12\)/,
  },
  {
    reporter: 'a sanitizer',
    literal: 'ReserveShadowMemoryRange failed',
    pattern: /ReserveShadowMemoryRange failed while trying to map 0x[0-9a-f]{1,16} bytes/,
  },
  {
    reporter: 'macOS malloc',
    literal: 'mach_vm_map',
    pattern: /(?:malloc: \*{3} )?\bmach_vm_map\(size=\d+.{0,80}failed/,
  },
  {
    // Before 10.12: the call was mmap, the code an errno.
    reporter: 'macOS malloc',
    literal: ' mmap(size=',
    pattern: /malloc: \*{3} mmap\(size=\d+\) failed \(error code=\d+\)/,
  },
  {
    reporter: 'macOS malloc',
    literal: "can't allocate region",
    pattern: /\*{3} error: can't allocate region(?: securely)?/,
    unless: ({ input }) => mentions(input, /(?:mach_vm_map|mmap)\(size=/),
  },
  {
    // Foundation and libdispatch
    reporter: 'macOS malloc',
    literal: 'attempt to allocate',
    pattern: /NSMallocException.{0,80}attempt to allocate.{0,80}failed/,
  },
  {
    reporter: 'macOS malloc',
    literal: 'pointer being freed was not allocated',
    ...heapCorrupted,
    pattern: /pointer being freed was not allocated/,
  },
];
