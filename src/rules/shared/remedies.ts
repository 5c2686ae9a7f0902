/** Every piece of advice there is, by its id: rules say which one fits and give the facts, the words stand here alone. */
import type { Advice } from '../../model/finding.ts';
import type { Remedy } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';

type Words = Omit<Remedy, 'id'>;

/** What is mistaken for memory when it is short. */
export type ShortResource = 'disk' | 'descriptors' | 'threads' | 'stack';

const whatHelps: Readonly<Record<ShortResource, Pick<Remedy, 'detail' | 'command'>>> = {
  disk: {
    detail: 'Free space, or write elsewhere; a full /tmp counts too.',
    command: 'df -h; df -i',
  },
  descriptors: {
    detail: 'Close what is no longer used; raise ulimit -n or fs.inotify.max_user_watches.',
    command: 'ulimit -n; ls /proc/PID/fd | wc -l',
  },
  threads: {
    detail:
      'Fewer threads (OPENBLAS_NUM_THREADS=1, OMP_NUM_THREADS=1) or a higher ulimit -u / pids.max. A finite ulimit -v stops threads as well: each reserves its stack.',
    command: 'ulimit -u -v; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids.events',
  },
  stack: {
    detail:
      'Turn the recursion into a loop, or end it: raising the recursion limit trades the exception for a crash.',
    command: null,
  },
};

const runtimeCaps: Readonly<Record<string, string>> = {
  'v8-heap':
    'NODE_OPTIONS=--max-old-space-size=MiB; --heapsnapshot-near-heap-limit=2 writes what fills it.',
  'jvm-heap':
    '-Xmx, -XX:MaxMetaspaceSize or -XX:MaxDirectMemorySize; -XX:+HeapDumpOnOutOfMemoryError writes what fills it. In Spark: spark.executor.memory, spark.driver.memory.',
  'php-memory-limit': 'memory_limit in php.ini, or php -d memory_limit=1G.',
  'server-memory-limit':
    'It is a setting of the server, not of this program. A query that sorts, joins or groups less fits as well.',
  'circuit-breaker':
    'A larger heap for the server, or requests that ask for less: smaller pages, fewer buckets, smaller bulks.',
  micropython:
    'The heap of the board is small and fragments: gc.collect() before large buffers, preallocate them, freeze modules into the firmware.',
  'duckdb-memory-limit':
    "SET memory_limit = '…GB', SET temp_directory so that it may spill, fewer threads, preserve_insertion_order=false.",
};

