/** Headline, answers, exports and the list of failures name the same line of the same stack. */
import { expect, test } from 'vitest';
import { nothingKnown, type Incident, type Report, type StackFrame } from '../model/report.ts';
import { formatFrame, frameName } from '../model/stack.ts';
import { atUsersLine } from '../rules/shared/subjects.ts';
import { fiveAnswers } from './answers.ts';
import { renderGithub } from './exports/github.ts';
import { renderSarif } from './exports/sarif.ts';
import { renderTerminal } from './terminal.ts';

const own: StackFrame = { function: 'build', file: '/srv/Lib/job.py', line: 14 };
const library = (file: string | null): StackFrame => ({ function: 'inner', file, line: 232 });

test.each([
  '<__array_function__ internals>',
  '<frozen importlib._bootstrap>',
  '/opt/python/lib/python3.12/site-packages/numpy/_core/numeric.py',
  '/Library/Frameworks/Python.framework/Versions/3.12/Resources/x.py',
  'C:\\Python312\\Lib\\json\\decoder.py',
  '/home/me/.pyenv/versions/3.12.1/bin/x.py',
  '/usr/lib/python312.zip/json/decoder.py',
  'pandas/_libs/parsers.pyx',
  null,
])('past a frame in %s', (file) => {
  const stack = [library(file), own];
  const incident: Incident = {
    ...nothingKnown,
    outOfMemory: true,
    death: 'obvious',
    cause: 'alloc-failure-exception',
    headline: `Refused${atUsersLine(stack)}`,
    stack,
    memory: { failures: [{ bytes: 4096, errno: 'ENOMEM', stack }] },
  };
  const report: Report = { format: 'coroner/1', incidents: [incident], sources: [] };
  expect(incident.headline).toContain(formatFrame(own));
  const where = fiveAnswers(incident).find(({ question }) => question === 'Where in the code?');
  expect(where?.answer).toBe(frameName(own));
  expect(renderGithub(report, { directory: '/srv' }).commands).toContain('file=Lib/job.py,line=14');
  const sarif = JSON.parse(renderSarif(report, { version: '0', directory: '/srv' })) as {
    runs: { results: { locations: unknown[] }[] }[];
  };
  expect(JSON.stringify(sarif.runs[0]?.results[0]?.locations)).toContain('"startLine":14');
  const terminal = renderTerminal(report, {
    columns: 200,
    color: false,
    unicode: true,
    hyperlinks: false,
    verbose: true,
    quiet: false,
  });
  expect(terminal).toContain('ENOMEM at build (/srv/Lib/job.py:14)');
});
