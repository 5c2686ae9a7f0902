import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Recording } from '../model/recording.ts';
import type { Report } from '../model/report.ts';
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
  expect(report.incidents[0]?.because).toEqual(before.incidents[0]?.because);
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
