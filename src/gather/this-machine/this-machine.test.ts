import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nullCrash } from '../../../test/cores/synthetic-core.ts';
import { diagnose } from '../../diagnose/diagnose.ts';
import type { SourceReport } from '../../model/report.ts';
import type { Answer } from '../../machine/ask.ts';
import { readCoreFile } from '../core-file.ts';
import { gatherChunks } from '../text.ts';
import type { Machine } from './machine.ts';
import type { Gathered, Wanted } from '../../model/gathered.ts';
import { openInput } from '../input.ts';
import { gatherThisMachine } from './this-machine.ts';
import { hearFaults } from '../../model/faults.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'coroner-test-machine-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: string | Uint8Array, changed?: Date): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, content);
  if (changed !== undefined) utimesSync(whole, changed, changed);
  return whole;
}

const kill = (pid: number, seconds: number) =>
  `[${seconds}.000000] Memory cgroup out of memory: Killed process ${pid} (python3) total-vm:108056kB, anon-rss:97792kB, file-rss:6276kB, shmem-rss:0kB, UID:0 pgtables:252kB oom_score_adj:0\n`;
const syslogKill = (pid: number, date: string) => `${date} box kernel: ${kill(pid, 77)}`;

interface Commands {
  readonly [command: string]: Partial<Answer> | ((args: readonly string[]) => Partial<Answer>);
}

function machine(commands: Commands = {}, wanted: Wanted = {}): Machine {
  const answerOf = (command: string, args: readonly string[]): Answer => {
    const said = commands[command];
    const answer = typeof said === 'function' ? said(args) : said;
    return {
      status: answer === undefined ? 'absent' : 'answered',
      stdout: '',
      stderr: '',
      truncated: false,
      ...answer,
    };
  };
  return {
    roots: {
      proc: join(root, 'proc'),
      sys: join(root, 'sys'),
      kmsg: join(root, 'dev/kmsg'),
      varLog: join(root, 'var/log'),
      varCrash: join(root, 'var/crash'),
      systemdCoredumps: join(root, 'var/lib/systemd/coredump'),
      systemdPstore: join(root, 'var/lib/systemd/pstore'),
      workingFolder: join(root, 'home'),
    },
    wanted,
    ask: async (command, args) => answerOf(command, args),
    listen: (command, args) => {
      const answer = answerOf(command, args);
      return {
        chunks: (async function* () {
          if (answer.stdout !== '') yield Buffer.from(answer.stdout);
        })(),
        answer: Promise.resolve(answer),
      };
    },
    readStream: (chunks, name) => gatherChunks(chunks, name),
    readFile: async (path, name): Promise<Gathered> => {
      const opened = await openInput(path);
      if (opened.kind === 'bytes') return gatherChunks(opened.chunks, name);
      if (opened.kind === 'core') {
        const { evidence, source } = await readCoreFile(opened.path, name);
        return { evidence, sources: [source] };
      }
      if (opened.kind !== 'unreadable') throw new Error(opened.kind);
      return {
        evidence: [],
        sources: [{ id: 'text', place: name, status: opened.status, detail: opened.why }],
      };
    },
    clock: () => ({ nowMs: Date.parse('2026-01-31T12:00:00Z'), uptimeSeconds: 1000 }),
  };
}

const sourceOf = (sources: readonly SourceReport[], id: string) =>
  sources.find((source) => source.id === id);
const killedPids = ({ evidence }: Gathered) =>
  evidence.flatMap((fact) => (fact.kind === 'kernel-oom-kill' ? [fact.victim.pid] : []));

test('a machine that tells nothing: every source is named with what became of it', async () => {
  const { evidence, sources } = await gatherThisMachine(machine());
  expect(evidence).toEqual([]);
  expect(sourceOf(sources, 'kernel-log')).toMatchObject({
    status: 'absent',
    command: 'sudo coroner diagnose',
  });
  expect(sourceOf(sources, 'journal')).toMatchObject({ status: 'absent' });
  expect(sourceOf(sources, 'system-log')).toMatchObject({ status: 'absent' });
  expect(sourceOf(sources, 'pstore')).toMatchObject({ status: 'absent' });
  expect(sourceOf(sources, 'vmstat')).toMatchObject({ status: 'absent' });
  // Runtimes that are not installed are no news.
  expect(sourceOf(sources, 'docker')).toBeUndefined();
});

