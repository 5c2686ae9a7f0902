/** Every row that this host can provoke itself. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as have from '../../have.ts';
import { command, cgroup, cCompiler, pythonModule, pythons, root } from '../../have.ts';
import type { Expected, Place, Row } from './row.ts';

const MiB = 2 ** 20;
const needs = {
  compiler: cCompiler,
  cpp: () => command('g++'),
  rust: () => command('rustc'),
  numpy: () => pythonModule('numpy'),
  v1: () => {
    const there = have.hierarchy();
    return typeof there === 'string' || there.version === 1 ? cgroup() : 'needs cgroup v1';
  },
  pids: () => {
    const there = have.hierarchy();
    return typeof there === 'string' ? there : there.pids === null ? 'needs a pids cgroup' : null;
  },
  mount: root,
} as const;

/** Whether the kernel log is among what is left behind. */
const logged = root() === null && have.kernelLog() === null;

const script =
  (name: string, ...args: readonly string[]) =>
  (place: Place) => [place.python, place.program(name), ...args];
/** Under a limit as `ulimit` sets it. */
const limited =
  (which: string, value: number, name: string, ...args: readonly string[]) =>
  (place: Place) => [
    place.python,
    place.program('limit.py'),
    which,
    String(value),
    place.python,
    place.program(name),
    ...args,
  ];
const smallTmpfs = (place: Place, size: string): string => {
  const at = join(place.folder, '../tmpfs');
  mkdirSync(at);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'coroner-test', at]);
  place.cleanUp(() => execFileSync('umount', ['-l', at]));
  return join(at, 'file');
};
const randomFile = (place: Place, mib: number): string => {
  const path = join(place.folder, '../file');
  execFileSync('dd', [
    'if=/dev/urandom',
    `of=${path}`,
    'bs=1M',
    `count=${mib}`,
    'status=none',
    'conv=fsync',
  ]);
  // Pages belong to the cgroup that read them first: none may be left from writing.
  execFileSync(place.python, [
    '-c',
    'import os, sys; os.posix_fadvise(os.open(sys.argv[1], os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)',
    path,
  ]);
  return path;
};

const killedByCgroup = (more: Partial<Expected> = {}): Expected => ({
  cause: ['kernel-cgroup-oom'],
  limitOwner: 'cgroup',
  limitPath: 'own',
  atLeast: 'strong',
  ...more,
});
const notMemory: Expected = { cause: ['not-memory', 'undetermined', 'none'] };
/** A SIGKILL of which nothing else is known must stay open, or be said to be none of memory. */
const killedBySomebody: Expected = { cause: ['not-memory', 'undetermined'], atMost: 'strong' };
const nothingToSay: Expected = { cause: ['none', 'not-memory'] };

