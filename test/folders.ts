// Incident folders and what may become of them on a disk: for the property test and for the fuzzer.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { storedReport } from '../src/cli/incident-store.ts';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { isUnreadable } from '../src/gather/gather.ts';
import { gatherIncidentFolder } from '../src/gather/incident-folder/gather-incident.ts';
import type { Recording } from '../src/model/recording.ts';
import type { Report } from '../src/model/report.ts';
import { compareRuns } from '../src/render/compare.ts';
import { renderComparison } from '../src/render/comparison.ts';
import { renderCollapsed } from '../src/render/exports/collapsed.ts';
import { renderGithub } from '../src/render/exports/github.ts';
import { renderJunit } from '../src/render/exports/junit.ts';
import { renderMarkdownReport } from '../src/render/exports/markdown.ts';
import { renderPprof } from '../src/render/exports/pprof.ts';
import { renderSarif } from '../src/render/exports/sarif.ts';
import { renderSpeedscope } from '../src/render/exports/speedscope.ts';
import { renderTerminationLog } from '../src/render/exports/termination-log.ts';
import { renderJson } from '../src/render/json.ts';
import { packRecording } from '../src/render/page/pack.ts';
import { redactRecording, redactReport } from '../src/render/redact.ts';
import { renderTerminal } from '../src/render/terminal.ts';
import { readEnd, readStart } from '../src/store/incidents.ts';
import { root } from './fixtures.ts';

export type Files = Readonly<Record<string, Buffer>>;
export interface BaseFolder {
  readonly name: string;
  readonly files: Files;
  /** Nothing in it speaks of memory. */
  readonly innocent: boolean;
}

/** The files of a folder on disk, by their path in it; what is packed there unpacked. */
function filesBelow(folder: string, prefix = ''): Record<string, Buffer> {
  const files: Record<string, Buffer> = {};
  for (const entry of readdirSync(join(folder, prefix), { withFileTypes: true })) {
    const path = join(prefix, entry.name);
    if (entry.isDirectory()) Object.assign(files, filesBelow(folder, path));
    else if (path.endsWith('.gz'))
      files[path.slice(0, -3)] = gunzipSync(readFileSync(join(folder, path)));
    else if (entry.isFile()) files[path] = readFileSync(join(folder, path));
  }
  return files;
}

const lines = (...values: readonly unknown[]): Buffer =>
  Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));

const start = {
  format: 'coroner-incident/1',
  id: '20260131-120000-abcdef',
  version: '0.1.0',
  command: ['python3', 'train.py'],
  cwd: '/home/me',
  startedAt: '2026-01-31T12:00:00.000Z',
  startedUptimeSeconds: 1000,
  bootId: null,
  machine: { totalBytes: 8e9, swapTotalBytes: 2e9, overcommitMode: 0, maxMapCount: 65530 },
  recorderPid: 2399,
  uid: 1000,
  initialPidNamespace: true,
  options: {},
};
const end = { endedAt: '2026-01-31T12:00:20.000Z', durationMs: 20_000, exitCode: 1, signal: null };
const seen = (pid: number, more: object = {}) => ({
  what: 'process',
  atMs: 5,
  pid,
  parentPid: null,
  name: 'python3',
  command: 'python3 train.py',
  role: 'command',
  cgroup: '/job',
  ...more,
});
const kernelRead = {
  what: 'source',
  atMs: 20_000,
  id: 'kernel-log',
  place: '/dev/kmsg',
  status: 'read',
};
const cgroup = {
  what: 'cgroup',
  atMs: 0,
  id: 0,
  version: 2,
  path: '/job',
  folder: '/sys/fs/cgroup/job',
  level: 0,
  parent: null,
  limitBytes: 104857600,
};
const frame = { function: 'load', file: '/home/me/train.py', line: 42 };
const snapshot = {
  format: 'coroner-look/1',
  pid: 2401,
  name: 'python3',
  atMs: 15_000,
  stage: 'holders',
  rssBytes: 9e7,
  stoppedMs: 40,
  picture: {
    lookedAt: '2026-01-31T12:00:15.000Z',
    threads: [{ id: 1, name: 'MainThread', holdsGil: true, stack: [frame] }],
    types: [{ type: 'list', count: 3, bytes: 5e7 }],
    holders: [
      {
        name: 'rows',
        scope: 'local',
        function: 'load',
        file: '/home/me/train.py',
        line: 42,
        path: 'rows -> list[3]',
        type: 'list',
        ownBytes: 64,
        retainedBytes: 5e7,
        alsoHeldBy: [],
        estimate: true,
      },
    ],
    smells: [{ id: 'small-tuples', holder: 'rows', savesBytes: 1e7, says: 'many small tuples' }],
    notes: ['figures are lower bounds'],
  },
};
const exception = {
  what: 'exception',
  fate: 'uncaught',
  pid: 2400,
  python: '3.11.7',
  time: 1769860815.3,
  stack: [frame],
  message: '',
};