test('the ring is dated where the boot was never suspended, and not where it was', async () => {
  put('dev/kmsg', `3,4000,990000000,-;${kill(4711, 0).slice(11)}`);
  put('proc/sys/kernel/random/boot_id', 'b0b0b0b0-0000-4000-8000-000000000000\n');
  const dated = await gatherThisMachine(machine());
  expect(dated.evidence[0]).toMatchObject({
    kind: 'kernel-oom-kill',
    victim: { pid: 4711 },
    when: { wall: '2026-01-31T11:59:50.000Z', uptimeSeconds: 990 },
  });
  const suspended = await gatherThisMachine({ ...machine(), clock: () => null });
  expect(suspended.evidence[0]?.when?.wall).toBeUndefined();
});

test('without /dev/kmsg dmesg is asked; refused, the command that would help is told', async () => {
  const answered = await gatherThisMachine(machine({ dmesg: { stdout: kill(1, 5) } }));
  expect(killedPids(answered)).toEqual([1]);
  expect(sourceOf(answered.sources, 'kernel-log')).toMatchObject({
    place: 'dmesg',
    status: 'read',
  });
  const refused = await gatherThisMachine(
    machine({
      dmesg: {
        status: 'denied',
        stderr: 'dmesg: read kernel buffer failed: Operation not permitted',
      },
    }),
  );
  expect(sourceOf(refused.sources, 'kernel-log')).toMatchObject({
    status: 'denied',
    detail: expect.stringContaining('Operation not permitted'),
    command: 'sudo coroner diagnose',
  });
});

test('the journal of all boots, by default only what is of interest; --since and --boot go to journalctl', async () => {
  let asked: readonly string[] = [];
  const entry = {
    __REALTIME_TIMESTAMP: '1769860800000000',
    _BOOT_ID: 'b0b0b0b0b0b04000800000000000b0b0',
    _TRANSPORT: 'kernel',
    SYSLOG_IDENTIFIER: 'kernel',
    MESSAGE: kill(4711, 0).slice(11).trim(),
  };
  const journalctl = (args: readonly string[]) => {
    asked = args;
    return { stdout: `${JSON.stringify(entry)}\n` };
  };
  const part = await gatherThisMachine(
    machine({ journalctl }, { since: new Date('2026-01-31T00:00:00Z'), boot: '-1' }),
  );
  expect(killedPids(part)).toEqual([4711]);
  expect(part.evidence[0]?.when?.wall).toBe('2026-01-31T12:00:00.000Z');
  expect(asked).toEqual(
    expect.arrayContaining([
      '--output=json',
      '--since=@1769817600',
      '--boot=-1',
      '_TRANSPORT=kernel',
    ]),
  );
  // The ring is of this boot.
  expect(sourceOf(part.sources, 'kernel-log')).toBeUndefined();

  const partly = await gatherThisMachine(
    machine({
      journalctl: {
        stderr: 'Hint: You are currently not seeing messages from other users and the system.',
      },
    }),
  );
  expect(sourceOf(partly.sources, 'journal')).toMatchObject({
    status: 'denied',
    command: expect.stringContaining('systemd-journal'),
  });
});

test('logs in /var/log: rotated and compressed ones, the oldest first; unreadable and odd ones are said', async () => {
  put(
    'var/log/kern.log',
    syslogKill(3, '2026-01-31T10:00:00.000000+00:00'),
    new Date('2026-01-31'),
  );
  put(
    'var/log/kern.log.1',
    syslogKill(2, '2026-01-24T10:00:00.000000+00:00'),
    new Date('2026-01-24'),
  );
  put(
    'var/log/kern.log.2.gz',
    gzipSync(syslogKill(1, '2026-01-17T10:00:00.000000+00:00')),
    new Date('2026-01-17'),
  );
  put('var/log/dpkg.log', syslogKill(99, '2026-01-17T10:00:00.000000+00:00'));
  put('var/log/messages', '\u0000\u0001 not a log');
  mkdirSync(join(root, 'var/log/syslog'));
  symlinkSync(join(root, 'var/log/nowhere'), join(root, 'var/log/syslog.1'));
  const part = await gatherThisMachine(machine());
  expect(killedPids(part)).toEqual([1, 2, 3]);
  const later = await gatherThisMachine(machine({}, { since: new Date('2026-01-29') }));
  expect(killedPids(later)).toEqual([3]);
});