const assassinations: readonly Row[] = [
  {
    id: 'cgroup-leaf',
    what: 'the command’s own cgroup reaches its limit',
    needs: [cgroup],
    cgroups: [{ limitBytes: 100 * MiB, swapBytes: 0 }],
    command: script('hog.py'),
    live: killedByCgroup({ limitBytes: 100 * MiB }),
  },
  {
    id: 'cgroup-parent',
    what: 'the limit is the parent cgroup’s',
    needs: [cgroup],
    cgroups: [{ limitBytes: 80 * MiB, swapBytes: 0 }, {}],
    command: script('hog.py'),
    live: killedByCgroup({ limitPath: 'parent', limitBytes: 80 * MiB }),
  },
  {
    id: 'cgroup-grandparent',
    what: 'the limit is the grandparent’s, the parent has a larger one',
    needs: [cgroup],
    cgroups: [{ limitBytes: 80 * MiB, swapBytes: 0 }, { limitBytes: 500 * MiB }, {}],
    command: script('hog.py'),
    live: killedByCgroup({ limitPath: 'parent', limitBytes: 80 * MiB }),
  },
  {
    id: 'cgroup-one-request',
    what: 'one bytearray larger than the limit, touched at once',
    needs: [cgroup],
    cgroups: [{ limitBytes: 100 * MiB, swapBytes: 0 }],
    command: ({ python }) => [python, '-c', 'x = bytearray(b"x" * (200 * 2**20))'],
    live: killedByCgroup({ limitBytes: 100 * MiB }),
  },
  {
    id: 'cgroup-tmpfs',
    what: 'a file on tmpfs fills the cgroup, a small process dies for it',
    needs: [cgroup, needs.mount],
    cgroups: [{ limitBytes: 100 * MiB, swapBytes: 0 }],
    command: (place) => [place.python, place.program('tmpfs.py'), smallTmpfs(place, '1g'), '300'],
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-shell-says-137',
    what: 'a shell in between is told 137',
    needs: [cgroup],
    cgroups: [{ limitBytes: 80 * MiB, swapBytes: 0 }],
    command: (place) => ['sh', '-c', `${place.python} ${place.program('hog.py')}; exit $?`],
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-timeout-echoes',
    what: 'timeout ends itself with the signal that killed its command: one death, not two',
    needs: [cgroup],
    cgroups: [{ limitBytes: 80 * MiB, swapBytes: 0 }],
    command: (place) => ['timeout', '60', place.python, place.program('hog.py')],
    live: { ...killedByCgroup(), incidents: 1 },
    after: killedByCgroup(),
  },
  {
    id: 'cgroup-killer-off',
    what: 'S: oom_kill_disable: nobody is killed, it stands still until SIGTERM',
    needs: [needs.v1],
    cgroups: [{ limitBytes: 80 * MiB, swapBytes: 0, oomKillDisable: true }],
    command: script('hog.py'),
    end: { afterMs: 12_000, bareAfterMs: 4000, signal: 'SIGKILL' },
    live: { cause: ['swap-thrash', 'kernel-cgroup-oom'], atMost: 'strong' },
    after: { cause: ['undetermined', 'not-memory'], atMost: 'strong' },
  },
  {
    id: 'cgroup-file-once',
    what: 'look-alike: a cold file larger than the limit, read once: reclaimed',
    needs: [cgroup],
    cgroups: [{ limitBytes: 60 * MiB, swapBytes: 0 }],
    command: (place) => [place.python, place.program('read_once.py'), randomFile(place, 120)],
    live: nothingToSay,
  },
  {
    id: 'cgroup-multiprocessing-pool',
    what: 'a Pool worker is killed, the parent waits for ever',
    needs: [cgroup],
    cgroups: [{ limitBytes: 150 * MiB, swapBytes: 0 }],
    command: script('workers_pool.py', '4'),
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-multiprocessing-process',
    what: 'a Process is killed, the parent ends well',
    needs: [cgroup],
    cgroups: [{ limitBytes: 150 * MiB, swapBytes: 0 }],
    command: script('workers_process.py'),
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-executor',
    what: 'ProcessPoolExecutor: BrokenProcessPool',
    needs: [cgroup],
    cgroups: [{ limitBytes: 150 * MiB, swapBytes: 0 }],
    command: script('workers_executor.py'),
    live: killedByCgroup(),
    besides: ['undetermined', 'not-memory'],
  },
  {
    id: 'cgroup-subprocess',
    what: 'subprocess.run(check=True): died with SIGKILL',
    needs: [cgroup],
    cgroups: [{ limitBytes: 150 * MiB, swapBytes: 0 }],
    command: script('workers_subprocess.py'),
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-joblib',
    what: 'joblib: TerminatedWorkerError',
    needs: [cgroup, () => pythonModule('joblib')],
    cgroups: [{ limitBytes: 300 * MiB, swapBytes: 0 }],
    command: script('workers_joblib.py'),
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-dask',
    what: 'dask’s process scheduler',
    needs: [cgroup, () => pythonModule('dask')],
    cgroups: [{ limitBytes: 300 * MiB, swapBytes: 0 }],
    command: script('workers_dask.py'),
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-xdist',
    what: 'pytest-xdist: node down, the running test is blamed',
    needs: [cgroup, () => pythonModule('xdist')],
    cgroups: [{ limitBytes: 300 * MiB, swapBytes: 0 }],
    command: ({ python, program }) => [
      python,
      '-m',
      'pytest',
      '-p',
      'no:cacheprovider',
      '-n',
      '1',
      '--max-worker-restart=0',
      program('test_eat.py'),
    ],
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-gunicorn',
    what: 'gunicorn’s worker: “Perhaps out of memory?”',
    needs: [cgroup, () => command('gunicorn')],
    cgroups: [{ limitBytes: 200 * MiB, swapBytes: 0 }],
    command: ({ program, port }) => [
      'bash',
      program('serve.sh'),
      String(port),
      '/eat',
      '3',
      'gunicorn',
      '--chdir',
      program(''),
      '-w',
      '2',
      '-b',
      `127.0.0.1:${port}`,
      'wsgi:app',
    ],
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-uwsgi',
    what: 'uWSGI’s worker: “DAMN !”',
    needs: [cgroup, () => command('uwsgi')],
    cgroups: [{ limitBytes: 200 * MiB, swapBytes: 0 }],
    command: ({ program, port }) => [
      'bash',
      program('serve.sh'),
      String(port),
      '/eat',
      '3',
      'uwsgi',
      '--plugin',
      'python3',
      '--http-socket',
      `127.0.0.1:${port}`,
      '--master',
      '-p',
      '2',
      '--wsgi-file',
      program('wsgi.py'),
      '--callable',
      'app',
      // Else SIGTERM makes it start anew.
      '--die-on-term',
    ],
    live: killedByCgroup(),
  },
  {
    id: 'cgroup-celery',
    what: 'celery’s worker: WorkerLostError',
    needs: [cgroup, () => pythonModule('celery')],
    cgroups: [{ limitBytes: 250 * MiB, swapBytes: 0 }],
    environment: ({ folder, program }) => ({ CELERY_FOLDER: folder, PYTHONPATH: program('') }),
    command: ({ program, python }) => [
      'bash',
      '-c',
      `${python} ${program('celery_tasks.py')}; ${python} -m celery -A celery_tasks worker -c 2 -l INFO & sleep 8; kill -TERM $!; sleep 2; kill -KILL $!; wait`,
    ],
    live: killedByCgroup(),
    besides: ['undetermined', 'not-memory'],
  },
];

