import { describe, expect, test } from 'vitest';
import { diagnose } from '../../diagnose/diagnose.ts';
import type { Evidence } from '../../model/evidence.ts';
import type {
  EventLine,
  IncidentEnd,
  IncidentStart,
  SampleLine,
} from '../../model/incident-folder.ts';
import { withFailedAllocations } from './series.ts';
import { parseIncident } from './incident.ts';

const start: IncidentStart = {
  format: 'coroner-incident/1',
  id: '20260131-120000-abcdef',
  version: '0.1.0',
  command: ['python3', 'train.py'],
  cwd: '/home/me',
  startedAt: '2026-01-31T12:00:00.000Z',
  startedUptimeSeconds: 1000,
  bootId: null,
  machine: { totalBytes: 8e9, swapTotalBytes: 0, overcommitMode: 0, maxMapCount: 65530 },
  recorderPid: 2399,
  uid: 1000,
  initialPidNamespace: true,
  options: {},
};

interface Folder {
  readonly start?: Partial<IncidentStart>;
  readonly events?: readonly EventLine[];
  readonly samples?: readonly SampleLine[];
  readonly end?: Partial<IncidentEnd> | null;
  readonly kernel?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
}
const lines = (values: readonly unknown[]) =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');

const process = (pid = 2400, more: object = {}): EventLine => ({
  what: 'process',
  atMs: 5,
  pid,
  parentPid: pid === 2400 ? null : 2400,
  name: 'python3',
  command: 'python3 train.py',
  role: pid === 2400 ? 'command' : 'descendant',
  cgroup: '/job',
  ...more,
});
const gone = (how: { exitCode?: number; signal?: string }, pid = 2400): EventLine => ({
  what: 'process-gone',
  atMs: 2000,
  pid,
  exitCode: how.exitCode ?? null,
  signal: how.signal ?? null,
  seenAs: pid === 2400 ? 'wait' : 'zombie',
  ...(pid === 2400 ? {} : { parentState: 'alive' as const }),
});
const cgroup = (path = '/job', id = 0, limitBytes: number | null = 104857600): EventLine => ({
  what: 'cgroup',
  atMs: 0,
  id,
  version: 1,
  path,
  folder: `/sys/fs/cgroup/memory${path}`,
  level: id,
  parent: null,
  limitBytes,
});
const kernelRead: EventLine = {
  what: 'source',
  atMs: 2000,
  id: 'kernel-log',
  place: '/dev/kmsg',
  status: 'read',
};
const kernelDenied: EventLine = {
  ...kernelRead,
  status: 'denied',
  detail: 'EPERM',
  command: 'sudo dmesg',
};
const calm: SampleLine = {
  atMs: 1900,
  cgroups: [{ id: 0, currentBytes: 20e6, limitHits: 0, oomKills: 0, localOomKills: 0 }],
  host: { availableBytes: 6e9, oomKills: 0 },
};
const killed: SampleLine = {
  atMs: 1900,
  processes: [{ pid: 2400, rssBytes: 98e6, vmBytes: 220e6 }],
  cgroups: [{ id: 0, currentBytes: 104857600, limitHits: 228, oomKills: 1, localOomKills: 1 }],
  host: { availableBytes: 6e9, oomKills: 1 },
};
const killLines = (pid: number, at = 1001.9) => [
  `6,10,${at * 1e6},-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/job,task_memcg=/job,task=python3,pid=${pid},uid=0`,
  `3,11,${at * 1e6 + 10},-;Memory cgroup out of memory: Killed process ${pid} (python3) total-vm:108056kB, anon-rss:97792kB, file-rss:6276kB, shmem-rss:0kB, UID:0 pgtables:252kB oom_score_adj:0`,
];

function verdict({ start: changed, events = [], samples = [], end, kernel, files = {} }: Folder) {
  const texts = new Map(
    Object.entries({
      'incident.json': JSON.stringify({ ...start, ...changed }),
      'events.ndjson': lines(events),
      'samples.ndjson': lines(samples),
      ...(end === null
        ? {}
        : {
            'end.json': JSON.stringify({
              endedAt: '2026-01-31T12:00:02.000Z',
              durationMs: 2000,
              exitCode: null,
              signal: null,
              ...end,
            }),
          }),
      ...(kernel === undefined ? {} : { 'kernel.log': kernel.join('\n') }),
      ...files,
    }),
  );
  const parsed = parseIncident(texts);
  if (parsed === null) throw new Error('not parsed');
  return { ...parsed, ...diagnose(parsed) };
}