/** It waits for swap, its child is killed by whom nobody knows, the command ends with a MemoryError. */
const strangled: Files = {
  'incident.json': lines(start),
  'events.ndjson': lines(
    cgroup,
    seen(2400),
    seen(2401, { parentPid: 2400, role: 'descendant', otherPids: [17] }),
    {
      what: 'limits',
      atMs: 6,
      pid: 2400,
      limits: [{ owner: 'rlimit', path: 'RLIMIT_AS', bytes: 2e8 }],
    },
    {
      what: 'stall',
      atMs: 12_000,
      begunMs: 4000,
      pid: 2401,
      name: 'python3',
      cgroup: '/job',
      how: 'swap',
      slowdown: 40,
      psiFull: 0.7,
      majorFaultsPerSecond: 900,
      swapBytes: 6e7,
      limit: { owner: 'cgroup', path: '/job', bytes: 104857600 },
      stillGoingOn: true,
    },
    {
      what: 'process-gone',
      atMs: 16_000,
      pid: 2401,
      exitCode: null,
      signal: 'SIGKILL',
      seenAs: 'zombie',
      parentState: 'alive',
    },
    { what: 'process-gone', atMs: 20_000, pid: 2400, exitCode: 1, signal: null, seenAs: 'wait' },
    kernelRead,
    { what: 'note', atMs: 20_001, text: 'sampling fell behind' },
  ),
  'samples.ndjson': lines(
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({
      atMs: n * 2000,
      processes: [
        { pid: 2400, state: 'S', rssBytes: 2e7, vmBytes: 1.5e8, userMs: n, systemMs: n },
        { pid: 2401, state: 'D', rssBytes: 1e7 * n, swapBytes: 5e6 * n, vmBytes: 2e8 },
      ],
      cgroups: [{ id: 0, currentBytes: 1.2e7 * n, limitHits: n, oomKills: n > 7 ? 1 : 0 }],
      host: { availableBytes: 5e9 - n * 1e8, swapFreeBytes: 2e9 - n * 1e8 },
    })),
  ),
  'kernel.log': Buffer.from('6,10,1001900000,-;eth0: link becomes ready\n'),
  'stderr.tail': Buffer.from('Traceback (most recent call last):\nMemoryError\n'),
  'guards.log': Buffer.from('Jan 31 12:00:16 box earlyoom[1]: mem avail: 5000 of 8000 MiB\n'),
  'python/2400.ndjson': lines({ ...exception, type: 'MemoryError', memory: 1, vmBytes: 1.9e8 }),
  'python/2401.fault': Buffer.from(
    'Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n  File "/home/me/train.py", line 42 in load\n',
  ),
  'looks/001-2401.json': lines(snapshot),
  'end.json': lines(end),
};
/** A program with a bug, and all the memory it could want. */
const buggy: Files = {
  'incident.json': lines(start),
  'events.ndjson': lines(
    { ...cgroup, limitBytes: null },
    seen(2400),
    { what: 'process-gone', atMs: 20_000, pid: 2400, exitCode: 1, signal: null, seenAs: 'wait' },
    kernelRead,
  ),
  'samples.ndjson': lines(
    ...[1, 2, 3].map((n) => ({
      atMs: n * 2000,
      processes: [{ pid: 2400, rssBytes: 2e7, vmBytes: 1e8 }],
      cgroups: [{ id: 0, currentBytes: 3e7, limitHits: 0, oomKills: 0 }],
      host: { availableBytes: 6e9, oomKills: 0 },
    })),
  ),
  'stderr.tail': Buffer.from('Traceback (most recent call last):\nValueError: no such column\n'),
  'python/2400.ndjson': lines({ ...exception, type: 'ValueError', message: 'no such column' }),
  'end.json': lines(end),
};

