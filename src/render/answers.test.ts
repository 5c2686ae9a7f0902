import { expect, test } from 'vitest';
import { verdictWord } from '../model/incident.ts';
import { nothingKnown, type Incident, type Report } from '../model/report.ts';
import { fiveAnswers } from './answers.ts';
import { renderMarkdownReport } from './exports/markdown.ts';
import { renderTerminal } from './terminal.ts';

const answerTo = (question: string, incident: Partial<Incident>): string =>
  fiveAnswers({ ...nothingKnown, ...incident }).find((each) => each.question === question)
    ?.answer ?? '';

test.each(['slow', 'obvious', 'disguised', 'assassination', 'none'] as const)(
  'what may not have been memory has none of the names of its deaths: %s',
  (death) => {
    expect(verdictWord(nothingKnown)).toBe('Not known');
    expect(answerTo('Which death?', { death, outOfMemory: null })).toMatch(/^Not known/);
    if (death !== 'none')
      expect(answerTo('Which death?', { death, outOfMemory: true }).toLowerCase()).toMatch(
        new RegExp(`^${death}: `),
      );
  },
);

test('who ended it is told where it is known, and that it was ended where it is not', () => {
  const killed = { death: 'assassination', cause: 'kernel-cgroup-oom', outOfMemory: true } as const;
  expect(answerTo('Which death?', { ...killed, killer: { name: 'kernel' } })).toBe(
    'Assassination: the kernel ended it (kernel-cgroup-oom)',
  );
  expect(answerTo('Which death?', killed)).toBe(
    'Assassination: it was ended from outside (kernel-cgroup-oom)',
  );
  expect(answerTo('Which death?', { death: 'assassination', killer: { name: 'kubelet' } })).toBe(
    'Not known: kubelet ended it (undetermined)',
  );
});

const open: Incident = {
  ...nothingKnown,
  death: 'assassination',
  headline: 'It was killed',
  because: [{ says: 'a shell saw it end', source: 'shell', place: 'out:1' }],
  unknown: [{ what: 'who sent the signal', why: 'many can', command: 'dmesg' }],
  remedies: [{ title: 'Find the witness', detail: '', command: null }],
};

test.each([false, true])('no heading stands twice on one screen, verbose: %s', (verbose) => {
  const report: Report = { format: 'coroner/1', incidents: [open], sources: [] };
  const lines = renderTerminal(report, {
    columns: 80,
    color: false,
    unicode: true,
    hyperlinks: false,
    verbose,
    quiet: false,
  }).split('\n');
  const headings = lines.filter((line) => /^ {2}[A-Z][^.]*$/.test(line) && !line.includes('   '));
  expect(headings).toContain('  What now?');
  expect(headings).toContain('  What we know');
  expect(headings).toContain('  What remains unknown, and how to find out');
  expect(new Set(headings).size).toBe(headings.length);
  expect(lines.filter((line) => line.includes('What now?'))).toHaveLength(1);
  expect(renderMarkdownReport(report)).toContain('<summary>What we know (1)</summary>');
});

test('only what a command can tell is promised to be found out', () => {
  const unknown = [{ what: 'who sent the signal', why: 'many can', command: null }];
  const report: Report = {
    format: 'coroner/1',
    incidents: [{ ...open, unknown }],
    sources: [],
  };
  expect(renderMarkdownReport(report)).toContain('**What remains unknown**');
});

const othersOf = (related: NonNullable<Incident['related']>) =>
  fiveAnswers({ ...nothingKnown, related }).find(({ question }) => question === 'Which death?')
    ?.details;

test('others that died alike are counted by their relation, not by its words', () => {
  expect(
    othersOf([
      { pid: 8, relation: 'killed-with-it', how: 'killed too' },
      { pid: 9, relation: 'killed-with-it', how: 'killed as well' },
      { pid: 1, relation: 'parent', how: 'killed too' },
    ]),
  ).toEqual(['2 others: killed too', '1 more were involved']);
});
test('a report without relations names the first', () => {
  expect(
    othersOf([
      { pid: 8, name: 'a', how: 'killed too' },
      { pid: 9, name: 'b', how: 'killed too' },
    ]),
  ).toEqual(['a (pid 8): killed too', '1 more were involved']);
});