describe('SIGKILL', () => {
  const events = [cgroup(), process(), gone({ signal: 'SIGKILL' })];

  test('named by the kernel log: certain, with the wall clock of the recording', () => {
    const { incidents } = verdict({
      events: [...events, kernelRead],
      samples: [killed],
      kernel: killLines(2400),
    });
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({
      cause: 'kernel-cgroup-oom',
      confidence: 'certain',
      victim: { pid: 2400 },
      limit: { owner: 'cgroup', path: '/job', bytes: 104857600 },
    });
    expect(incidents[0]?.at).toBe('2026-01-31T12:00:01.900Z');
  });

  test('only counted: strong at most, and what could not be read is said', () => {
    const { incidents } = verdict({ events: [...events, kernelDenied], samples: [killed] });
    expect(incidents[0]).toMatchObject({ cause: 'kernel-cgroup-oom', confidence: 'strong' });
    expect(incidents[0]?.unknown.map(({ command }) => command)).toContain('sudo dmesg');
  });

  test('nothing moved and the kernel log is silent: not memory', () => {
    const { incidents } = verdict({ events: [...events, kernelRead], samples: [calm], kernel: [] });
    expect(incidents).toMatchObject([{ cause: 'not-memory', outOfMemory: false }]);
  });

  test('nothing can be read: undetermined', () => {
    const { incidents } = verdict({
      events: [process(), gone({ signal: 'SIGKILL' }), kernelDenied],
    });
    expect(incidents).toMatchObject([{ cause: 'undetermined', outOfMemory: null }]);
  });

  test('the machine counted a kill that no record names: never "not memory"', () => {
    const { incidents } = verdict({
      events: [...events, kernelDenied],
      samples: [{ ...calm, host: { oomKills: 1 } }],
    });
    expect(incidents[0]?.outOfMemory).not.toBe(false);
  });

  test("another process's kill in the kernel log is not ours", () => {
    const { incidents } = verdict({
      events: [...events, kernelRead],
      samples: [calm],
      kernel: killLines(77).map((line) => line.replaceAll('/job', '/other')),
    });
    expect(incidents[0]?.cause).not.toBe('kernel-cgroup-oom');
  });

  test('a kill from before the run is not ours, although the pid is', () => {
    const { incidents } = verdict({
      events: [...events, kernelRead],
      samples: [calm],
      kernel: killLines(2400, 900),
    });
    expect(incidents[0]?.cause).not.toBe('kernel-cgroup-oom');
  });

  test('in a container the kernel has other pids: the cgroup and the name tell', () => {
    const { incidents } = verdict({
      start: { initialPidNamespace: false },
      events: [cgroup(), process(12), gone({ signal: 'SIGKILL' }, 12), kernelRead],
      samples: [calm],
      kernel: killLines(39_001),
    });
    expect(incidents.map(({ cause }) => cause)).toContain('kernel-cgroup-oom');
  });
});

describe('memory guards', () => {
  const earlyoom = (pid: number) =>
    `Jan 31 12:00:01 guest earlyoom[197]: low memory! at or below SIGTERM limits: mem 10.00%, swap 10.00%
Jan 31 12:00:01 guest earlyoom[197]: sending SIGTERM to process ${pid} uid 0 "python3": badness 1208, VmRSS 289 MiB
`;
  const oomd = (path: string) =>
    `Jan 31 12:00:01 guest systemd-oomd[174]: Killed ${path} due to memory pressure for ${path} being 36.70% > 20.00% for > 5s with reclaim activity\n`;
  const ended = (signal: string, guards: string) =>
    verdict({
      events: [process(), gone({ signal }), kernelRead],
      samples: [calm],
      kernel: [],
      files: { 'guards.log': guards },
    }).incidents;

  test('SIGTERM from earlyoom is no normal stop', () => {
    expect(ended('SIGTERM', earlyoom(2400))).toMatchObject([
      {
        cause: 'userspace-oom-daemon',
        confidence: 'certain',
        killer: { name: 'earlyoom' },
        victim: { pid: 2400 },
        at: '2026-01-31T12:00:02.000Z',
      },
    ]);
  });

  test("a process of somebody else is none of the run's", () => {
    expect(ended('SIGTERM', earlyoom(77))).toEqual([]);
    expect(ended('SIGKILL', oomd('/other'))).toMatchObject([{ cause: 'not-memory' }]);
    // named like ours, and not above it
    expect(ended('SIGKILL', oomd('/jo'))).toMatchObject([{ cause: 'not-memory' }]);
  });

  test('systemd-oomd names the cgroup: ours in it died of that', () => {
    expect(ended('SIGKILL', oomd('/job'))).toMatchObject([
      { cause: 'userspace-oom-daemon', confidence: 'certain', victim: { pid: 2400 } },
    ]);
  });

  test('in a pid namespace the pids are others', () => {
    const { incidents } = verdict({
      start: { initialPidNamespace: false },
      events: [process(), gone({ signal: 'SIGTERM' }), kernelRead],
      samples: [calm],
      files: { 'guards.log': earlyoom(2400) },
    });
    expect(incidents).toEqual([]);
  });
});