const advice = {
  // A cgroup, a container, a platform: whose limit it was.
  'raise-cgroup-limit': (
    path: string | undefined,
    limitBytes: number,
    tryBytes: number,
    command: string | null,
  ) => ({
    title: `Give ${path === undefined || path.length > 40 ? 'its cgroup' : path} more than ${formatBytes(limitBytes)}`,
    detail: `It died at the limit, so its real need is not known, only that it is more. Try ${formatBytes(tryBytes)} and record it again: the peak of a run that ends well, plus a fifth, is the limit to set. (Containers: --memory or resources.limits.memory; units: MemoryMax=; jobs: --mem.)`,
    command,
  }),
  'raise-unknown-cgroup-limit': () => ({
    title: 'Give the cgroup more memory, or the program less to do',
    detail:
      'The limit that fired is the one of this cgroup; the machine itself may have plenty left.',
    command: null,
  }),
  'raise-container-limit': (reporter: string, limitBytes: number | null | undefined) => ({
    title: `Raise the memory limit${limitBytes == null ? '' : ` above ${formatBytes(limitBytes)}`}, or use less`,
    detail:
      reporter === 'docker'
        ? 'docker run --memory=…; mem_limit or deploy.resources.limits.memory in Compose.'
        : reporter === 'systemd'
          ? 'MemoryMax= of the unit; OOMPolicy=continue keeps the unit alive when only a child was killed.'
          : 'resources.limits.memory of the container; kubectl top pod --containers shows the working set.',
    command: null,
  }),
  'raise-platform-limit': (reporter: string, limitBytes: number | null | undefined) => ({
    title: `Give it more memory${limitBytes == null ? '' : ` than ${formatBytes(limitBytes)}`}, or a larger plan`,
    detail: `The setting of ${reporter} that sizes the instance or container.`,
    command: null,
  }),
  'raise-virtual-machine': (limitBytes: number | null | undefined) => ({
    title: `Give the machine more memory${limitBytes == null ? '' : ` than ${formatBytes(limitBytes)}`}, or use less`,
    detail:
      'It is a virtual machine of its own: its kernel kills when all of its memory is in use. A swap file (swap_size_mb) softens short peaks.',
    command: 'fly scale show; fly scale memory 2048',
  }),
  'raise-job-limit': (option: string | undefined, size: string, command: string | null) => ({
    title: 'Ask the scheduler for more memory',
    detail: `${option ?? 'See the memory option of the scheduler.'}${size} Peaks that the scheduler samples every 30 s are too low: leave a margin.`,
    command,
  }),
  'request-what-it-uses': () => ({
    title: 'Request what it uses',
    detail:
      'Pods that use more than they request are evicted first: set resources.requests.memory to the real working set, and limits equal to it for the Guaranteed class.',
    command: 'kubectl top pod --containers; kubectl describe node NODE',
  }),
  'own-limit-for-the-hungry': () => ({
    title: 'Put the memory-hungry part under a limit of its own',
    detail:
      'When the whole machine is out of memory the kernel chooses by size, not by fault. A cgroup with MemoryMax lets only the guilty die.',
    command: 'systemd-run --scope -p MemoryMax=4G -p MemorySwapMax=0 COMMAND',
  }),
  'find-whose-limit': () => ({
    title: 'Find out whose limit it was',
    detail:
      'The same line is written for a cgroup at its limit and for a machine without memory. The report above it tells: "memory: usage" and "as a result of limit of" stand in a report of a cgroup, "Mem-Info:" in one of the machine.',
    command:
      'sudo journalctl -k | grep -E "oom-kill:|memory: usage|limit of|Mem-Info|Killed process"',
  }),
  'more-numa-nodes': () => ({
    title: 'Let it use more NUMA nodes',
    detail: 'It was bound to nodes that were full while others may have been free.',
    command: 'numactl --hardware; cat /sys/fs/cgroup/cpuset.mems.effective',
  }),
  'free-tmpfs': () => ({
    title: 'Free the files on tmpfs first',
    detail:
      'They stay charged after the kill, so a restarted process dies sooner. Write big files to a disk, or give the tmpfs a size.',
    command: 'df -h -t tmpfs; ls -lS /dev/shm /tmp | head',
  }),
  'ask-who-called-the-killer': () => ({
    title: 'Ask who called the OOM killer',
    detail:
      'It takes the largest process, guilty or not. Alt+SysRq+f on a keyboard or a serial console, or f written to /proc/sysrq-trigger, does it; kernel.sysrq without its bit 64 forbids the keys.',
    command: 'sysctl kernel.sysrq',
  }),

  // What filled a machine or a node.
  'find-what-filled-machine': (system: 'bsd' | 'node') => ({
    title: 'Find what filled the machine',
    detail:
      system === 'bsd'
        ? 'The kernel killed the largest process it could; others, the ZFS cache (vfs.zfs.arc_max) or a tmpfs may have held the memory. Swap softens short peaks.'
        : 'The whole machine was out of memory, not this container: its limit would not have helped.',
    command:
      system === 'bsd'
        ? 'top -b -o res 20; swapinfo -h'
        : 'kubectl top pod -A --sort-by=memory | head',
  }),
  'find-what-filled-node': () => ({
    title: 'Find what filled the node',
    detail: 'The evicted pod need not be the one that grew.',
    command: 'kubectl top pod -A --sort-by=memory | head',
  }),
  'find-what-filled-memory': () => ({
    title: 'Find what really filled the memory',
    detail: 'A guard ends the process with the highest score, which need not be the one that grew.',
    command: 'ps -eo pid,rss,swap,comm --sort=-rss | head',
  }),

  // Guards in user space.
  'tune-earlyoom': () => ({
    title: 'Tell earlyoom what to spare and when to act',
    detail:
      '--avoid REGEX spares names, --prefer REGEX offers others, -m and -s set the thresholds (10 % by default); it sends SIGTERM first, so the program may save its work in a handler.',
    command: 'systemctl cat earlyoom; cat /etc/default/earlyoom',
  }),
  'tune-systemd-oomd': (forSwap: boolean) => ({
    title: forSwap
      ? 'Give it more swap or a higher threshold'
      : 'Raise the pressure limit or its duration, or spare the unit',
    detail:
      'It ends a whole cgroup (a terminal with all that runs in it). ManagedOOMPreference=avoid spares a unit; run the job in a scope of its own: systemd-run --user --scope COMMAND.',
    command:
      'oomctl; systemctl show -p ManagedOOMSwap -p ManagedOOMMemoryPressure -p ManagedOOMMemoryPressureLimit UNIT',
  }),
  'raise-dask-worker-limit': () => ({
    title: 'Give each worker more memory, or smaller partitions',
    detail:
      'memory_limit= per worker, fewer workers or threads per worker, smaller chunks. The nanny restarts a worker at distributed.worker.memory.terminate (95 %).',
    command: null,
  }),
  'look-at-unmanaged-memory': () => ({
    title: 'Look at the unmanaged memory',
    detail:
      'Memory that dask does not know of (leaks, other libraries, memory not returned to the system): MALLOC_TRIM_THRESHOLD_=65536 often helps.',
    command: null,
  }),
  'reserve-ray-memory': () => ({
    title: 'Reserve memory for the task, or run fewer at a time',
    detail:
      '@ray.remote(memory=…) or num_cpus=… bounds how many run together; RAY_memory_usage_threshold moves the limit (0.95).',
    command: 'ray memory',
  }),
  'stay-below-jetsam-limit': () => ({
    title: 'Stay below the limit of this kind of process',
    detail:
      'The system sets it by kind: an extension may use far less than an app. os_proc_available_memory() tells what is left; read and write in pieces, and free caches at a memory warning.',
    command: null,
  }),
  'find-the-jetsam-reason': () => ({
    title: 'Look for the process that has a reason',
    detail:
      'In a JetsamEvent report the process with a "reason" was killed: per-process-limit and highwater are its own limits, vm-compressor-space-shortage and low-swap are the machine. largestProcess need not be it.',
    command: 'grep -B12 -A3 \'"reason"\' /Library/Logs/DiagnosticReports/JetsamEvent-*.ips',
  }),
  'free-disk-for-swap': () => ({
    title: 'Free space on the disk',
    detail: 'macOS pages to files on the system volume: it runs out of swap when the disk is full.',
    command: 'df -h /System/Volumes/Data; sysctl vm.swapusage',
  }),
  'watch-the-footprint': (usedBytes: number | undefined) => ({
    title: 'Watch the footprint, not the resident size',
    detail: `${usedBytes === undefined ? '' : 'The size in the kernel’s line is the uncompressed size of what was compressed: it may be many times the RAM. '}RSS leaves out compressed memory.`,
    command: 'footprint PID; top -stats pid,command,mem,cmprs',
  }),

  'raise-supervisor-limit': (setting: string, limitBytes: number | null | undefined) => ({
    title: `Raise the supervisor's limit${limitBytes == null ? '' : ` above ${formatBytes(limitBytes)}`}, or find what the worker keeps`,
    detail: `It is ${setting}. Neither the kernel nor a cgroup had anything to do with it.`,
    command: null,
  }),
  'allow-virtual-memory': () => ({
    title: "Lift YARN's limit of virtual memory",
    detail:
      'Virtual memory is what is mapped, not what is used: threads and JVMs map much of it. Set yarn.nodemanager.vmem-check-enabled=false, or raise yarn.nodemanager.vmem-pmem-ratio (2.1). More executor memory helps only because the limit is a multiple of it.',
    command: null,
  }),

  // Slow deaths.
  'fit-or-smaller-working-set': () => ({
    title: 'Give it more memory, or make its working set smaller',
    detail:
      'What it touches again and again must fit in RAM. Swap does not replace it, it only hides the shortage: fewer workers, smaller batches or a higher limit do.',
    command: null,
  }),
  'limit-below-machine': () => ({
    title: 'Give it a limit below what the machine has',
    detail:
      'At its own limit it gets a MemoryError or is killed, within a second and with its line; the machine goes on. 90 % of the smallest limit leaves the rest its room.',
    command: 'coroner run --memory-limit 90% COMMAND',
  }),
  'guard-the-machine': () => ({
    title: 'Let somebody act before the kernel does',
    detail:
      "systemd-oomd or earlyoom end the largest while there is still memory to do so; the kernel's own killer waits until nothing can be reclaimed, which here it never saw.",
    command: 'systemctl enable --now systemd-oomd',
  }),
  'fail-early': () => ({
    title: 'Fail early rather than crawl',
    detail:
      'Without swap (memory.swap.max=0, v1 memory.memsw.limit_in_bytes) it would be killed at once, and restarted.',
    command: null,
  }),
  'room-for-files': () => ({
    title: 'Leave room for the files it works on',
    detail:
      'The limit counts the page cache too. Raise it, read in order instead of at random, or hold less memory beside the files.',
    command: null,
  }),
  'raise-memory-high': () => ({
    title: 'Raise memory.high, or remove it',
    detail:
      'Above memory.high the kernel slows a process down instead of killing it: it may never end.',
    command: null,
  }),
  'raise-unit-memory-high': () => ({
    title: 'Raise MemoryHigh (memory.high), or use less',
    detail:
      'Above memory.high the kernel slows every allocation down and kills nobody: set MemoryMax instead if a kill is better than a standstill.',
    command: 'systemctl show -p MemoryHigh -p MemoryMax -p MemoryCurrent UNIT',
  }),
  'more-memory-for-reclaim': () => ({
    title: 'Give it more memory',
    detail: 'The kernel was busy freeing memory for it, again and again.',
    command: null,
  }),
  'let-the-killer-act': () => ({
    title: 'Let the OOM killer act, or watch the cgroup',
    detail:
      'With oom_kill_disable a process at the limit waits until somebody raises the limit or ends it.',
    command: null,
  }),
  'avoid-livelock': () => ({
    title: 'Raise the limit of address space, or use CPython 3.10 or older',
    detail:
      'CPython 3.11 to 3.13 unwind for ever when not even an int can be allocated inside `with` or `try … finally` of a long function.',
    command: 'ulimit -v unlimited',
  }),
  'use-less-than-fits': () => ({
    title: 'Use less than fits, or raise the limit',
    detail:
      'The working set no longer fits: fewer workers, smaller batches, a larger limit. More swap only makes the wait longer.',
    command: 'cat /proc/pressure/memory; cat /sys/fs/cgroup/memory.pressure',
  }),

  // Limits that refuse.
  'raise-address-space': () => ({
    title: 'Raise the limit of the address space',
    detail: 'RLIMIT_AS counts what is mapped, not what is used.',
    command: 'ulimit -v unlimited',
  }),
  'raise-full-rlimit': (name: 'RLIMIT_AS' | 'RLIMIT_DATA', option: string) => ({
    title: `Raise the limit of ${name === 'RLIMIT_AS' ? 'address space' : 'data'}`,
    detail: `${name} counts ${name === 'RLIMIT_AS' ? 'everything that is mapped, touched or not' : 'private writable memory'}. It comes from ${option}, a batch system (h_vmem), LimitAS= of a unit or limits.conf.`,
    command: `${option} unlimited`,
  }),
  'raise-rlimit': (path: string | undefined) => ({
    title: `Raise ${path ?? 'the limit of the process'}`,
    detail: 'The machine may have had memory left: the limit of the shell or unit refused it.',
    command: path === 'RLIMIT_DATA' ? 'ulimit -d unlimited' : 'ulimit -v unlimited',
  }),
  'raise-process-limit': () => ({
    title: 'Raise the limit of the process',
    detail: 'The machine may have had memory left: the limit of the shell or unit refused it.',
    command: 'ulimit -v unlimited; ulimit -d unlimited',
  }),
  'raise-memory-limit-option': () => ({
    title: 'Raise --memory-limit, or hold less',
    detail: 'The limit that was asked for refused it, before the kernel would have killed.',
    command: null,
  }),
  'raise-locked-memory': () => ({
    title: 'Raise the limit of locked memory, or lock less',
    detail:
      'It comes from ulimit -l, LimitMEMLOCK= of a unit, limits.conf or docker run --ulimit memlock; a process with CAP_IPC_LOCK has none. Most programs do without the lock.',
    command: 'ulimit -l; grep -i "locked memory" /proc/PID/limits',
  }),
  'allow-more-mappings': () => ({
    title: 'Allow more mappings, or make fewer',
    detail:
      'Many small mappings come from an allocator with a low mmap threshold, from guard pages, or from memory-mapping many files.',
    command: 'sudo sysctl vm.max_map_count=262144',
  }),
  'allow-more-mappings-of-core': () => ({
    title: 'Allow more mappings',
    detail:
      'The number of mappings was used up, not the memory. Look for many small mmaps: malloc with a low MALLOC_MMAP_THRESHOLD_, jemalloc, guard pages.',
    command: 'sudo sysctl vm.max_map_count=1048576',
  }),
  'let-the-kernel-promise': () => ({
    title: 'Let the kernel promise more',
    detail:
      'With vm.overcommit_memory=2 memory is refused long before it is used up. Mode 0 is the default.',
    command: 'sudo sysctl vm.overcommit_memory=0',
  }),
  'enlarge-page-file': () => ({
    title: 'Enlarge the page file or start fewer processes',
    detail:
      'Windows promises memory when it is asked for, not when it is touched: RAM plus page file is the most that all processes together may ask for. Each worker that imports a CUDA build of PyTorch commits gigabytes that it never touches.',
    command: 'wmic pagefile list /format:list',
  }),
  'start-helpers-early': () => ({
    title: 'Start helpers before the memory is full, or without copying the parent',
    detail:
      'fork() must be able to promise a copy of the whole parent. subprocess without preexec_fn uses vfork (3.10 and later), a forkserver started early is small; vm.overcommit_memory=1 or more swap lifts the refusal.',
    command: 'sysctl vm.overcommit_memory; free -m',
  }),
  'lower-jvm-heap': () => ({
    title: 'Give the JVM less heap than the machine or container has',
    detail:
      'The JVM reserves -Xmx plus metaspace, code cache and thread stacks outside of the heap; leave a quarter of the memory for them.',
    command: 'java -XX:MaxRAMPercentage=70 …',
  }),

  'look-at-the-server': () => ({
    title: "Look at the server's memory, not at this program's",
    detail:
      'The server was refused, on its own machine and under its own limit, and told its client: what each query may take, times the connections, must fit there.',
    command: null,
  }),

  // Ask for less, hold less.
  'check-the-shape': (size: string | undefined) => ({
    title: 'Check the shape that is asked for',
    detail: `${size} for one array is rarely meant: a wrong axis, an outer product or a join of everything with everything makes such shapes.`,
    command: null,
  }),
  'narrower-type': (dtype: string, requestBytes: number) => ({
    title: `Halve it: a 4-byte type instead of ${dtype}`,
    detail: `${formatBytes(requestBytes)} as ${dtype} is ${formatBytes(requestBytes / 2)} in the type half as wide (float32, int32), if that precision does.`,
    command: null,
  }),
  'no-objects-in-arrays': () => ({
    title: 'Do not hold Python objects in an array',
    detail:
      'Each item costs 8 bytes here and 28 or more beside it: use a numeric, categorical or string (Arrow) type.',
    command: null,
  }),
  'keep-it-sparse': () => ({
    title: 'Keep it sparse',
    detail:
      'A dense matrix stores every zero: sparse_output=True, scipy.sparse, or get_dummies(sparse=True) store only the rest.',
    command: null,
  }),
  'look-at-join-keys': () => ({
    title: 'Look at the keys before the join or pivot',
    detail:
      'Repeated keys multiply rows, and a pivot makes every row meet every column: drop duplicates, aggregate first, or join in parts.',
    command: null,
  }),
  'read-in-pieces': () => ({
    title: 'Read in pieces',
    detail:
      'usecols, dtype and chunksize (pandas), scan_csv with collect(engine="streaming") (polars), or iterate over the file instead of reading it whole.',
    command: null,
  }),
  'ask-for-less': (size: string | undefined, ofWhom: 'python' | 'native' | 'allocator') => ({
    title:
      size !== undefined
        ? `Ask for less than ${size} at a time`
        : ofWhom === 'native'
          ? 'Ask for less at a time'
          : 'Work in pieces',
    detail: {
      python:
        'Split the work into chunks or batches, free what is no longer used before this line, or map the data from disk (numpy.memmap, pyarrow memory_map).',
      native:
        'Native code seldom survives a refused allocation: work in smaller pieces, with fewer threads, or free what is no longer used before.',
      allocator: 'Work in pieces, or free what is no longer used before this line.',
    }[ofWhom],
    command: null,
  }),
  'ask-for-less-at-once': (bytes: number | null, refusedBy: 'kernel' | 'limit' | 'library') => ({
    title: 'Ask for less at once',
    detail:
      refusedBy === 'library'
        ? 'Native code seldom survives a refused allocation: work in smaller pieces, or raise the limit that refused it.'
        : refusedBy === 'kernel'
          ? bytes === null
            ? 'Work in pieces, or in smaller types.'
            : `${formatBytes(bytes)} in one piece is more than the kernel would promise. Often a shape or a count is wrong: check the sizes that go into it.`
          : bytes === null
            ? 'Work in pieces, or with memory-mapped files.'
            : `${formatBytes(bytes)} in one piece: work in smaller ones, or with memory-mapped files.`,
    command: null,
  }),
  'hold-less': () => ({
    title: 'Hold less',
    detail:
      'This request was small: memory was full already. What had been allocated before it, and where, is what to look at.',
    command: null,
  }),
  'fewer-processes': () => ({
    title: 'Or use less',
    detail:
      'Fewer parallel processes per node (each has its own copy of the data), smaller chunks, a narrower dtype.',
    command: null,
  }),
  'fewer-workers': () => ({
    title: 'Use less at a time',
    detail:
      'Fewer workers or threads in the process, streaming instead of whole files, smaller batches.',
    command: null,
  }),
  'smaller-batch': (requestBytes: number | undefined) => ({
    title: 'Make the batch, the sequence or the model smaller',
    detail: `${requestBytes === undefined ? '' : `${formatBytes(requestBytes)} more were needed. `}Smaller batches, gradient accumulation or checkpointing, bfloat16 or 8-bit weights, offloading.`,
    command: null,
  }),
  'see-who-holds-the-gpu': () => ({
    title: 'See who else holds the GPU',
    detail: 'Other processes (a forgotten notebook) may hold most of it.',
    command: 'nvidia-smi',
  }),
  'see-who-holds-the-accelerator': () => ({
    title: 'See who else holds the device',
    detail:
      'One process holds it at a time; a forgotten notebook keeps it. Sharding over more devices makes room too.',
    command: null,
  }),
  'free-shared-gpu-memory': () => ({
    title: 'Free memory of the machine for the GPU',
    detail:
      'The GPU takes its memory from that of the machine, up to a share that the system sets: end other programs, or ask for less.',
    command: 'top -o mem',
  }),
  'more-shared-memory': (counts: boolean) => ({
    title: 'Give the container more shared memory',
    detail: `docker run --shm-size=8g or --ipc=host; in Kubernetes an emptyDir with medium: Memory on /dev/shm.${counts ? ' It counts towards the memory limit.' : ''}`,
    command: 'df -h /dev/shm',
  }),
  'larger-shared-memory': () => ({
    title: 'Make /dev/shm larger, or share less through it',
    detail: 'Containers get 64 MiB by default.',
    command: 'docker run --shm-size=1g …',
  }),
  'less-shared-memory': () => ({
    title: 'Or use less of it',
    detail:
      "Fewer DataLoader workers, a smaller prefetch_factor, or torch.multiprocessing.set_sharing_strategy('file_system').",
    command: null,
  }),
  'raise-runtime-cap': (runtime: string | undefined) => ({
    title: 'Raise the cap, if the machine has the memory, or find what fills it',
    detail:
      runtimeCaps[runtime ?? ''] ?? 'See the documentation of the runtime for its heap setting.',
    command: null,
  }),

  // The code that went on after a refusal, and other bugs.
  'check-the-return': () => ({
    title: 'Check what the allocation returned',
    detail:
      'malloc, realloc and calloc return NULL when they are refused; code that goes on with the pointer crashes here, far from the limit that refused it.',
    command: null,
  }),
  'check-what-it-gave': () => ({
    title: 'Check what the allocation gave',
    detail:
      'malloc returns NULL when it is refused. The code that asked (an extension, ctypes, C) must look before it writes.',
    command: null,
  }),
  'check-the-allocator': (isLibrary: boolean) => ({
    title: 'Check what the allocator returns',
    detail: isLibrary
      ? 'malloc and its kin return NULL when memory is refused; the library that crashed has to look at it. Tell its authors.'
      : 'malloc and its kin return NULL when memory is refused. The library or extension that crashed has to look at it.',
    command: null,
  }),
  'end-the-recursion': () => ({
    title: 'End the recursion earlier, or give the stack more room',
    detail:
      "In Python a raised recursion limit lets C code overflow the stack: sys.setrecursionlimit() has to fit the stack's size. Threads have their own: threading.stack_size().",
    command: 'ulimit -s unlimited',
  }),
  'find-the-faulty-write': () => ({
    title: 'Find who wrote where it should not',
    detail:
      'The abort comes long after the faulty write; a sanitizer or valgrind shows the write itself.',
    command: 'PYTHONMALLOC=malloc valgrind COMMAND …',
  }),
  'leave-a-stack': () => ({
    title: 'Let it leave a stack',
    detail:
      'python3 -X faulthandler prints the Python stack of a crash; ulimit -c unlimited leaves a core for coroner diagnose.',
    command: 'python3 -X faulthandler …',
  }),
  'what-helps': (resource: ShortResource) => ({ title: 'What helps', ...whatHelps[resource] }),
  'find-the-size': () => ({
    title: 'Find out where the size comes from',
    detail:
      'A length read from a damaged or foreign file, a difference that went below zero, a product that overflowed: print what goes into it. More memory changes nothing.',
    command: null,
  }),
  'find-the-write': () => ({
    title: 'Find the write that broke the heap',
    detail:
      'It happened earlier, often in native code of an extension. AddressSanitizer or valgrind names it; so may other versions of the packages that are loaded.',
    command: 'MALLOC_CHECK_=3 MALLOC_PERTURB_=165 COMMAND …',
  }),
  'let-it-overcommit': () => ({
    title: 'Let the system promise the copy',
    detail:
      'A forked child shares the pages of its parent until one of them writes: with vm.overcommit_memory=1 the system promises them unseen. Or leave as much room as the server holds, in RAM or swap.',
    command: 'sudo sysctl vm.overcommit_memory=1; free -b',
  }),
  'see-who-holds-it': (command: string) => ({
    title: 'See who holds the memory',
    detail:
      'So small a request is refused where the memory or a limit is full already: what fills it is elsewhere, in this process or beside it.',
    command: `ps -eo pid,rss,comm --sort=-rss | head; coroner run ${command} …`,
  }),
  'guard-the-main-module': () => ({
    title: 'Guard the main module',
    detail:
      "Put what starts the workers under if __name__ == '__main__': each spawned child imports the script again.",
    command: null,
  }),
  'look-at-what-it-did': () => ({
    title: 'Look at what it was doing, not at its memory',
    detail:
      'A timeout means that it was slow or stuck. Only if it was swapping at that time is memory behind it.',
    command: 'cat /proc/pressure/memory',
  }),
  'look-for-the-sender': () => ({
    title: 'Look for who sends SIGKILL',
    detail:
      "kill -9, timeout -s KILL, a supervisor whose patience ended, a liveness probe, docker stop after its grace, the end of a job's walltime.",
    command: null,
  }),
  'find-the-witness': () => ({
    title: 'Find the witness',
    detail:
      'The kernel log of the host (not of the container) names every process that its OOM killer ended; container runtimes and schedulers keep their own record.',
    command: 'coroner diagnose',
  }),

  // Record it: `recordings` below names them.
  'record-next-time': () => ({
    title: 'Record the next run',
    detail: 'The recorder sees the refused request itself, its size and the limit behind it.',
    command: 'coroner run COMMAND …',
  }),
  'record-where-it-goes': () => ({
    title: 'See where the memory goes next time',
    detail:
      'The kernel knows sizes, not lines of code. A recorded run names the lines and the variables that hold the memory.',
    command: 'coroner run COMMAND',
  }),
  'record-what-held-it': (command: string) => ({
    title: 'See what already held the memory',
    detail: 'The request that fails is often not the one that filled the memory.',
    command: `coroner run ${command} …`,
  }),
  'record-leak-or-peak': () => ({
    title: 'See whether it is a leak or a peak',
    detail: 'A limit only moves the death of a leak. Record one run.',
    command: 'coroner run COMMAND …',
  }),
  'record-the-next-kill': () => ({
    title: 'Catch the next one',
    detail: 'The recorder keeps the kill with its name, its memory and its stack.',
    command: 'coroner run COMMAND …',
  }),
  'record-the-next-death': () => ({
    title: 'Or record the next death',
    detail:
      'coroner run keeps the memory curve, the counters of the cgroup and the last stacks, and so can tell.',
    command: 'coroner run COMMAND …',
  }),
} satisfies Record<string, (...facts: never[]) => Words>;

type Table = typeof advice;
export type RemedyId = keyof Table;

/** The advice of this id, in words for these facts. */
export function remedy<Id extends RemedyId>(id: Id, ...facts: Parameters<Table[Id]>): Advice {
  const words = advice[id] as (...facts: Parameters<Table[Id]>) => Words;
  return { id, ...words(...facts) };
}

const recordings: ReadonlySet<string> = new Set<RemedyId>([
  'record-next-time',
  'record-where-it-goes',
  'record-what-held-it',
  'record-leak-or-peak',
  'record-the-next-kill',
  'record-the-next-death',
]);

/** Advice to record the next run, which is none where this one was recorded. */
export const isToRecord = ({ id }: Remedy): boolean => id !== undefined && recordings.has(id);