const limits: readonly Row[] = [
  {
    id: 'rlimit-as',
    what: 'RLIMIT_AS stops growth by objects',
    command: limited('RLIMIT_AS', 150 * MiB, 'objects.py'),
    live: { cause: ['rlimit'], limitOwner: 'rlimit', limitBytes: 150 * MiB },
    after: { cause: ['alloc-failure-exception', 'rlimit'] },
  },
  {
    id: 'rlimit-as-one-request',
    what: 'RLIMIT_AS refuses one request',
    command: limited('RLIMIT_AS', 200 * MiB, 'huge.py', String(1024 * MiB)),
    live: { cause: ['rlimit'], limitOwner: 'rlimit', limitBytes: 200 * MiB },
    after: { cause: ['alloc-failure-exception', 'rlimit'], inFunction: 'load' },
  },
  {
    id: 'rlimit-data',
    what: 'RLIMIT_DATA',
    command: limited('RLIMIT_DATA', 60 * MiB, 'huge.py', String(100 * MiB)),
    live: { cause: ['rlimit'], limitOwner: 'rlimit', limitBytes: 60 * MiB },
    after: { cause: ['alloc-failure-exception', 'rlimit'] },
  },
  {
    id: 'rlimit-memlock',
    what: 'E: RLIMIT_MEMLOCK refuses mlock (to a process without CAP_IPC_LOCK)',
    needs: [() => (root() === null ? command('setpriv') : null)],
    command: (place) => [
      ...(root() === null
        ? [
            'setpriv',
            '--bounding-set=-ipc_lock',
            '--inh-caps=-ipc_lock',
            '--reuid=65534',
            '--clear-groups',
          ]
        : []),
      ...limited('RLIMIT_MEMLOCK', 65536, 'mlock.py')(place),
    ],
    live: {
      cause: ['rlimit'],
      variant: 'rlimit-memlock',
      limitOwner: 'rlimit',
      atLeast: 'strong',
    },
    after: { cause: ['rlimit'], variant: 'rlimit-memlock', limitOwner: 'rlimit' },
  },
  {
    id: 'map-count',
    what: 'vm.max_map_count mappings',
    command: script('map_count.py'),
    live: { cause: ['alloc-failure-exception'], limitOwner: 'map-count', variant: 'max-map-count' },
    after: { cause: ['alloc-failure-exception'] },
    timeoutMs: 60_000,
  },
  {
    id: 'shm-bus',
    what: 'a full tmpfs under a mapping: SIGBUS',
    needs: [needs.mount],
    command: (place) => [place.python, place.program('shm_bus.py'), smallTmpfs(place, '8m')],
    live: { cause: ['shm-exhausted', 'undetermined', 'not-memory'] },
    // "Bus error" and nothing else: beside a log with other deaths in it there may be nothing to say.
    after: { cause: ['shm-exhausted', 'undetermined', 'not-memory', 'none'] },
  },
  ...[...pythons()]
    .filter(([version]) => /^3\.1[123]\./.test(version))
    .map(([version, python]): Row => ({
      id: `livelock-${version}`,
      what: `CPython ${version} spins for ever at RLIMIT_AS, until it is killed`,
      python,
      needs: [cgroup],
      cgroups: [{}],
      command: limited('RLIMIT_AS', 250 * MiB, 'livelock.py'),
      end: { afterMs: 14_000, bareAfterMs: 4000, signal: 'SIGKILL' },
      live: { cause: ['rlimit', 'swap-thrash'], limitOwner: 'rlimit' },
      after: { cause: ['undetermined', 'not-memory'], atMost: 'strong' },
    })),
  ...[...pythons()].map(([version, python]): Row => ({
    id: `growth-${version}`,
    what: `growth at RLIMIT_AS, CPython ${version}`,
    python,
    command: limited('RLIMIT_AS', 150 * MiB, 'objects.py'),
    live: { cause: ['rlimit'], limitOwner: 'rlimit' },
    after: { cause: ['alloc-failure-exception', 'rlimit', 'undetermined'] },
  })),
];

