import { expect, test } from 'vitest';
import { diagnose } from '../../diagnose/diagnose.ts';
import { changedFiles } from '../../store/incidents.ts';
import { sumOf } from '../../store/checksum.ts';
import { gatherIncident } from './gather-incident.ts';

const start = {
  format: 'coroner-incident/1',
  id: '20260131-120000-abcdef',
  version: '0.1.0',
  command: ['python3', 'train.py'],
  cwd: '/home/me',
  startedAt: '2026-01-31T12:00:00.000Z',
  startedUptimeSeconds: 1000,
  bootId: null,
  machine: {},
  recorderPid: 2399,
  uid: 1000,
  initialPidNamespace: true,
  options: {},
  sums: true,
};
const kernel =
  '3,11,1001900000,-;Memory cgroup out of memory: Killed process 2400 (python3) total-vm:108056kB, anon-rss:97792kB, file-rss:6276kB, shmem-rss:0kB, UID:0 pgtables:252kB oom_score_adj:0\n';
const events = [
  {
    what: 'process',
    atMs: 5,
    pid: 2400,
    parentPid: null,
    name: 'python3',
    command: 'python3 train.py',
    role: 'command',
  },
  {
    what: 'process-gone',
    atMs: 2000,
    pid: 2400,
    exitCode: null,
    signal: 'SIGKILL',
    seenAs: 'wait',
  },
  { what: 'source', atMs: 2000, id: 'kernel-log', place: '/dev/kmsg', status: 'read' },
]
  .map((line) => `${JSON.stringify(line)}\n`)
  .join('');
const written = {
  'incident.json': JSON.stringify(start),
  'events.ndjson': events,
  'kernel.log': kernel,
};
const end = (sums: object | undefined) =>
  JSON.stringify({
    endedAt: '2026-01-31T12:00:02.000Z',
    durationMs: 2000,
    exitCode: null,
    signal: 'SIGKILL',
    ...(sums === undefined ? {} : { sums }),
  });
const sumsOf = (files: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [name, sumOf(text)]));
const { 'kernel.log': _, ...withoutKernel } = written;

function verdict(files: Readonly<Record<string, string>>) {
  const texts = new Map(Object.entries(files));
  const gathered = gatherIncident(texts, null, [], { changed: changedFiles(texts) });
  return gathered === null ? undefined : diagnose(gathered).incidents[0];
}

test('files as their recorder wrote them: the kernel names the process', () => {
  const incident = verdict({ ...written, 'end.json': end(sumsOf(written)) });
  expect(incident).toMatchObject({ cause: 'kernel-cgroup-oom', confidence: 'certain' });
});

test.each([
  [
    'a kernel log that the recorder did not write',
    { ...written, 'end.json': end(sumsOf(withoutKernel)) },
  ],
  ['an end.json without sums', { ...written, 'end.json': end(undefined) }],
  [
    'a kernel log that was changed',
    { ...written, 'end.json': end(sumsOf({ ...written, 'kernel.log': '' })) },
  ],
  ['sums that are none', { ...written, 'end.json': end({ 'kernel.log': null }) }],
  ['a recorder that was killed', written],
])('%s: strong at most, and as this folder tells', (_what, files) => {
  const incident = verdict(files);
  expect(incident?.confidence).not.toBe('certain');
  expect(incident?.headline).toContain('as this folder tells');
  expect(incident?.against).toMatchObject([{ doubt: 'folder' }]);
});

test('a folder of a coroner that wrote no sums is taken as it is', () => {
  const { sums: _sums, ...old } = start;
  const incident = verdict({
    ...written,
    'incident.json': JSON.stringify(old),
    'end.json': end(undefined),
  });
  expect(incident).toMatchObject({ confidence: 'certain' });
});