test.skipIf(process.getuid?.() === 0)(
  'a log that may not be read is said (needs an unprivileged user)',
  async () => {
    chmodSync(put('var/log/syslog', syslogKill(1, '2026-01-17T10:00:00Z')), 0o000);
    const { sources } = await gatherThisMachine(machine());
    expect(sourceOf(sources, 'system-log')).toMatchObject({
      status: 'denied',
      command: expect.stringContaining('sudo'),
    });
  },
);

test('cores where core_pattern says, the newest ones; a core gets the time of its file', async () => {
  put('proc/sys/kernel/core_pattern', `${root}/cores/core.%e.%p\n`);
  put('cores/core.naive.4711', nullCrash(), new Date('2026-01-31T11:00:00Z'));
  put('cores/other', nullCrash());
  const part = await gatherThisMachine(machine());
  const cores = part.evidence.filter(({ kind }) => kind === 'core-dump');
  expect(cores).toMatchObject([{ pid: 4711, when: { wall: '2026-01-31T11:00:00.000Z' } }]);
  const { incidents } = diagnose(part);
  expect(incidents).toMatchObject([
    { cause: 'undetermined', victim: { name: 'naive', pid: 4711 } },
  ]);
});

test('a relative core_pattern: the folder one is in, and the word that others lie elsewhere', async () => {
  put('proc/sys/kernel/core_pattern', 'core\n');
  put('home/core', nullCrash());
  put('home/core.4711', nullCrash());
  put('home/core.py', 'print()');
  const part = await gatherThisMachine(machine());
  expect(part.evidence).toHaveLength(2);
  expect(sourceOf(part.sources, 'core-pattern')).toMatchObject({
    detail: expect.stringContaining('the folder in which each program ran'),
  });
});

test('systemd-coredump: its notes and its cores, packed', async () => {
  put('proc/sys/kernel/core_pattern', '|/usr/lib/systemd/systemd-coredump %P %u\n');
  put(
    `var/lib/systemd/coredump/core.naive.1000.${'b'.repeat(32)}.4711.1769860800000000.gz`,
    gzipSync(nullCrash()),
  );
  put(
    `var/lib/systemd/coredump/core.naive.1000.${'b'.repeat(32)}.9.1769860800000000.gz`,
    gzipSync(nullCrash()),
  );
  const info = '           PID: 4711 (naive)\n        Signal: 11 (SEGV)\n  Command Line: ./naive\n';
  const part = await gatherThisMachine(machine({ coredumpctl: { stdout: info } }, { pid: 4711 }));
  expect(part.evidence.map(({ origin }) => origin.source).sort()).toEqual([
    'core',
    'systemd-coredump',
  ]);
  expect(diagnose(part).incidents).toHaveLength(1);
});

test('systemd-coredump has noted none: that is an answer', async () => {
  put('proc/sys/kernel/core_pattern', '|/usr/lib/systemd/systemd-coredump %P %u\n');
  const part = await gatherThisMachine(
    machine({ coredumpctl: { status: 'failed', stderr: 'No match found.\n' } }),
  );
  expect(sourceOf(part.sources, 'systemd-coredump')).toMatchObject({
    status: 'read',
    detail: 'no core dumps were noted',
  });
});

test('a panic in pstore: its parts are put in order', async () => {
  put(
    'sys/fs/pstore/dmesg-erst-1',
    'Panic#1 Part1\n<0>[  100.000002] Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled\n',
  );
  put(
    'sys/fs/pstore/dmesg-erst-2',
    'Panic#1 Part2\n<4>[  100.000001] python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n',
  );
  const part = await gatherThisMachine(machine());
  expect(sourceOf(part.sources, 'pstore')).toMatchObject({ status: 'read', detail: '2 records' });
  expect(part.evidence).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'kernel-oom-without-kill', why: 'panic' }),
    ]),
  );
});