const failures: readonly Row[] = [
  {
    id: 'huge',
    what: 'one request beyond the address space: MemoryError',
    command: script('huge.py'),
    live: { cause: ['alloc-failure-exception'], atLeast: 'strong', inFunction: 'load' },
  },
  {
    id: 'numpy-ones',
    what: 'numpy.ones((1_000_000_000_000,))',
    needs: [needs.numpy],
    command: script('numpy_ones.py'),
    live: {
      cause: ['alloc-failure-exception'],
      atLeast: 'strong',
      requestBytes: 8e12,
      inFunction: 'load',
    },
  },
  {
    id: 'thread',
    what: 'MemoryError ends a thread, the program goes on',
    command: limited('RLIMIT_AS', 250 * MiB, 'thread.py'),
    // The command ended well: what its thread was refused is told beside that, and is no death.
    live: { cause: ['not-memory'] },
    after: { cause: ['rlimit', 'alloc-failure-exception'] },
  },
  {
    id: 'caught',
    what: 'a caught MemoryError: no death',
    command: script('caught.py'),
    live: nothingToSay,
    after: nothingToSay,
  },
  {
    id: 'swallowed',
    what: '“except Exception: pass”: exit 0, wrong result',
    command: limited('RLIMIT_AS', 250 * MiB, 'swallowed.py'),
    live: nothingToSay,
    after: nothingToSay,
  },
  {
    id: 'malloc-null',
    what: 'disguised: the C program of the article, 1 TB',
    needs: [needs.compiler],
    command: ({ built }) => [built('naive-malloc'), '1000000000000'],
    rateLimited: true,
    live: { cause: ['alloc-failure-segfault'], atLeast: 'strong', requestBytes: 1e12 },
  },
  {
    id: 'malloc-null-beyond',
    what: 'disguised: the same beyond the address space (no refusal line)',
    needs: [needs.compiler],
    command: ({ built }) => [built('naive-malloc'), '10000000000000000'],
    live: { cause: ['alloc-failure-segfault'] },
    after: { cause: ['alloc-failure-segfault', 'undetermined', 'not-memory'], atMost: 'likely' },
  },
  {
    id: 'malloc-null-offset',
    what: 'disguised: the fault address is 200,000 above NULL',
    needs: [needs.compiler],
    command: ({ built }) => [built('offset'), '1000000000000', '200000'],
    live: { cause: ['alloc-failure-segfault'], requestBytes: 1e12 },
  },
  {
    id: 'malloc-null-ctypes',
    what: 'disguised: ctypes malloc, from Python',
    command: script('malloc_null.py'),
    rateLimited: true,
    live: {
      cause: ['alloc-failure-segfault'],
      atLeast: 'strong',
      requestBytes: 1e12,
      inFunction: 'fill',
    },
    // The kernel's line about the refusal is all that tells it from a bug.
    after: { cause: [logged ? 'alloc-failure-segfault' : 'undetermined'] },
  },
  {
    id: 'bad-alloc',
    what: 'std::bad_alloc',
    needs: [needs.cpp],
    command: ({ built }) => [built('bad_alloc'), '100000000000000'],
    live: { cause: ['alloc-failure-abort'] },
  },
  {
    id: 'rust',
    what: 'Rust: memory allocation of N bytes failed',
    needs: [needs.rust],
    command: ({ built }) => [built('alloc'), '100000000000000'],
    live: { cause: ['alloc-failure-abort'], requestBytes: 1e14 },
  },
];

