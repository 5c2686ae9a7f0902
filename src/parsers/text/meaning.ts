import { defined } from '../../model/defined.ts';
import { tensorOnUnknownDevice } from './tensor-device.ts';
import {
  boardRegisters,
  duckdbLimit,
  fileWatches,
  fullDisk,
  goStack,
  heapCorrupted,
  impossibleSize,
  mapCountCheck,
  negativeSize,
  otherPageSize,
  phpLimit,
  redisLimit,
  rustStack,
  serverLockTable,
  sqliteOther,
  staticTls,
  threadLimit,
  type KnownMeaning,
  type KnownWords,
} from './known-words.ts';
import { isImpossibleRequest } from './sizes.ts';

/** What an error's words speak of. The variant is finer: `windows-commit-limit`, `misleading-words`, … */
export type Meaning = KnownMeaning;

/**
 * Wordings, most telling first. The order is the point: an error about the GPU or about a cap often has the word
 * "memory" or even MemoryError in it, so what is *not* the host's memory is asked first.
 */
const wordings: readonly (readonly [pattern: RegExp, meaning: Meaning])[] = [
  // Words that lie -------------------------------------------------------------------------------------------
  [
    // The end of the words may be lost: glibc's own words begin small in no other case, the C library's reasons are capital.
    /[Cc]annot allocate memory in static TLS block|(?:\.so[.\d]{0,20}|\bImportError): (?:\/.{0,300}: )?cannot allocate memory\b/,
    misleading(staticTls),
  ],
  known(sqliteOther),
  [
    /(?:xmlSAX2|XMLSyntaxError|libxml).{0,80}Huge input lookup|Huge input lookup/i,
    misleading(
      'libxml2 refused the input for its own size limit (huge_tree), not for lack of memory',
    ),
  ],
  [
    /Cannot allocate write\+execute memory/i,
    misleading('the system forbids memory that is writable and executable (SELinux, PaX)'),
  ],
  [
    /array is too big; |Maximum allowed (?:size|dimension) exceeded|array size too big/i,
    misleading('the size cannot even be expressed: numpy refused it before asking for memory'),
  ],
  [/Array dimensions exceeded supported range/, misleading(impossibleSize)],
  [
    // 2^64 less a little: a negative number, passed on as a size
    /\balloc[^\n]{0,80}\b18446\d{15}\b/i,
    misleading(negativeSize),
  ],
  known(otherPageSize),
  known(boardRegisters),
  [
    // An exception ends what it was for: the refusal of a limit of the process, and no word of what was free
    /\bmlock(?:all|2)?\b.{0,120}Cannot allocate memory|\[Errno 12\].{0,120}\bmlock(?:all|2)?\b/,
    { resource: 'memory', variant: 'rlimit-memlock' },
  ],
  [
    /System limit for number of file watchers|inotify(?:_add_watch|_init)?.{0,60}(?:No space left|limit)/i,
    { ...fileWatches, variant: 'inotify-watches' },
  ],
  known(mapCountCheck),
  known(redisLimit),
  [
    /TCP: out of memory -- consider tuning tcp_mem/i,
    misleading('the TCP stack reached tcp_mem, its own share of memory for sockets'),
  ],
  [
    /RuntimeError: CUDA error: (?:an illegal memory access|misaligned address|device-side assert)|illegal memory access was encountered/i,
    misleading('a GPU kernel touched a wrong address: a bug, not a shortage'),
  ],
  [
    /Memory access fault by GPU|Segmentation fault.{0,40}address not mapped/i,
    misleading('a wrong address was touched: a bug, not a shortage'),
  ],
  // Another program's memory: what a client is told by a server --------------------------------------------------
  [
    /(?:psycopg\d?|asyncpg|pg8000|sqlalchemy)\b.{0,200}out of shared memory|out of shared memory.{0,200}max_(?:locks|pred_locks)_per_transaction/,
    misleading(serverLockTable),
  ],
  [
    /\[(?:parent|request|fielddata|in_flight_requests|accounting)\] Data too large|circuit_breaking_exception/,
    { resource: 'language-heap', variant: 'circuit-breaker' },
  ],
  [
    /Memory limit \(.{1,40}\) exceeded: would use|Query exceeded (?:per-node|distributed).{0,20} memory limit|[Ss]ort exceeded memory limit of \d|Exceeded memory limit for \$\w|Out of sort memory/,
    { resource: 'language-heap', variant: 'server-memory-limit' },
  ],
  [
    /(?:psycopg\d?|asyncpg|pg8000|sqlalchemy)\b.{0,200}[Oo]ut ?[Oo]f ?[Mm]emory|out of memory.{0,80}Failed on request of size \d+ in memory context|\(?10(?:37|41)\b.{0,20}Out of memory; restart server/,
    { resource: 'memory', variant: 'server-memory' },
  ],
  // GPU ------------------------------------------------------------------------------------------------------
  [
    /(?:RESOURCE_EXHAUSTED|ResourceExhausted).{0,400}(?:\bhbm\b|HBM\d|\bTPU(?:_\d+)?\b|device:TPU)/,
    { resource: 'gpu', variant: 'tpu' },
  ],
  [/NPU out of memory/, { resource: 'gpu', variant: 'npu' }],
  [
    /MPS backend out of memory|kIOGPUCommandBufferCallbackErrorOutOfMemory|allocate Metal\d{0,3} buffer/,
    { resource: 'gpu', variant: 'shared-gpu-memory' },
  ],
  [
    /(?:RESOURCE_EXHAUSTED|Resource exhausted): OOM when allocating tensor with shape\[[\d,]{0,80}\](?: and type \w{1,20})?(?! ?(?:on|and) )|^(?:\w{1,40}\.){0,6}ResourceExhaustedError(?: \(see above for traceback\))?: (?:\d{1,3} root error|Graph execution error|OOM when allocating tensor)(?!.{0,400}(?:device:|by allocator))/,
    { resource: 'gpu', variant: tensorOnUnknownDevice },
  ],
  [
    /cudaHostAlloc|cuMemHostAlloc|cudaMallocHost|hipHostMalloc|pinned (?:host )?memory|CUDA_ERROR_OUT_OF_HOST|OUT_OF_HOST_MEMORY|CachingHostAllocator/i,
    { resource: 'memory', variant: 'pinned-host-memory' },
  ],
  [
    /device:CPU:\d+ by allocator|allocator (?:mklcpu|cpu)\b/i,
    { resource: 'memory', variant: 'tensorflow-cpu' },
  ],
  [
    /out of memory(?: error)? on (?:GPU|device|cuda)|(?:on|of) (?:GPU|device)(?: ordinal)? \d|\bGPU memory\b.{0,80}(?:exhausted|insufficient|allocat)|cudaMalloc(?:Async|Managed)? .{0,20}failed|cuMemAlloc|CUDA (?:driver error|failure|Error)[: ].{0,20}out of memory|cudaError ?(?:2\b|\(2\))|in CUDA queue|No available memory for the cache blocks|JaxRuntimeError: RESOURCE_EXHAUSTED|torch\.cuda\.OutOfMemory|NVENC.{0,80}out of memory|OpenEncodeSessionEx failed: out of memory|CUDA out of memory|HIP out of memory|XPU out of memory|NPU out of memory|MPS backend out of memory|(?:CUDA|HIP) error: (?:out of memory|memory allocation)|cuda runtime error ?\(2\)|cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory|CUDNN_STATUS_ALLOC_FAILED|CUBLAS_STATUS_ALLOC_FAILED|CUSOLVER_STATUS_ALLOC_FAILED|CUFFT_ALLOC_FAILED|CURAND_STATUS_ALLOCATION_FAILED|cupy(?:_backends)?\.cuda|OUT_OF_DEVICE_MEMORY|out of (?:GPU|device|video|graphics) memory|(?:GPU|VRAM|video memory) (?:is )?(?:out of memory|exhausted|OOM)|ggml_(?:backend_)?cuda|failed to allocate (?:Metal|CUDA|ROCm|Vulkan|SYCL|OpenCL)\d{0,3} buffer|MEM_OBJECT_ALLOCATION_FAILURE|CL_OUT_OF_RESOURCES|clEnqueue\w{1,40} failed: OUT_OF_RESOURCES|rmm.{0,60}(?:out_of_memory|bad_alloc)|thrust::[\w:]{0,40}bad_alloc|out_of_memory: CUDA|bad_alloc.{0,120}(?:CUDA|cuda|rmm)|(?:RESOURCE_EXHAUSTED|ResourceExhausted).{0,400}(?:device:GPU|GPU_\d+_bfc|HBM|hbm|TPU|tpu|CUDA|while trying to allocate)|XlaRuntimeError: RESOURCE_EXHAUSTED|OOM when allocating tensor|NCCL.{0,60}out of memory|Dst tensor is not initialized|torch\.OutOfMemoryError|torch\.cuda\.OutOfMemoryError|D3D12?.{0,40}E_OUTOFMEMORY|DXGI_ERROR_DEVICE|Metal.{0,60}kIOGPUCommandBufferCallbackErrorOutOfMemory|kIOGPUCommandBufferCallbackErrorOutOfMemory|NvMapMemAlloc|nvmap.{0,40}alloc|not enough (?:GPU|video) memory/i,
    { resource: 'gpu' },
  ],
  [
    /unable to open shared memory object.{0,120}Too many open files/,
    { resource: 'descriptors', actualMeaning: 'the limit of open files was reached (ulimit -n)' },
  ],
  // Shared memory --------------------------------------------------------------------------------------------
  [
    /insufficient shared memory|out of shared memory|shared memory \(shm\)|unable to (?:write to|open|mmap|allocate|resize).{0,40}(?:<\/torch_|shared memory (?:object|file))|could not (?:resize|create|open) shared memory segment.{0,120}No space left|shared memory segment.{0,120}No space left|\/dev\/shm\b.{0,160}(?:No space left|100%|full|ENOSPC)|(?:No space left|ENOSPC|Bus error).{0,120}\/dev\/shm\b|<\/torch_\d+.{0,80}No space left/i,
    { resource: 'shm' },
  ],
  // A cap of a runtime or library, not the host's memory --------------------------------------------------------
  [
    /memory allocation failed, allocating \d+ bytes|MicroPython/,
    { resource: 'language-heap', variant: 'micropython' },
  ],
  [
    // What DuckDB says where malloc gave NULL; its own limit is told with what is used of it.
    /Failed to allocate block of \d{1,19} bytes/,
    { resource: 'memory' },
  ],
  [/duckdb.{0,40}OutOfMemory|Out of Memory Error: (?:could not|failed to) allocate/i, duckdbLimit],
  known(phpLimit),
  [
    /JavaScript heap out of memory|Reached heap limit|ERR_WORKER_OUT_OF_MEMORY|JS heap out of memory/,
    { resource: 'language-heap', variant: 'v8-heap' },
  ],
  [
    /Java heap space|GC overhead limit exceeded|Metaspace|PermGen space|Requested array size exceeds VM limit|Compressed class space|Direct buffer memory|Cannot reserve \d+ bytes of direct buffer memory/i,
    { resource: 'language-heap', variant: 'jvm-heap' },
  ],
  // Other limits that are no memory ---------------------------------------------------------------------------
  [
    /can't start new thread|pthread_create failed \(EAGAIN\)|unable to create (?:new )?native thread|pthread_create.{0,60}(?:Resource temporarily unavailable|EAGAIN|failed)|failed to (?:create|spawn) (?:a )?(?:new )?(?:OS )?thread|Thread creation failed|newosproc|fork(?:: retry)?: (?:retry: )?Resource temporarily unavailable|BlockingIOError: \[Errno 11\]/i,
    {
      ...threadLimit,
      actualMeaning: `${threadLimit.actualMeaning}, or a sandbox refused the call`,
    },
  ],
  known(goStack),
  known(rustStack),
  [
    /maximum recursion depth exceeded|RecursionError|StackOverflowError|Maximum call stack size exceeded|stack level too deep/i,
    {
      resource: 'stack',
      actualMeaning:
        'calls were nested too deeply: the recursion limit or the stack, not the memory',
    },
  ],
  [
    /Too many open files|\[Errno 2[34]\]|EMFILE|ENFILE/,
    { resource: 'descriptors', actualMeaning: 'the limit of open files was reached (ulimit -n)' },
  ],
  [
    /No space left on device|\[Errno 28\]|ENOSPC|[Dd]isk (?:quota exceeded|full|is full)|database or disk is full|There is not enough space on the disk|\[Errno 122\]/,
    fullDisk,
  ],
  [
    /(?:double free or corruption|malloc\(\): |free\(\): invalid|realloc\(\): invalid|munmap_chunk\(\)|malloc_consolidate\(\)|[Aa]ttempt to free invalid pointer|corrupted (?:size vs|double-linked)|corrupted top size|stack smashing detected|heap corruption|pointer being freed was not allocated|incorrect checksum for freed object|heap-buffer-overflow|AddressSanitizer: heap-use)/i,
    misleading(heapCorrupted),
  ],
  // The host's memory -----------------------------------------------------------------------------------------
  [
    /WinError 1455|os error 1455|[Pp]aging file is too small/,
    { resource: 'memory', variant: 'windows-commit-limit' },
  ],
  [
    /WinError 8\]|Not enough (?:storage|memory resources) (?:is|are) available to (?:process|complete)/i,
    { resource: 'memory', variant: 'windows-commit-limit' },
  ],
  [
    /Cannot allocate memory|\[Errno 12\]|ENOMEM\b|os error 12\b|errno[ =]+12\b|DefaultCPUAllocator|posix_memalign\([^()]{0,60}\) == 0\. 12 vs 0|can't allocate memory|Not enough memory: you tried to allocate|(?:malloc|realloc|calloc) of size \d+ failed|std::bad_alloc|bad allocation|\bbad_alloc\b|Unable to allocate|[Cc]annot allocate (?:vector|memory)|[Ff]ailed to allocate|[Mm]emory allocation (?:failed|of \d+ bytes failed)|[Vv]irtual memory exhausted|[Oo]ut of memory|[Ii]nsufficient memory|not enough memory|[Uu]nable to alloc|could not allocate|[Mm]emory exhausted|Out Of Memory/,
    { resource: 'memory' },
  ],
];