describe('workers', () => {
  test('killed while the parent waits: the parent is named', () => {
    const waiting = (atMs: number): SampleLine => ({
      atMs,
      processes: [{ pid: 2400, userMs: 100, systemMs: 20 }],
    });
    const { incidents } = verdict({
      events: [
        cgroup(),
        process(),
        process(2405),
        { ...gone({}, 2405), atMs: 1910, seenAs: 'vanished' } as EventLine,
        { ...gone({ exitCode: 0 }), atMs: 9000 } as EventLine,
        kernelRead,
      ],
      samples: [waiting(1800), waiting(2000), waiting(8900)],
      end: { exitCode: 0 },
      kernel: killLines(2405),
    });
    expect(incidents[0]).toMatchObject({
      cause: 'kernel-cgroup-oom',
      confidence: 'certain',
      victim: { pid: 2405 },
      related: [{ pid: 2400 }],
    });
  });

  test('a helper that is killed by a program that ends well is nobody’s death', () => {
    const { incidents } = verdict({
      events: [
        cgroup(),
        process(),
        process(2405),
        gone({ signal: 'SIGKILL' }, 2405),
        gone({ exitCode: 0 }),
        kernelRead,
      ],
      samples: [calm],
      end: { exitCode: 0 },
      kernel: [],
    });
    expect(incidents).toEqual([]);
  });
});

test('a child that no sample saw is known by the file that its agent left', () => {
  const of = (files: Readonly<Record<string, string>>) =>
    verdict({
      // Its parent was not seen in the cgroup either.
      events: [process(2400, { cgroup: '/' }), gone({ exitCode: 1 }), kernelRead],
      samples: [calm],
      kernel: killLines(2401),
      files: { 'stderr.tail': 'CalledProcessError: died with <Signals.SIGKILL: 9>.\n', ...files },
    }).incidents;
  expect(of({ 'agent/2401.mem': '' })).toMatchObject([
    { cause: 'kernel-cgroup-oom', confidence: 'certain', victim: { pid: 2401 } },
  ]);
  expect(of({}).map(({ cause }) => cause)).not.toContain('kernel-cgroup-oom');
});

describe('a shortage that ends with a kill', () => {
  const stall = (atMs: number): EventLine => ({
    what: 'stall',
    begunMs: 500,
    atMs,
    pid: 2400,
    name: 'python3',
    cgroup: '/job',
    how: 'file-refaults',
    slowdown: 70,
    refaultsPerSecond: 10_600,
    stillGoingOn: false,
  });
  const of = (kernel: readonly string[], seen: EventLine) =>
    verdict({
      events: [
        cgroup(),
        process(),
        process(2401),
        seen,
        gone({ signal: 'SIGKILL' }, 2401),
        gone({ exitCode: 0 }),
        kernelRead,
      ],
      samples: [killed],
      kernel,
    }).incidents;

  test('of another process of its cgroup is one death, with both as reasons', () => {
    const incidents = of(killLines(2401, 1001.9), stall(2100));
    expect(incidents).toMatchObject([{ cause: 'kernel-cgroup-oom', victim: { pid: 2401 } }]);
    expect(incidents[0]?.because.map(({ says }) => says).join()).toContain('10,600 a second');
  });

  test('long before it ended is another', () => {
    expect(of(killLines(2401, 1001.9), stall(60_000)).map(({ cause }) => cause)).toEqual([
      'swap-thrash',
      'kernel-cgroup-oom',
    ]);
  });
});

