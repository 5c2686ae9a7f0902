import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Recording } from '../model/recording.ts';
import { nothingKnown, type Report } from '../model/report.ts';
import { displayWidth } from './terminal/layout.ts';
import { renderTerminal, type TerminalOptions } from './terminal.ts';

const folder = new URL('../../fixtures/reports/', import.meta.url);
const cases = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const read = <T>(name: string, file: string): T | undefined => {
  const path = new URL(`${name}/${file}.json`, folder);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined;
};
const plain: TerminalOptions = {
  columns: 80,
  color: false,
  unicode: true,
  hyperlinks: false,
  verbose: false,
  quiet: false,
};
const show = (name: string, options: Partial<TerminalOptions> = {}): string =>
  renderTerminal(read<Report>(name, 'report') as Report, {
    ...plain,
    recording: read<Recording>(name, 'recording'),
    ...options,
  });

const faces: readonly (readonly [string, Partial<TerminalOptions>])[] = [
  ['60', { columns: 60 }],
  ['80', {}],
  ['120', { columns: 120 }],
  ['80-ascii', { unicode: false }],
  ['80-color', { color: true, hyperlinks: true }],
  ['80-verbose', { verbose: true }],
  ['80-quiet', { quiet: true }],
];

test('a peak that may have been higher unseen is told as "at least"', () => {
  const report = read<Report>('ended-growing', 'report') as Report;
  const recording = read<Recording>('ended-growing', 'recording') as Recording;
  const told = renderTerminal(
    {
      ...report,
      run: { ...report.run!, peak: { ...report.run!.peak!, isLeast: true } },
    },
    {
      ...plain,
      recording: {
        ...recording,
        processes: recording.processes.map((one) => ({ ...one, peakIsLeast: true })),
      },
    },
  ).replaceAll(/\s+/g, ' ');
  expect(told).toContain('How much? at least 74.2 MiB at its peak');
  expect(told).toContain('it may have held more afterwards');
  expect(told).toContain('(peak at least 74.2 MiB');
  expect(show('ended-growing')).not.toContain('at least');
});

describe.each(cases)('%s', (name) => {
  test.each(faces)('%s', async (face, options) => {
    await expect(show(name, options)).toMatchFileSnapshot(
      new URL(`${name}/terminal-${face}.txt`, folder).pathname,
    );
  });

  test.each([40, 60, 80, 120, 400])(
    'no line is longer than %i columns, but for commands',
    (columns) => {
      for (const verbose of [false, true])
        for (const line of show(name, { columns, verbose }).split('\n'))
          if (!/^ *\$ /.test(line)) expect(displayWidth(line), line).toBeLessThanOrEqual(columns);
    },
  );

  test('ASCII means ASCII', () => {
    // oxlint-disable-next-line no-control-regex -- exactly what may be printed
    expect(show(name, { unicode: false, verbose: true })).toMatch(/^[\n\x20-\x7e]*$/);
  });

  test('nothing from outside reaches the terminal as control', () => {
    for (const verbose of [false, true]) {
      const text = show(name, { verbose });
      expect(text).not.toMatch(
        // oxlint-disable-next-line no-control-regex -- exactly what may not be printed
        /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u2028\u202a-\u202e\u2066-\u2069]/,
      );
    }
  });

  test('without colour it says the same as with it', () => {
    // oxlint-disable-next-line no-control-regex -- our own colours
    expect(show(name, { color: true }).replaceAll(/\u001b\[[\d;]*m/g, '')).toBe(show(name));
  });
});

test('an empty incident, where every field is unknown, is still told', () => {
  const text = renderTerminal(
    {
      format: 'coroner/1',
      sources: [],
      incidents: [{ ...nothingKnown, headline: 'It cannot be told' }],
    },
    plain,
  );
  expect(text).toContain('Not known: the evidence that could be read does not tell');
  expect(text).not.toMatch(/undefined|null|NaN/);
});

describe('the gaps on the brief screen', () => {
  const open = (what: string, command: string | null) => ({ what, why: 'so it is', command });
  const screen = (outOfMemory: boolean | null) =>
    renderTerminal(
      {
        format: 'coroner/1',
        sources: [],
        incidents: [
          {
            ...nothingKnown,
            outOfMemory,
            headline: 'It was killed',
            unknown: [
              open('the record', 'sudo dmesg'),
              open('the log', null),
              open('the sender', 'ps'),
              open('the variables', 'coroner run --last-look COMMAND'),
            ],
          },
        ],
      },
      plain,
    );

  test('of a known death are the first, and what the next run can tell', () => {
    expect(screen(true)).toMatch(/The record[^]*The variables/);
    expect(screen(true)).not.toMatch(/The log|The sender/);
  });
  test('of an unknown one are the first three', () => {
    expect(screen(null)).toMatch(/The record[^]*The log[^]*The sender/);
    expect(screen(null)).not.toContain('The variables');
  });
});

describe('a storm of kills is one line', () => {
  const kill = {
    ...nothingKnown,
    outOfMemory: true,
    death: 'assassination',
    cause: 'kernel-cgroup-oom',
    confidence: 'certain',
    victim: { pid: 7, name: 'worker-7' },
    limit: { owner: 'cgroup', path: '/job', bytes: 1 },
  } as const;
  const linesOf = (other: Partial<Report['incidents'][number]>) =>
    renderTerminal(
      {
        format: 'coroner/1',
        incidents: [
          { ...kill, headline: 'the first was killed' },
          { ...kill, headline: 'the second was killed', ...other },
        ],
        sources: [],
      },
      { ...plain, quiet: false },
    );
  const first = /the first was killed/;

  test('where they differ in their number alone, whatever their sentences', () => {
    expect(linesOf({ victim: { pid: 8, name: 'worker-8' } })).not.toMatch(first);
  });
  test.each<[string, Partial<Report['incidents'][number]>]>([
    ['victim', { victim: { pid: 8, name: 'server' } }],
    ['limit', { limit: { owner: 'cgroup', path: '/other', bytes: 1 } }],
    ['confidence', { confidence: 'strong' }],
  ])('and not where the %s is another', (_, other) => {
    expect(linesOf(other)).toMatch(first);
  });
});

test('the curve of a process against --memory-limit says what the limit counts', () => {
  const name = 'assassination-cgroup';
  const report = read<Report>(name, 'report') as Report;
  const recording = read<Recording>(name, 'recording') as Recording;
  const limit = { owner: 'budget', path: '--memory-limit', bytes: 90 * 2 ** 20 } as const;
  const text = renderTerminal(
    { ...report, incidents: report.incidents.map((incident) => ({ ...incident, limit })) },
    { ...plain, columns: 120, recording: { ...recording, cgroups: [] } },
  );
  expect(text).toMatch(/Whose limit\? +--memory-limit: 90 MiB/);
  expect(text.replaceAll(/\s+/g, ' ')).toContain(
    'limit 90 MiB for all processes together, without pages of files)',
  );
});
