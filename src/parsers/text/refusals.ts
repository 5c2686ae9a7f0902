/** How programs say that an allocation was refused, and what only sounds so: one row a wording. */
import type { ProgramAbort } from '../../model/evidence.ts';
import { mentions, type Found } from './lines.ts';

export interface Refusal {
  readonly reporter: string;
  /** The rarest literal of `pattern`: where it does not stand, nothing else is tried. */
  readonly literal: string;
  readonly pattern: RegExp;
  readonly signal?: string;
  readonly variant?: string;
  readonly resource?: ProgramAbort['resource'];
  /** Reported and handled: no abort. */
  readonly raises?: boolean;
  readonly actualMeaning?: string;
  /** Nothing where a closer look says that it is not what it seemed. */
  readonly unless?: (found: Found) => boolean;
}

/** Rust's sizes end at isize::MAX: what is beyond was a negative number. */
const isNegativeSize = (words: string): boolean =>
  BigInt(/\d{19,20}/.exec(words)?.[0] ?? 0) >= 2n ** 63n;

const corrupted =
  'the heap was corrupted by a bug (a write past the end, or memory freed twice); no memory was short';

export const refusals: readonly Refusal[] = [
  // C and C++
  {
    reporter: 'Thrust',
    literal: 'bad_alloc',
    resource: 'gpu',
    raises: true,
    pattern: /thrust::[\w:]{0,40}bad_alloc/,
  },
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
    literal: 'bad_array_new_length',
    signal: 'SIGABRT',
    resource: 'none',
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
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning:
      'jemalloc was built for another page size than this kernel has (4 KiB against 16 or 64 KiB): no memory was short',
    pattern: /<jemalloc>: Unsupported system page size/,
  },
  {
    reporter: 'PyTorch',
    literal: 'posix_memalign(&data',
    raises: true,
    // 1.0 to 1.3: no size and no words, only errno 12 beside the 0 it should have been
    pattern: /posix_memalign\(&data, gAlignment, nbytes\) == 0\. 12 vs 0/,
  },
  {
    reporter: 'DuckDB',
    literal: ' used)',
    resource: 'language-heap',
    variant: 'duckdb-memory-limit',
    raises: true,
    pattern:
      /(?:failed to (?:allocate data|pin block)|could not allocate block) of size \d[\d.]{0,10} ?\w{1,5} \(\d[\d.]{0,10} ?\w{1,5}\/\d[\d.]{0,10} ?\w{1,5} used\)/,
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
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: corrupted,
    pattern: /[Aa]ttempt to free invalid pointer 0x[0-9a-f]{1,16}/,
  },
  {
    reporter: 'glibc',
    literal: 'malloc(): ',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: corrupted,
    pattern:
      /malloc\(\): (?:corrupted|unaligned|invalid|mismatching|memory corruption|smallbin|unsorted|largebin).{0,60}/,
  },
  {
    reporter: 'glibc',
    literal: 'free()',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: corrupted,
    pattern:
      /(?:free\(\): (?:invalid|double|corrupted|unaligned|too many).{0,60}|munmap_chunk\(\): invalid pointer|double free or corruption.{0,30})/,
  },
  {
    reporter: 'glibc',
    literal: 'munmap_chunk()',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: corrupted,
    pattern: /munmap_chunk\(\): invalid pointer/,
  },
  {
    reporter: 'glibc',
    literal: 'double free or corruption',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: corrupted,
    pattern: /double free or corruption.{0,30}/,
  },
  {
    reporter: 'glibc',
    literal: 'corrupted ',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: corrupted,
    pattern: /corrupted (?:size vs\. prev_size|double-linked list).{0,30}/,
  },
  {
    reporter: 'glibc',
    literal: 'realloc(): ',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: corrupted,
    pattern: /realloc\(\): invalid .{0,40}/,
  },
  {
    reporter: 'glibc',
    literal: 'malloc_consolidate()',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning: corrupted,
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
    reporter: 'AddressSanitizer',
    literal: 'AddressSanitizer',
    pattern:
      /AddressSanitizer: (?:out of memory|allocator is out of memory|failed to allocate).{0,120}/i,
  },
  {
    reporter: 'macOS malloc',
    literal: 'mach_vm_map',
    pattern: /malloc: \*{3} mach_vm_map\(size=\d+.{0,80}failed/,
  },
  {
    reporter: 'macOS malloc',
    literal: 'pointer being freed was not allocated',
    resource: 'none',
    actualMeaning: corrupted,
    pattern: /pointer being freed was not allocated/,
  },
  // Rust, Go, Swift, Zig
  {
    reporter: 'Rust',
    literal: 'memory allocation of',
    signal: 'SIGABRT',
    resource: 'none',
    actualMeaning:
      'the size is a negative number read as a huge one: a bug or a bad input, no shortage',
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
      (/ \d{1,4} bytes/.test(match[0]) &&
        mentions(input, /<jemalloc>: Unsupported system page size/)),
    pattern: /memory allocation of (?:\d{1,20}|[\d_,]{1,25}) bytes failed/,
  },
  {
    reporter: 'Rust',
    literal: 'capacity overflow',
    resource: 'none',
    actualMeaning:
      'the size of a vector cannot even be expressed: a bug or a bad input, no shortage',
    pattern: /panicked at .{0,100}capacity overflow/,
  },
  {
    reporter: 'Rust',
    literal: 'has overflowed its stack',
    resource: 'none',
    actualMeaning: 'calls were nested too deeply: the stack, not the memory',
    pattern: /thread '.{0,60}' (?:\(\d+\) )?has overflowed its stack/,
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
    resource: 'none',
    actualMeaning: 'endless recursion: the stack limit of Go, not the memory',
    pattern: /goroutine stack exceeds \d+-byte limit/,
  },
  // Runtimes
  {
    reporter: 'PHP',
    literal: 'Allowed memory size',
    resource: 'language-heap',
    variant: 'php-memory-limit',
    pattern: /Allowed memory size of \d+ bytes exhausted.{0,60}/,
  },
  {
    reporter: 'PHP',
    literal: 'tried to allocate',
    pattern: /Out of memory \(allocated \d+\) (?:\(|at .{0,80})?\(?tried to allocate \d+ bytes\)?/,
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
    reporter: 'Erlang',
    literal: 'eheap_alloc',
    pattern: /eheap_alloc: Cannot (?:re)?allocate \d+ bytes of memory.{0,60}/,
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
    pattern: /System\.OutOfMemoryException(?:: .{0,160})?/,
  },
  {
    reporter: '.NET',
    literal: 'Out of memory.',
    pattern: /^Out of memory\.$|Process terminated\. Out of memory\./,
  },
  {
    // Where no Python is in between (C++, Android): an error that the caller may survive.
    reporter: 'OpenCV',
    literal: 'nsufficient memory (Failed to allocate',
    raises: true,
    pattern: /OpenCV Error: Insufficient memory \(Failed to allocate \d{1,19} bytes\)/,
  },
  {
    reporter: 'MATLAB',
    literal: 'Out of memory. ',
    raises: true,
    pattern: /Out of memory\. (?:Type (?:"?help memory"?|HELP MEMORY)|The likely cause).{0,120}/i,
  },
  {
    reporter: 'PyPy',
    literal: "couldn't allocate a few KB more",
    pattern: /out of memory: couldn't allocate a few KB more/,
  },
  {
    reporter: 'Dart',
    literal: 'Out of Memory',
    pattern:
      /Unhandled exception: Out of Memory|Exhausted heap space, trying to allocate \d+ bytes/,
  },
  // Numerical libraries
  {
    reporter: 'OpenBLAS',
    literal: 'too many memory regions',
    resource: 'none',
    actualMeaning:
      'OpenBLAS has a table for as many threads as it was built for, and it was full: fewer threads (OPENBLAS_NUM_THREADS), not more memory',
    pattern: /Program is Terminated\. Because you tried to allocate too many memory regions/,
  },
  {
    reporter: 'OpenBLAS',
    literal: 'Memory allocation still failed',
    pattern: /OpenBLAS error: Memory allocation still failed after \d+ retries, giving up/,
  },
  {
    reporter: 'OpenBLAS',
    literal: 'pthread_create failed',
    resource: 'threads',
    actualMeaning:
      'a limit of threads or processes was reached (ulimit -u, pids.max); fewer BLAS threads (OPENBLAS_NUM_THREADS) help, more memory does not',
    pattern: /OpenBLAS blas_thread_init: pthread_create failed for thread \d+ of \d+: .{0,60}/,
  },
  {
    reporter: 'jvm',
    literal: 'pthread_create failed (EAGAIN)',
    resource: 'threads',
    raises: true,
    actualMeaning: 'a limit of threads or processes was reached (ulimit -u, pids.max)',
    pattern: /Failed to start thread "[^"]{1,80}" - pthread_create failed \(EAGAIN\)/,
  },
  {
    reporter: 'bcm2835',
    literal: 'mmap failed: Cannot allocate memory',
    resource: 'none',
    raises: true,
    actualMeaning:
      "the board's registers could not be mapped (a library older than the board, or no right to /dev/mem)",
    pattern: /bcm2835\w{0,20}: .{0,40}mmap failed: Cannot allocate memory/,
  },
  {
    reporter: 'libgomp',
    literal: 'Thread creation failed',
    resource: 'threads',
    actualMeaning: 'a limit of threads or processes was reached (ulimit -u, pids.max)',
    pattern: /libgomp: Thread creation failed: .{0,60}/,
  },
  {
    reporter: 'libgomp',
    literal: 'libgomp: Out of memory',
    pattern: /libgomp: Out of memory allocating \d+ bytes/,
  },
  {
    reporter: 'oneDNN',
    literal: 'could not create a primitive',
    resource: 'none',
    actualMeaning: 'oneDNN could not build its code for this operation; the words do not say why',
    pattern: /could not create a primitive(?! descriptor iterator)/,
  },
  // Compilers and tools
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
    resource: 'threads',
    raises: true,
    actualMeaning: 'a limit of threads or processes was reached (ulimit -u, pids.max)',
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
    reporter: 'fork',
    literal: 'ork: Cannot allocate memory',
    raises: true,
    variant: 'fork',
    pattern: /(?:[Cc]an't save in background: )?[Ff]ork: Cannot allocate memory/,
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
    resource: 'none',
    raises: true,
    actualMeaning:
      'the loader ran out of static thread-local storage for a library that was loaded late, which has nothing to do with RAM',
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
    reporter: 'QEMU',
    literal: 'cannot set up guest memory',
    raises: true,
    pattern: /cannot set up guest memory '.{1,60}': Cannot allocate memory/,
  },
  // Servers
  {
    reporter: 'PostgreSQL',
    literal: 'Failed on request of size',
    raises: true,
    pattern:
      /(?:ERROR|FATAL): {1,2}out of memory.{0,80}?(?:DETAIL|[Dd]etail): {1,2}Failed on request of size \d+.{0,80}/,
  },
  {
    reporter: 'PostgreSQL',
    literal: 'could not fork new process',
    raises: true,
    variant: 'fork',
    pattern: /could not fork new process for connection: Cannot allocate memory/,
  },
  {
    reporter: 'PostgreSQL',
    literal: 'could not map anonymous shared memory',
    raises: true,
    pattern: /could not map anonymous shared memory: Cannot allocate memory/,
  },
  {
    reporter: 'PostgreSQL',
    literal: 'could not resize shared memory segment',
    resource: 'shm',
    raises: true,
    pattern:
      /could not resize shared memory segment ".{1,80}" to \d+ bytes: No space left on device/,
  },
  {
    reporter: 'MySQL',
    literal: 'Cannot allocate memory for the buffer pool',
    raises: true,
    pattern: /InnoDB: Cannot allocate memory for the buffer pool/,
  },
  {
    reporter: 'MySQL',
    literal: 'errno 12',
    raises: true,
    pattern: /(?:InnoDB: )?mmap\(\d+ bytes\) failed; errno 12/,
  },
  {
    reporter: 'Redis',
    literal: 'OOM command not allowed',
    resource: 'none',
    raises: true,
    actualMeaning:
      "Redis reached its own 'maxmemory' setting and refuses writes; the machine may have memory left",
    pattern: /OOM command not allowed when used memory > 'maxmemory'/,
  },
  {
    reporter: 'SQLite',
    literal: 'out of memory (',
    resource: 'none',
    raises: true,
    actualMeaning:
      'SQLite prints "out of memory" where it has no better text: the code in brackets is an SQL error or a file that cannot be opened',
    pattern: /out of memory \((?:1|14|21)\)/,
  },
  {
    reporter: 'Elasticsearch',
    literal: 'vm.max_map_count',
    resource: 'none',
    raises: true,
    actualMeaning: 'a start-up check asks for a higher vm.max_map_count; no memory ran out',
    pattern: /max virtual memory areas vm\.max_map_count \[\d+\] (?:is|likely) too low/,
  },
  {
    reporter: 'inotify',
    literal: 'number of file watchers reached',
    resource: 'descriptors',
    raises: true,
    actualMeaning: 'the limit of file watches was reached (fs.inotify.max_user_watches)',
    pattern: /System limit for number of file watchers reached/,
  },
  {
    reporter: 'disk',
    literal: 'o space left on device',
    resource: 'disk',
    raises: true,
    actualMeaning: 'the disk (or a quota on it) was full',
    pattern: /(?<!Errno 28\] )(?<!segment .{0,120})[Nn]o space left on device/,
  },
  {
    reporter: 'Oracle',
    literal: 'ORA-04031',
    resource: 'language-heap',
    variant: 'server-memory-limit',
    raises: true,
    pattern: /ORA-04031: unable to allocate \d{1,15} bytes of shared memory.{0,120}/,
  },
  {
    reporter: 'Oracle',
    literal: 'ORA-04030',
    raises: true,
    pattern: /ORA-04030: out of process memory when trying to allocate \d{1,15} bytes/,
  },
  {
    reporter: 'ollama',
    literal: 'requires more system memory',
    raises: true,
    pattern:
      /model requires more system memory \([\d.]{1,8} [KMGT]i?B\) than is available \([\d.]{1,8} [KMGT]i?B\)/,
  },
  {
    reporter: 'ggml',
    literal: 'nsufficient memory (attempted to allocate',
    raises: true,
    pattern: /[Ii]nsufficient memory \(attempted to allocate {1,6}[\d.]{1,12} MB\)/,
  },
  {
    reporter: 'ggml',
    literal: ' buffer of size ',
    resource: 'gpu',
    raises: true,
    pattern:
      /failed to allocate (?:Metal|CUDA|ROCm|Vulkan|SYCL|OpenCL)\d{0,3} buffer of size \d{1,19}/,
  },
  {
    reporter: 'ggml',
    literal: 'failed to allocate CPU buffer',
    raises: true,
    pattern: /failed to allocate CPU buffer of size \d{1,19}/,
  },
  {
    reporter: 'mlock',
    literal: 'mlock',
    resource: 'none',
    raises: true,
    actualMeaning: 'the limit of locked memory was reached (ulimit -l), not the memory',
    pattern: /\bmlock(?:all|2)?\b.{0,120}Cannot allocate memory/,
  },
  {
    reporter: 'Elasticsearch',
    literal: 'nable to lock JVM ',
    resource: 'none',
    raises: true,
    actualMeaning: 'the limit of locked memory was reached (ulimit -l), not the memory',
    pattern: /[Uu]nable to lock JVM [Mm]emory: error=12/,
  },
  {
    reporter: 'ggml',
    literal: 'failed to allocate buffer of size',
    raises: true,
    pattern:
      /ggml_(?:backend_cpu\w{0,60}|aligned_malloc|tallocr?\w{0,40}): failed to allocate buffer of size \d{1,19}/,
  },
  {
    reporter: 'MATLAB',
    literal: 'array exceeds maximum array size preference',
    raises: true,
    pattern:
      /Requested [\dx]{1,60} \([\d.]{1,12}[KMGT]B\) array exceeds maximum array size preference.{0,40}/,
  },
  {
    reporter: 'Elasticsearch',
    literal: 'Data too large',
    resource: 'language-heap',
    variant: 'circuit-breaker',
    raises: true,
    pattern:
      /(?<!Exception.{0,20})\[(?:parent|request|fielddata|in_flight_requests|accounting)\] Data too large.{0,200}/,
  },
  {
    reporter: 'PostgreSQL',
    literal: 'out of shared memory',
    resource: 'none',
    raises: true,
    actualMeaning:
      'the lock table of PostgreSQL is full (max_locks_per_transaction), a table of fixed size; neither RAM nor /dev/shm ran out',
    pattern: /out of shared memory.{0,200}max_(?:locks|pred_locks)_per_transaction/,
  },
  {
    reporter: 'ClickHouse',
    literal: 'emory limit ',
    resource: 'language-heap',
    variant: 'server-memory-limit',
    raises: true,
    pattern: /Memory limit \(.{1,40}\) exceeded: would use .{1,120}maximum: [\d.]{1,12} \w{1,4}/,
  },
  {
    reporter: 'Trino',
    literal: 'memory limit of',
    resource: 'language-heap',
    variant: 'server-memory-limit',
    raises: true,
    pattern:
      /Query exceeded (?:per-node|distributed)(?: user| total)? memory limit of [\d.]{1,12}\w{1,4}/,
  },
  // Shared memory
  {
    reporter: 'PyTorch',
    literal: 'insufficient shared memory',
    resource: 'shm',
    raises: true,
    pattern:
      /Unexpected bus error encountered in worker\. This might be caused by insufficient shared memory \(shm\)/,
  },
  {
    reporter: 'Spark',
    literal: 'spark.driver.maxResultSize',
    resource: 'language-heap',
    variant: 'spark-result-size',
    raises: true,
    pattern: /Total size of serialized results.{0,120}is bigger than spark\.driver\.maxResultSize/,
  },
  {
    reporter: 'Emscripten',
    literal: 'Cannot enlarge memory arrays',
    resource: 'language-heap',
    variant: 'wasm-memory',
    raises: true,
    pattern: /Cannot enlarge memory arrays.{0,80}/,
  },
  {
    reporter: 'NCCL',
    literal: 'shared memory segment',
    resource: 'shm',
    raises: true,
    pattern: /Error while (?:creating|attaching to) shared memory segment .{0,80}/,
  },
  {
    reporter: 'Chrome',
    literal: 'disable-dev-shm-usage',
    resource: 'shm',
    raises: true,
    pattern:
      /(?:\/dev\/shm.{0,120}--disable-dev-shm-usage|--disable-dev-shm-usage.{0,80}\/dev\/shm).{0,40}(?:full|space|small|crash)/,
  },
  {
    reporter: 'df',
    literal: '/dev/shm',
    resource: 'shm',
    raises: true,
    pattern:
      /(?:shm|tmpfs|none) {1,12}\S{1,16} {1,12}\S{1,16} {1,12}\S{1,16} {1,12}(?:9[89]|100)% {1,12}\/dev\/shm/,
  },
  {
    reporter: 'PyTorch',
    literal: 'would exceed allowed memory',
    resource: 'gpu',
    raises: true,
    pattern: /Allocation on device \d{1,3} would exceed allowed memory.{0,30}/,
  },
  {
    reporter: 'CUDA',
    literal: 'Cuda failure',
    resource: 'gpu',
    raises: true,
    pattern: /Cuda failure (?:\d{1,3} )?'out of memory'/i,
  },
  {
    reporter: 'numpy',
    literal: 'nable to allocate ',
    raises: true,
    pattern:
      /[Uu]nable to allocate (?:(?:\d[\d.]{0,10} ?\w{1,5} for an )?array with shape ?\([\d, ]{1,200}\) and data type \S{1,40}|\d[\d.]{0,10} ?[KMGTP]iB for an array\b)/,
  },
  // GPU outside of Python exceptions
  {
    reporter: 'CUDA',
    literal: 'CUDA_ERROR_OUT_OF_MEMORY',
    resource: 'gpu',
    raises: true,
    pattern: /(?<!Error: .{0,200})CUDA_ERROR_OUT_OF_MEMORY.{0,60}/,
  },
  {
    reporter: 'CUDA',
    literal: 'cudaMalloc failed',
    resource: 'gpu',
    raises: true,
    pattern: /cudaMalloc failed: out of memory/,
  },
  {
    reporter: 'CUDA',
    literal: 'CUDA error: out of memory',
    resource: 'gpu',
    raises: true,
    pattern: /(?<!Error: )CUDA error: out of memory/,
  },
  {
    reporter: 'CUDA',
    literal: 'CUDA out of memory',
    resource: 'gpu',
    raises: true,
    pattern: /(?<!Error: )CUDA out of memory(?:\. Tried to allocate [\d.]{1,10} \w+)?.{0,100}/,
  },
  {
    reporter: 'NCCL',
    literal: '/dev/shm/nccl-',
    resource: 'shm',
    raises: true,
    pattern:
      /(?:failed to extend|Error: failed to|posix_fallocate failed).{0,60}\/dev\/shm\/nccl-.{0,80}/,
  },
  {
    reporter: 'CUDA',
    literal: 'CUDA Error: out of memory',
    resource: 'gpu',
    raises: true,
    pattern: /CUDA Error: out of memory/,
  },
  {
    reporter: 'CUDA',
    literal: 'ut of memory in CUDA queue',
    resource: 'gpu',
    raises: true,
    pattern: /[Oo]ut of memory in (?:CUDA|HIP|OptiX|Metal) queue/,
  },
  {
    reporter: 'CUDA',
    literal: '(out of memory)',
    resource: 'gpu',
    raises: true,
    pattern: /cudaError ?2 \(out of memory\)|GPU ?#?\d{1,3}.{0,80}\(out of memory\)/,
  },
  {
    reporter: 'CUDA',
    literal: 'CUDA failure 2',
    resource: 'gpu',
    raises: true,
    pattern: /CUDA failure 2: out of memory/,
  },
  {
    reporter: 'CUDA',
    literal: 'cudaErrorMemoryAllocation',
    resource: 'gpu',
    raises: true,
    pattern: /cudaErrorMemoryAllocation.{0,60}/,
  },
  {
    reporter: 'NVENC',
    literal: 'OpenEncodeSessionEx failed',
    resource: 'gpu',
    raises: true,
    pattern: /OpenEncodeSessionEx failed: out of memory/,
  },
  {
    reporter: 'OpenCL',
    literal: 'CL_MEM_OBJECT_ALLOCATION_FAILURE',
    resource: 'gpu',
    raises: true,
    pattern: /CL_MEM_OBJECT_ALLOCATION_FAILURE/,
  },
  {
    reporter: 'XLA',
    literal: 'RESOURCE_EXHAUSTED: ',
    resource: 'gpu',
    raises: true,
    pattern:
      /RESOURCE_EXHAUSTED: (?:Attempting to (?:reserve|allocate)|Out of memory (?:while trying to allocate|allocating)|Failed to allocate request for).{0,160}/,
  },
  {
    reporter: 'HIP',
    literal: 'hipErrorOutOfMemory',
    resource: 'gpu',
    raises: true,
    pattern: /hipErrorOutOfMemory.{0,60}/,
  },
  {
    reporter: 'Vulkan',
    literal: 'OUT_OF_DEVICE_MEMORY',
    resource: 'gpu',
    raises: true,
    pattern: /(?:VK_ERROR|UR_RESULT_ERROR)_OUT_OF_DEVICE_MEMORY|ErrorOutOfDeviceMemory/,
  },
  {
    reporter: 'Vulkan',
    literal: 'ErrorOutOfDeviceMemory',
    resource: 'gpu',
    raises: true,
    pattern: /ErrorOutOfDeviceMemory/,
  },
  {
    reporter: 'Metal',
    literal: 'kIOGPUCommandBufferCallbackErrorOutOfMemory',
    resource: 'gpu',
    raises: true,
    pattern: /kIOGPUCommandBufferCallbackErrorOutOfMemory/,
  },
  {
    reporter: 'TensorFlow',
    literal: 'OOM when allocating tensor',
    resource: 'gpu',
    raises: true,
    pattern: /(?<!Error: )OOM when allocating tensor with shape(?!.{0,200}device:CPU).{0,200}/,
  },
  {
    reporter: 'TensorFlow',
    literal: 'OOM when allocating tensor',
    raises: true,
    variant: 'tensorflow-cpu',
    pattern: /(?<!Error: )OOM when allocating tensor with shape.{0,160}device:CPU:\d.{0,40}/,
  },
  {
    reporter: 'TensorFlow',
    literal: 'ran out of memory trying to allocate',
    resource: 'gpu',
    raises: true,
    pattern: /Allocator \(GPU_\d+_bfc\) ran out of memory trying to allocate [\d.]{1,10}\w*/,
  },
  // Windows
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
  // errno in words, of whatever program
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