function misleading(means: string | KnownMeaning): Meaning {
  const { actualMeaning, variant = 'misleading-words' }: Partial<KnownMeaning> =
    typeof means === 'string' ? { actualMeaning: means } : means;
  return { resource: 'none', variant, ...defined({ actualMeaning }) };
}

function known({ pattern, means }: KnownWords): readonly [pattern: RegExp, meaning: Meaning] {
  return [pattern, means.resource === 'none' ? misleading(means) : means];
}

/** What the words speak of; undefined where they say nothing about a resource. */
export function meaningOf(words: string): Meaning | undefined {
  return wordings.find(([pattern]) => pattern.test(words))?.[1];
}

/** Exception types that mean memory whatever they say. */
const memoryTypes =
  /(?:^|\.)(?:_?ArrayMemoryError|MemoryError|ArrowMemoryError|NoMemoryError|OutOfMemoryError|OutOfMemoryException|InsufficientMemoryException|OutOfMemory|ResourceExhaustedError)$/;

const ofMemory: Meaning = { resource: 'memory' };

/** What an exception speaks of, by its type and message. */
export function exceptionMeaning(type: string, message: string): Meaning | undefined {
  const words = `${type}: ${message}`;
  const meaning = meaningOf(words) ?? (memoryTypes.test(type) ? ofMemory : undefined);
  return meaning?.resource === 'memory' && isImpossibleRequest(words)
    ? misleading(impossibleSize)
    : meaning;
}