describe('refusals', () => {
  const error = (more: object = {}) =>
    `${JSON.stringify({
      what: 'exception',
      fate: 'uncaught',
      pid: 2400,
      time: Date.parse(start.startedAt) / 1000 + 1.9,
      type: 'MemoryError',
      memory: 1,
      vmBytes: 150e6,
      maps: 100,
      stack: [{ function: 'load', file: '/home/me/train.py', line: 42 }],
      ...more,
    })}\n`;
  const events = [cgroup(), process(), gone({ exitCode: 1 }), kernelRead];
  const limited: EventLine = {
    what: 'limits',
    atMs: 6,
    pid: 2400,
    limits: [{ owner: 'rlimit', path: 'RLIMIT_AS', bytes: 153600000 }],
  };

  test('RLIMIT_AS, by what the process had used when it was refused', () => {
    const { incidents } = verdict({
      events: [...events, limited],
      samples: [calm],
      kernel: [],
      files: { 'python/2400.ndjson': error() },
    });
    expect(incidents).toMatchObject([
      {
        death: 'obvious',
        cause: 'rlimit',
        limit: { owner: 'rlimit', path: 'RLIMIT_AS', bytes: 153600000 },
        stack: [{ function: 'load', line: 42 }],
      },
    ]);
  });

  test('vm.max_map_count', () => {
    const { incidents } = verdict({
      events,
      samples: [calm],
      kernel: [],
      files: { 'python/2400.ndjson': error({ maps: 65_532 }) },
    });
    expect(incidents[0]).toMatchObject({ limit: { owner: 'map-count' } });
  });

  test('a request that numpy names', () => {
    const { incidents } = verdict({
      events,
      samples: [calm],
      kernel: [],
      files: {
        'python/2400.ndjson': error({
          type: 'numpy._core._exceptions._ArrayMemoryError',
          message:
            'Unable to allocate 7.28 TiB for an array with shape (1000000000000,) and data type float64',
        }),
      },
    });
    expect(incidents[0]).toMatchObject({
      confidence: 'certain',
      request: { bytes: 8_000_000_000_000 },
      limit: { owner: 'overcommit' },
    });
  });

  const refused = (bytes: number, at = 1001.9) =>
    `4,${bytes % 97},${at * 1e6},-;__vm_enough_memory: pid: 2400, comm: python3, bytes: ${bytes} not enough memory for the allocation`;

  test('refused, handled, ended well: no death, and said so', () => {
    const { incidents } = verdict({
      events: [cgroup(), process(), gone({ exitCode: 0 }), kernelRead],
      samples: [calm],
      end: { exitCode: 0 },
      kernel: [refused(1e12)],
    });
    expect(incidents).toMatchObject([{ death: 'none', outOfMemory: false, variant: 'survived' }]);
  });

  test('refused, then a crash whose line faulthandler swallowed: disguised', () => {
    const { incidents } = verdict({
      events: [cgroup(), process(), gone({ signal: 'SIGSEGV' }), kernelRead],
      samples: [calm],
      // mmap, the heap (smaller than the request), a new arena.
      kernel: [refused(1_000_000_004_096), refused(999_999_844_352), refused(1_000_000_716_800)],
      files: {
        'python/2400.fault':
          'Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007fd75f413b80 (most recent call first):\n  File "/home/me/train.py", line 9 in fill\n  File "/home/me/train.py", line 20 in <module>\n',
      },
    });
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({
      death: 'disguised',
      cause: 'alloc-failure-segfault',
      confidence: 'strong',
      request: { bytes: 1_000_000_000_000 },
      stack: [{ function: 'fill', line: 9 }, {}],
    });
  });

  test('a crash with nothing refused: not memory, never certain', () => {
    const { incidents } = verdict({
      events: [cgroup(), process(), gone({ signal: 'SIGSEGV' }), kernelRead],
      samples: [calm],
      kernel: [],
    });
    expect(incidents).toMatchObject([{ cause: 'not-memory', outOfMemory: false }]);
    expect(incidents[0]?.confidence).not.toBe('certain');
  });
});

