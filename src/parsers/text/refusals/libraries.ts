/** Numerical and other libraries. */
import { boardRegisters, duckdbLimit, threadLimit } from '../known-words.ts';
import type { Refusal } from './refusal.ts';

export const libraries: readonly Refusal[] = [
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
    ...duckdbLimit,
    raises: true,
    pattern:
      /(?:failed to (?:allocate data|pin block)|could not allocate block) of size \d[\d.]{0,10} ?\w{1,5} \(\d[\d.]{0,10} ?\w{1,5}\/\d[\d.]{0,10} ?\w{1,5} used\)/,
  },
  {
    // Where no Python is in between (C++, Android): an error that the caller may survive.
    reporter: 'OpenCV',
    literal: 'nsufficient memory (Failed to allocate',
    raises: true,
    pattern: /OpenCV Error: Insufficient memory \(Failed to allocate \d{1,19} bytes\)/,
  },
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
    reporter: 'bcm2835',
    literal: 'mmap failed: Cannot allocate memory',
    ...boardRegisters.means,
    raises: true,
    pattern: boardRegisters.pattern,
  },
  {
    reporter: 'libgomp',
    literal: 'Thread creation failed',
    ...threadLimit,
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
    literal: 'failed to allocate CPU buffer',
    raises: true,
    pattern: /failed to allocate CPU buffer of size \d{1,19}/,
  },
  {
    reporter: 'ggml',
    literal: 'failed to allocate buffer of size',
    raises: true,
    pattern:
      /ggml_(?:backend_cpu\w{0,60}|aligned_malloc|tallocr?\w{0,40}): failed to allocate buffer of size \d{1,19}/,
  },
  {
    reporter: 'numpy',
    literal: 'nable to allocate ',
    raises: true,
    pattern:
      /[Uu]nable to allocate (?:(?:\d[\d.]{0,10} ?\w{1,5} for an )?array with shape ?\([\d, ]{1,200}\) and data type \S{1,40}|\d[\d.]{0,10} ?[KMGTP]iB for an array\b)/,
  },
  {
    reporter: 'TensorFlow',
    literal: 'OOM when allocating tensor',
    raises: true,
    variant: 'tensorflow-cpu',
    pattern: /(?<!Error: )OOM when allocating tensor with shape.{0,160}device:CPU:\d.{0,40}/,
  },
];