test('containers: what answers, and why the others did not', async () => {
  const id = 'c'.repeat(64);
  const part = await gatherThisMachine(
    machine({
      podman: (args) => ({ stdout: args[0] === 'inspect' ? '[]' : `${id}\nrm -rf /\n` }),
      docker: {
        status: 'denied',
        stderr: 'permission denied while trying to connect to the Docker daemon socket',
      },
      crictl: { status: 'timed-out' },
    }),
  );
  expect(sourceOf(part.sources, 'podman')).toMatchObject({
    status: 'read',
    detail: '1 containers',
  });
  expect(sourceOf(part.sources, 'docker')).toMatchObject({
    status: 'denied',
    command: expect.stringContaining('sudo docker'),
  });
  expect(sourceOf(part.sources, 'crictl')).toMatchObject({
    status: 'absent',
    detail: 'it did not answer within 2 s',
  });
});

test('counters of cgroups that still stand: v1 and v2, the level whose limit it was', async () => {
  put(
    'proc/self/mountinfo',
    '30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 20 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n',
  );
  put('proc/vmstat', 'pgfault 1\noom_kill 4\n');
  const v1 = 'sys/fs/cgroup/memory/job';
  put(`${v1}/memory.oom_control`, 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n');
  put(`${v1}/memory.limit_in_bytes`, '104857600\n');
  put(`${v1}/memory.failcnt`, '12\n');
  const v2 = 'sys/fs/cgroup/unified/pod';
  put(`${v2}/memory.events.local`, 'low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\n');
  put(`${v2}/memory.max`, '209715200\n');
  put(`${v2}/app/memory.events.local`, 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n');
  put(`${v2}/app/memory.max`, 'max\n');
  const part = await gatherThisMachine(machine());
  expect(sourceOf(part.sources, 'vmstat')).toMatchObject({
    detail: expect.stringContaining('killed 4 processes'),
  });
  const { incidents } = diagnose(part);
  expect(incidents).toHaveLength(2);
  expect(incidents).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        cause: 'kernel-cgroup-oom',
        confidence: 'likely',
        limit: { owner: 'cgroup', path: '/job', bytes: 104857600 },
      }),
      expect.objectContaining({
        cause: 'kernel-cgroup-oom',
        confidence: 'weak',
        limit: { owner: 'cgroup', path: '/pod', bytes: 209715200 },
      }),
    ]),
  );
});

test('kills that the log names are not told twice', async () => {
  put('proc/self/mountinfo', '30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n');
  put(
    'sys/fs/cgroup/memory/job/memory.oom_control',
    'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
  );
  put('sys/fs/cgroup/memory/job/memory.failcnt', '12\n');
  const named =
    'oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/job,task_memcg=/job,task=python3,pid=4711,uid=0';
  const part = await gatherThisMachine(
    machine({ dmesg: { stdout: `[9.0] ${named}\n${kill(4711, 9)}` } }),
  );
  const { incidents } = diagnose(part);
  expect(incidents).toMatchObject([{ confidence: 'certain', victim: { pid: 4711 } }]);
});

test('one source that breaks does not take the others with it', async () => {
  put('var/log/kern.log', syslogKill(3, '2026-01-31T10:00:00.000000+00:00'));
  const broken = machine();
  const heard: string[] = [];
  const strict = hearFaults(({ where, stack }) => heard.push(`${where}: ${stack}`));
  const part = await gatherThisMachine({
    ...broken,
    listen: () => {
      throw new Error('no more processes');
    },
  }).finally(() => hearFaults(strict));
  expect(heard).toHaveLength(1);
  expect(heard[0]).toMatch(/^the journal: Error: no more processes\n +at /);
  expect(killedPids(part)).toEqual([3]);
  expect(part.sources).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ id: 'journal', status: 'malformed', detail: 'no more processes' }),
    ]),
  );
});