const crashes = [
  'a plain NULL bug',
  'a wild pointer',
  'stack overflow',
  'write to read-only data',
  'double free',
  'heap overflow',
  'general protection fault',
  'call of NULL',
  'a guarded page',
  'raise(SIGSEGV)',
];
const lookAlikes: readonly Row[] = [
  ...crashes.map((what, which): Row => ({
    id: `crash-${which}`,
    what: `look-alike: ${what}`,
    needs: [needs.compiler],
    command: ({ built }) => [built('crash'), String(which)],
    live: notMemory,
  })),
  {
    id: 'null-python',
    what: 'look-alike: a plain NULL read in Python (ctypes)',
    command: script('null_bug.py'),
    live: notMemory,
  },
  {
    id: 'stack-python',
    what: 'stack overflow in C, from Python',
    python: pythons().get('3.10.13') ?? have.systemPython,
    command: limited('RLIMIT_STACK', 256 * 1024, 'stack.py'),
    live: notMemory,
  },
  {
    id: 'recursion',
    what: 'look-alike: RecursionError',
    command: script('recursion.py'),
    live: notMemory,
  },
  {
    id: 'exception',
    what: 'look-alike: an ordinary exception',
    command: ({ python }) => [python, '-c', '{}["missing"]'],
    live: notMemory,
  },
  {
    id: 'success',
    what: 'nothing happened',
    command: ({ python }) => [python, '-c', 'print("fine")'],
    live: nothingToSay,
  },
  {
    id: 'kill-9',
    what: 'kill -9 by somebody',
    command: ({ python }) => [python, '-c', 'import time; time.sleep(60)'],
    end: { afterMs: 1500, signal: 'SIGKILL' },
    cgroups: [{}],
    needs: [cgroup],
    live: killedBySomebody,
    after: killedBySomebody,
  },
  {
    id: 'kill-9-oneself',
    what: 'kill -9 by oneself',
    command: ({ python }) => [python, '-c', 'import os; os.kill(os.getpid(), 9)'],
    live: killedBySomebody,
  },
  {
    id: 'kill-9-much-memory',
    what: 'kill -9 by oneself, with 300 MiB held',
    command: ({ python }) => [
      python,
      '-c',
      'import os; x = bytearray(b"x" * (300 << 20)); os.kill(os.getpid(), 9)',
    ],
    live: killedBySomebody,
  },
  {
    id: 'kill-9-at-limit',
    what: 'kill -9 just below the cgroup’s limit, which never fired',
    needs: [cgroup],
    cgroups: [{ limitBytes: 150 * MiB, swapBytes: 0 }],
    command: ({ python }) => [
      python,
      '-c',
      'import os; x = bytearray(b"x" * (60 << 20)); x += x[:40 << 20]; os.kill(os.getpid(), 9)',
    ],
    live: killedBySomebody,
  },
  {
    id: 'exit-137',
    what: 'exit 137 by itself',
    command: ({ python }) => [python, '-c', 'raise SystemExit(137)'],
    live: { cause: ['not-memory', 'undetermined', 'none'], atMost: 'strong' },
  },
  {
    id: 'timeout-kill',
    what: 'timeout -s KILL',
    command: ({ python, program }) => [
      'timeout',
      '-s',
      'KILL',
      '1',
      python,
      program('wait_network.py'),
      '20',
    ],
    live: killedBySomebody,
  },
  {
    id: 'timeout-term',
    what: 'look-alike: timeout (SIGTERM)',
    command: ({ python, program }) => ['timeout', '1', python, program('wait_network.py'), '20'],
    live: notMemory,
  },
  {
    id: 'rlimit-cpu',
    what: 'RLIMIT_CPU: SIGXCPU or SIGKILL',
    command: limited('RLIMIT_CPU', 1, 'spin.py', '20'),
    live: killedBySomebody,
  },
  {
    id: 'pids-cgroup',
    what: 'the pids limit of a cgroup',
    needs: [needs.pids],
    cgroups: [{ pidsMax: 5 }],
    command: script('forks.py', '20'),
    live: notMemory,
    end: { afterMs: 8000, signal: 'SIGKILL' },
  },
  {
    id: 'pids-threads',
    what: '“can’t start new thread” at the pids limit',
    needs: [needs.pids],
    cgroups: [{ pidsMax: 5 }],
    command: script('threads.py', '20'),
    live: notMemory,
  },
  {
    id: 'descriptors',
    what: 'look-alike: EMFILE',
    command: limited('RLIMIT_NOFILE', 64, 'descriptors.py'),
    live: notMemory,
  },
  {
    id: 'disk-full',
    what: 'ENOSPC',
    needs: [needs.mount],
    command: (place) => [place.python, place.program('disk_full.py'), smallTmpfs(place, '8m')],
    live: { cause: ['not-memory', 'shm-exhausted', 'undetermined'] },
  },
  {
    id: 'gunicorn-stuck',
    what: 'look-alike: gunicorn’s timeout says “Perhaps out of memory?” too',
    needs: [() => command('gunicorn')],
    command: ({ program, port }) => [
      'bash',
      program('serve.sh'),
      String(port),
      '/hang',
      '7',
      'gunicorn',
      '--timeout',
      '2',
      '--chdir',
      program(''),
      '-w',
      '1',
      '-b',
      `127.0.0.1:${port}`,
      'wsgi:app',
    ],
    live: { cause: ['not-memory', 'undetermined', 'none'] },
  },
];

