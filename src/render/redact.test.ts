import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Recording } from '../model/recording.ts';
import { nothingKnown, type Report } from '../model/report.ts';
import { isOwnHook, isUserFrame } from '../model/stack.ts';
import { redactRecording, redactReport } from './redact.ts';

const read = <T>(file: string): T =>
  JSON.parse(
    readFileSync(
      new URL(`../../fixtures/reports/assassination-cgroup/${file}.json`, import.meta.url),
      'utf8',
    ),
  ) as T;

test('no argument, directory or line of source is left; the verdict is the same', () => {
  const before = read<Report>('report');
  const report = redactReport(before);
  // This fixture's remedies were written by hand, with the command in them.
  const text = JSON.stringify(report.incidents.map((incident) => ({ ...incident, remedies: [] })));
  expect(text).not.toContain('big.jsonl');
  expect(text).not.toContain('json.loads(line)');
  expect(report.incidents[0]?.victim?.command).toBe('python3 [redacted]');
  // Remedies' commands are ours.
  expect(report.incidents[0]?.remedies[2]?.command).toBe('coroner explain dicts-of-one-shape');
  expect(report.incidents[0]?.headline).toBe(before.incidents[0]?.headline);
  expect(report.incidents[0]?.because.map(({ says }) => says)).toEqual(
    before.incidents[0]?.because.map(({ says }) => says),
  );
  // A log line goes, a figure stays.
  expect(report.incidents[0]?.because.map(({ quote }) => quote)).toEqual([
    undefined,
    undefined,
    'oom_kill 1',
    'SIGKILL',
  ]);
});

test('the recording likewise; its figures stay', () => {
  const before = read<Recording>('recording');
  const recording = redactRecording(before);
  expect(recording.command).toEqual(['python3', '[redacted]']);
  expect(recording.cwd).toBe('[redacted]');
  expect(recording.processes[0]?.command).toBe('python3 [redacted]');
  expect(recording.processes[0]?.samples).toEqual(before.processes[0]?.samples);
  expect(JSON.stringify(recording)).not.toContain('big.jsonl');
});

test('what started is told anew by name and pid: the words may be the whole command', () => {
  const before = read<Recording>('recording');
  const [process] = before.processes;
  const start = { atMs: 0, what: 'start' as const };
  const { events } = redactRecording({
    ...before,
    events: [
      { ...start, pid: process!.pid, text: 'python3 app.py --token abc (pid 7) started' },
      { ...start, pid: 999_999, text: 'curl --token abc (pid 8) started' },
    ],
  });
  expect(events.map(({ text }) => text)).toEqual([
    `${process!.name} (pid ${process!.pid}) started`,
    '[redacted]',
  ]);
});

const incident = (more: object): Report => ({
  format: 'coroner/1',
  sources: [],
  incidents: [{ ...nothingKnown, ...more }],
});
test.each([
  // Directories; base names, functions and line numbers stay.
  ['refused at load (/home/bob/acme/app.py:7)', 'refused at load ([redacted]/app.py:7)'],
  ['File "C:\\Users\\bob\\acme\\app.py", line 7', 'File "[redacted]/app.py", line 7'],
  ['see src/acme/app.py:7', 'see [redacted]/app.py:7'],
  ['~/acme/app.py', '[redacted]/app.py'],
  ['in /home/bob/acme it ran', 'in [redacted] it ran'],
  ['cgroup /system.slice/acme.service', 'cgroup [redacted]/acme.service'],
  // Hosts, users, addresses.
  ['node box-17 and bob', 'node [redacted] and [redacted]'],
  ['mail bob@acme.example.org, 10.20.30.40:5432', 'mail [redacted], [redacted]:5432'],
  ['postgres://bob@db/shop is gone', '[redacted] is gone'],
  // What a program said.
  ['it said: no order 4711 of Smith', 'it said: [redacted]'],
  // Nobody's.
  ['/dev/kmsg:12', '/dev/kmsg:12'],
  ['agent/42.mem and/or 3/4', 'agent/42.mem and/or 3/4'],
  ['cgroup /job: 100 MiB, 3.11.7, 7.6 MiB/s', 'cgroup /job: 100 MiB, 3.11.7, 7.6 MiB/s'],
])('%s', (headline, expected) => {
  const because = [
    {
      says: 'it said so',
      source: 'python-traceback',
      place: 'err.log:3',
      quote: 'Jan 31 12:00:00 box-17 app[1]: up\nKeyError: no order 4711 of Smith',
    },
  ];
  const stack = [{ function: 'bob', file: '/home/bob/acme/app.py', line: 7, text: 'x = 1' }];
  const [told] = redactReport(incident({ headline, because, stack })).incidents;
  expect(told?.headline).toBe(expected);
  expect(told?.stack).toEqual([{ function: 'bob', file: '[redacted]/app.py', line: 7 }]);
  expect(told?.because[0]).toEqual({
    says: 'it said so',
    source: 'python-traceback',
    place: 'err.log:3',
  });
});

test("a reason that is nothing but a program's words says that there were some", () => {
  const says = 'sending SIGTERM to process 7 uid 1000 "acme"';
  const because = [{ says, source: 'guards', place: 'a.log:1', quote: `earlyoom: ${says}` }];
  const [told] = redactReport(incident({ because })).incidents;
  expect(told?.because[0]?.says).toBe('guards says so in words of its own [redacted]');
});

test('whose code a frame is can still be told', () => {
  const files = [
    '/home/bob/acme/app.py',
    '/home/bob/venv/lib/python3.11/site-packages/acme/frame.py',
    '/usr/lib/python3.11/json/decoder.py',
    '/opt/coroner/python-hook/sitecustomize.py',
    '<string>',
    'app.py',
  ];
  const stack = files.map((file) => ({ function: 'f', file, line: 1 }));
  const told = redactReport(incident({ stack })).incidents[0]?.stack ?? [];
  expect(told.map(isUserFrame)).toEqual(stack.map(isUserFrame));
  expect(told.map(isOwnHook)).toEqual(stack.map(isOwnHook));
  expect(JSON.stringify(told)).not.toMatch(/bob|acme|json|opt/);
});

test("names of variables stay, keys of the program's data do not", () => {
  const holder = {
    name: 'cache',
    scope: 'global',
    function: null,
    file: '/home/bob/a.py',
    line: 3,
    path: `cache -> dict['smith@example.org'] -> list[5]`,
    type: 'list',
    ownBytes: 1,
    retainedBytes: 2,
    alsoHeldBy: ['app.index'],
    estimate: false,
  };
  const told = redactReport(incident({ memory: { holders: [holder] } })).incidents[0]?.memory;
  expect(told?.holders?.[0]).toEqual({
    ...holder,
    file: '[redacted]/a.py',
    path: `cache -> dict['[redacted]'] -> list[5]`,
  });
});