describe('137 from a shell', () => {
  const events = [cgroup(), process(2400, { name: 'bash' }), gone({ exitCode: 137 }), kernelRead];

  test('nothing was killed: not memory', () => {
    const { incidents } = verdict({ events, samples: [calm], kernel: [], end: { exitCode: 137 } });
    expect(incidents).toMatchObject([{ outOfMemory: false }]);
  });

  test('the kernel killed something that lived too short to be seen: likely, not certain', () => {
    const { incidents } = verdict({
      events,
      samples: [calm],
      end: { exitCode: 137 },
      kernel: killLines(2410).map((line) => line.replaceAll('/job', '/short')),
    });
    expect(incidents).toMatchObject([{ outOfMemory: true, confidence: 'likely' }]);
  });
});

describe('a folder that was cut off', () => {
  test('the recorder was killed: what there is is read', () => {
    const { incidents, sources, recording, end } = verdict({
      events: [cgroup(), process()],
      samples: [killed],
      end: null,
      kernel: killLines(2400),
    });
    expect(end).toBeNull();
    expect(recording.endedAt).toBeNull();
    expect(incidents[0]).toMatchObject({ cause: 'kernel-cgroup-oom' });
    expect(sources.find(({ id }) => id === 'recording')?.status).toBe('truncated');
  });

  test('cut anywhere, a folder is read or refused, never a crash', () => {
    const events = lines([cgroup(), process(), gone({ signal: 'SIGKILL' })]);
    const samples = lines([killed]);
    for (let at = 0; at <= events.length; at += 7) {
      const texts = new Map([
        ['incident.json', JSON.stringify(start)],
        ['events.ndjson', events.slice(0, at)],
        ['samples.ndjson', samples.slice(0, at)],
      ]);
      const parsed = parseIncident(texts);
      expect(parsed).not.toBeNull();
      if (parsed !== null) diagnose(parsed);
    }
    expect(parseIncident(new Map([['incident.json', '{"format":']]))).toBeNull();
    expect(parseIncident(new Map())).toBeNull();
  });
});