const swap: readonly Row[] = [
  {
    id: 'thrash-files',
    what: 'S: mapped file larger than the limit, read at random: reclaim instead of work',
    needs: [cgroup],
    cgroups: [{ limitBytes: 100 * MiB, swapBytes: 0 }],
    command: (place) => [
      place.python,
      place.program('read_file.py'),
      'mmap',
      randomFile(place, 260),
      place.isBare ? '2' : '8',
    ],
    live: { cause: ['swap-thrash'] },
    after: { cause: ['none', 'undetermined', 'not-memory'] },
  },
  {
    id: 'slow-reads',
    what: 'look-alike: the same file without a limit',
    needs: [cgroup],
    cgroups: [{}],
    command: (place) => [
      place.python,
      place.program('read_file.py'),
      'mmap',
      randomFile(place, 260),
      place.isBare ? '1' : '5',
    ],
    live: nothingToSay,
  },
  {
    id: 'slow-direct',
    what: 'look-alike: waits for the disk (O_DIRECT)',
    command: (place) => [
      place.python,
      place.program('read_file.py'),
      'direct',
      randomFile(place, 100),
      place.isBare ? '1' : '5',
    ],
    live: nothingToSay,
  },
  {
    id: 'slow-network',
    what: 'look-alike: waits for the network',
    command: (place) => script('wait_network.py', place.isBare ? '1' : '5')(place),
    live: nothingToSay,
  },
  {
    id: 'slow-cpu',
    what: 'look-alike: starved of CPU by eight others',
    command: (place) => {
      const others = Array.from({ length: 8 }, () =>
        spawn(place.python, [place.program('spin.py'), '8'], { stdio: 'ignore' }),
      );
      place.cleanUp(() => others.forEach((other) => other.kill('SIGKILL')));
      return [place.python, place.program('spin.py'), place.isBare ? '1' : '5'];
    },
    live: nothingToSay,
  },
  {
    id: 'growth-that-stops',
    what: 'look-alike: takes 80 of 150 MiB and gives them back',
    needs: [cgroup],
    cgroups: [{ limitBytes: 150 * MiB, swapBytes: 0 }],
    command: script('hog.py', '1', '80', '0.01', '1'),
    live: nothingToSay,
  },
];