const withReport = (files: Files): Files => {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-base-'));
  try {
    write(folder, files);
    const read = readBack(folder);
    return read === null
      ? files
      : { ...files, 'report.json': Buffer.from(renderJson(read.report)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** One real, with the agent's file and the kernel's own record; two small ones for what it lacks. */
export const baseFolders = (): readonly BaseFolder[] => [
  {
    name: 'killed',
    files: withReport(filesBelow(join(root, 'docs/example/run'))),
    innocent: false,
  },
  { name: 'strangled', files: withReport(strangled), innocent: false },
  { name: 'buggy', files: withReport(buggy), innocent: true },
];

/** What lies in the place of a file. */
export type Entry =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'folder' | 'fifo' | 'absent' }
  | { readonly kind: 'link'; readonly to: string };

export function put(folder: string, path: string, entry: Entry): void {
  const file = join(folder, path);
  rmSync(file, { recursive: true, force: true });
  mkdirSync(dirname(file), { recursive: true });
  switch (entry.kind) {
    case 'bytes':
      return writeFileSync(file, entry.bytes);
    case 'folder':
      mkdirSync(file);
      return;
    case 'fifo':
      spawnSync('mkfifo', [file]);
      if (!existsSync(file)) throw new Error('no FIFO could be made');
      return;
    case 'link':
      return symlinkSync(entry.to, file);
    case 'absent':
  }
}

export function write(folder: string, files: Files): void {
  for (const [path, bytes] of Object.entries(files)) put(folder, path, { kind: 'bytes', bytes });
}

/** Everything that commands read of a folder; null: it is no incident folder any more. */
export function readBack(
  folder: string,
): { readonly report: Report; readonly recording: Recording } | null {
  readStart(folder);
  readEnd(folder);
  const gathered = gatherIncidentFolder(folder);
  return isUnreadable(gathered)
    ? null
    : { report: diagnose(gathered), recording: gathered.recording };
}

const terminal = { columns: 100, color: false, unicode: true, hyperlinks: false, quiet: false };

/** Everything that commands write of it. */
export function renderAll({ report, recording }: NonNullable<ReturnType<typeof readBack>>): void {
  for (const verbose of [false, true]) renderTerminal(report, { ...terminal, verbose, recording });
  JSON.parse(renderJson(report));
  JSON.parse(JSON.stringify(packRecording(recording)));
  redactReport(report);
  redactRecording(recording);
  renderCollapsed(report);
  renderGithub(report, { directory: '/' });
  renderJunit(report);
  renderMarkdownReport(report);
  renderPprof(report);
  renderSarif(report, { version: '0', directory: '/' });
  renderSpeedscope(report, { version: '0' });
  renderTerminationLog(report);
  const run = { name: 'a', report, recording };
  renderComparison(compareRuns(run, run), terminal);
}

/** The report that the run left is shown by `list` and `show`. */
export function renderStored(folder: string): void {
  const report = storedReport(folder);
  if (report === null) return;
  for (const verbose of [false, true])
    renderTerminal(report, { ...terminal, verbose, recording: undefined });
  renderJunit(report);
  renderPprof(report);
  renderMarkdownReport(report);
  renderSarif(report, { version: '0', directory: '/' });
}

const ranks = ['weak', 'likely', 'strong', 'certain'];
/** 0: no memory death is claimed; 4: one is certain. */
export const certainty = ({ incidents }: Report): number =>
  Math.max(
    0,
    ...incidents.map(({ outOfMemory, confidence }) =>
      outOfMemory === true ? ranks.indexOf(confidence) + 1 : 0,
    ),
  );