describe('what is drawn', () => {
  test('columns have one length, and what was left out goes on until the death', () => {
    const { recording } = verdict({
      events: [cgroup(), process(), gone({ exitCode: 0 })],
      samples: [
        { atMs: 0, processes: [{ pid: 2400, rssBytes: 1, vmBytes: 10 }] },
        { atMs: 50, processes: [{ pid: 2400, rssBytes: 2 }] },
      ],
      end: { exitCode: 0 },
    });
    expect(recording.processes[0]?.samples).toEqual({
      atMs: [0, 50, 2000],
      columns: { rssBytes: [1, 2, 2], vmBytes: [10, 10, 10] },
    });
  });

  test('memory does not fall to nothing before a death: neither that of the process nor that of its cgroup', () => {
    const { recording } = verdict({
      events: [cgroup(), process(), gone({ signal: 'SIGKILL' })],
      samples: [
        {
          atMs: 1000,
          processes: [{ pid: 2400, rssBytes: 98e6 }],
          cgroups: [{ id: 0, currentBytes: 100e6 }],
        },
        {
          atMs: 1950,
          processes: [{ pid: 2400, rssBytes: 0 }],
          cgroups: [{ id: 0, currentBytes: 60e6 }],
        },
        { atMs: 2000, cgroups: [{ id: 0, currentBytes: 4096 }] },
      ],
    });
    expect(recording.processes[0]?.samples).toEqual({
      atMs: [1000, 1950],
      columns: { rssBytes: [98e6, 98e6] },
    });
    expect(recording.cgroups[0]?.samples).toEqual({
      atMs: [1000, 1950],
      columns: { currentBytes: [100e6, 100e6] },
    });
  });

  test('what is read between a kill and the reaping is not drawn', () => {
    const { recording } = verdict({
      events: [
        cgroup(),
        process(),
        { what: 'kill', atMs: 1500, pid: 2400, text: 'killed' },
        gone({ signal: 'SIGKILL' }),
      ],
      samples: [
        {
          atMs: 1000,
          processes: [{ pid: 2400, rssBytes: 8 }],
          cgroups: [{ id: 0, currentBytes: 9 }],
        },
        { atMs: 1900, cgroups: [{ id: 0, currentBytes: 1 }] },
      ],
    });
    for (const { samples } of [...recording.processes, ...recording.cgroups])
      expect(samples.atMs).toEqual([1000, 1500]);
  });

  test('a cgroup in which others live on is drawn to the end, a child that slept as well', () => {
    const { recording } = verdict({
      events: [cgroup(), process(), process(2401), gone({ signal: 'SIGKILL' }, 2401)],
      samples: [
        {
          atMs: 1000,
          processes: [{ pid: 2400, rssBytes: 5 }],
          cgroups: [{ id: 0, currentBytes: 9 }],
        },
        { atMs: 3000, cgroups: [{ id: 0, currentBytes: 6 }] },
      ],
      end: { durationMs: 4000, exitCode: 0 },
    });
    expect(recording.processes[0]?.samples.atMs).toEqual([1000, 4000]);
    expect(recording.cgroups[0]?.samples).toEqual({
      // What the child held it held until it was killed.
      atMs: [1000, 2000, 3000, 4000],
      columns: { currentBytes: [9, 9, 6, 6] },
    });
  });

  test('where sampling stopped long before the end, nothing is said of what came after', () => {
    const { recording } = verdict({
      events: [cgroup(), process()],
      samples: [{ atMs: 1000, processes: [{ pid: 2400, rssBytes: 5 }] }],
      end: { durationMs: 3_600_000, exitCode: 0 },
    });
    expect(recording.processes[0]?.samples.atMs).toEqual([1000]);
  });

  const kill = (pid?: number): EventLine => ({
    what: 'kill',
    atMs: 1990,
    ...(pid === undefined ? { cgroup: '/job' } : { pid }),
    text: pid === undefined ? 'the counter moved' : `the kernel killed ${pid}`,
  });
  const kills = (events: readonly EventLine[]) =>
    verdict({ events: [cgroup(), process(), ...events] })
      .recording.events.filter(({ what }) => what === 'kill')
      .map(({ text }) => text);

  test('a kill is told once: by the kernel log, else by counter and status together', () => {
    expect(kills([kill(2400), kill(), gone({ signal: 'SIGKILL' })])).toEqual([
      'the kernel killed 2400',
    ]);
    expect(kills([kill(), gone({ signal: 'SIGKILL' })])).toEqual([
      'python3 (pid 2400) was ended by SIGKILL: the counter moved',
    ]);
    expect(kills([gone({ signal: 'SIGKILL' })])).toEqual([
      'python3 (pid 2400) was ended by SIGKILL',
    ]);
  });

  test('refused requests stand at their moment, those of one moment once', () => {
    const { recording } = verdict({ events: [cgroup(), process()], end: { exitCode: 1 } });
    const failed = (wall: string, bytes = 2 ** 40): Evidence => ({
      kind: 'failed-allocation',
      origin: { source: 'agent', place: 'agent/2400.mem' },
      when: { wall },
      pid: 2400,
      name: 'python3',
      seenBy: 'agent',
      failure: { bytes, errno: 'ENOMEM', stack: [] },
    });
    const events = withFailedAllocations(recording, [
      failed('2026-01-31T12:00:00.500Z'),
      failed('2026-01-31T12:00:00.900Z'),
      failed('2026-01-31T12:00:00.950Z', 2 ** 30),
      failed('2026-01-31T12:00:01.900Z'),
      failed('2026-01-31T11:00:00.000Z'),
    ]).events;
    expect(events.map(({ atMs, what, text }) => `${atMs} ${what}: ${text}`)).toEqual([
      '5 start: python3 (pid 2400) started',
      '500 failed-allocation: python3 (pid 2400): 1 TiB refused (ENOMEM), 2 times',
      '950 failed-allocation: python3 (pid 2400): 1 GiB refused (ENOMEM)',
      '1900 failed-allocation: python3 (pid 2400): 1 TiB refused (ENOMEM)',
    ]);
  });

  test('whose death a counter counted is not guessed', () => {
    expect(
      kills([
        process(2401),
        kill(),
        gone({ signal: 'SIGKILL' }),
        gone({ signal: 'SIGKILL' }, 2401),
      ]),
    ).toEqual([
      'the counter moved',
      'python3 (pid 2400) was ended by SIGKILL',
      'python3 (pid 2401) was ended by SIGKILL',
    ]);
  });
});