/** Swap on the host would change what happens to everybody else on it: only where there is some already. */
export const swapHere = (): string | null => {
  const free = /^SwapFree:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(free ?? 0) * 1024 > 700 * MiB
    ? null
    : 'needs 700 MiB of free swap (the virtual machine has some: see there)';
};
const thrash: Row = {
  id: 'thrash-swap',
  what: 'S: 400 MiB touched at random under 128 MiB, with swap',
  needs: [cgroup, swapHere],
  cgroups: [{ limitBytes: 128 * MiB, swapBytes: 1024 * MiB }],
  command: script('touch.py', '400', '20'),
  live: { cause: ['swap-thrash'] },
  after: { cause: ['none', 'undetermined', 'not-memory'] },
  timeoutMs: 120_000,
};

export const rows: readonly Row[] = [
  ...assassinations,
  ...limits,
  ...failures,
  ...lookAlikes,
  ...swap,
  thrash,
];

/** Deaths that neither this host nor a virtual machine can be made to die (vm.test.ts, systemd.test.ts), and why. Fixtures stand in for most of them. */
export const notProvoked: readonly {
  readonly id: string;
  readonly what: string;
  readonly why: string;
}[] = [
  { id: 'cpuset', what: 'cpuset and memory policy', why: 'needs several NUMA nodes' },
  { id: 'kubernetes', what: 'eviction by the kubelet', why: 'needs a cluster' },
  { id: 'scheduler', what: 'memory limits of Slurm, LSF, PBS', why: 'needs a cluster' },
  { id: 'gpu', what: 'GPU memory exhausted', why: 'needs a GPU' },
  { id: 'jetsam', what: 'jetsam', why: 'needs macOS' },
];
