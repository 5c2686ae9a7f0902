import { expect, test } from 'vitest';
import type { Evidence, ProgramError } from '../../model/evidence.ts';
import type { RecordedProcess } from '../../model/recording.ts';
import { failedAllocation, processExit } from '../../../test/evidence.ts';
import { attributed } from './attribution.ts';

const command = (words: string, pid = 42): RecordedProcess => ({
  pid,
  parentPid: null,
  name: 'python3',
  command: words,
  startedMs: 0,
  endedMs: 9,
  exitCode: 1,
  signal: null,
  samples: { atMs: [], columns: {} },
});
const error = (more: Partial<ProgramError> = {}): ProgramError => ({
  kind: 'program-error',
  origin: { source: 'python-traceback', place: 'stderr.tail:1', ofRun: true, doubt: 'shared' },
  language: 'python',
  type: 'MemoryError',
  message: '',
  resource: 'memory',
  stack: [{ function: 'load', file: '/home/me/app.py', line: 7 }],
  fate: 'uncaught',
  ...more,
});
const first = (evidence: readonly Evidence[], words = 'python3 other.py') =>
  attributed(evidence, { processes: [command(words)], cwd: '/home/me' })[0];
const own = { pid: 42, origin: expect.not.objectContaining({ doubt: 'shared' }) };
const doubtful = { origin: expect.objectContaining({ doubt: 'shared' }) };

test("another program's traceback stays in doubt and without a pid", () => {
  expect(first([error()])).toMatchObject(doubtful);
  expect(first([error()])).not.toHaveProperty('pid');
});

test.each([['python3 app.py'], ['python3 ./app.py --fast'], ['python3 /home/me/app.py']])(
  '%s: its file stands in the command',
  (words) => {
    expect(first([error()], words)).toMatchObject(own);
  },
);

test.each([['/home/me/pkg/tool.py'], ['/usr/lib/pkg/tool/main.py']])(
  'python3 -m pkg.tool runs %s',
  (file) => {
    const stack = [{ function: 'load', file, line: 7 }];
    expect(first([error({ stack })], 'python3 -m pkg.tool')).toMatchObject(own);
  },
);

test('the agent saw a request refused at this very line', () => {
  expect(first([error(), failedAllocation('2026-01-31T12:00:00Z', 1e9)])).toMatchObject(own);
});

test('the hook saw this very exception', () => {
  const hooked = error({ pid: 42, origin: { source: 'python-hook', place: 'python/42.ndjson:1' } });
  expect(first([error(), hooked])).toMatchObject(own);
});

test('the same line of another path: another program', () => {
  const elsewhere = error({ stack: [{ function: 'load', file: '/home/you/app.py', line: 7 }] });
  expect(first([elsewhere, failedAllocation('2026-01-31T12:00:00Z', 1e9)])).toMatchObject(doubtful);
});

test('a pid that the words name: of the run or not', () => {
  expect(first([error({ pid: 42 })])).toMatchObject(own);
  expect(first([error({ pid: 43 })])).toMatchObject(doubtful);
});

test('an abort is of the run where a process of it was ended so', () => {
  const abort: Evidence = {
    kind: 'program-abort',
    origin: { source: 'native-abort', place: 'stderr.tail:1', ofRun: true, doubt: 'shared' },
    reporter: 'std::bad_alloc',
    resource: 'memory',
    message: '',
    stack: [],
  };
  expect(first([abort, processExit({ signal: 'SIGABRT' })])).toMatchObject(own);
  expect(first([abort, processExit({ signal: null, exitCode: 3 })])).toMatchObject(doubtful);
});

test('workers that were refused at one line: the first of them', () => {
  const [later, earlier] = [
    failedAllocation('2026-01-31T12:00:02Z', 1e9, { pid: 44 }),
    failedAllocation('2026-01-31T12:00:01Z', 1e9, { pid: 43 }),
  ];
  expect(first([error(), later, earlier])).toMatchObject({ pid: 43 });
});

const quoted = { origin: expect.objectContaining({ doubt: 'quoted' }) };
const ran = (...names: readonly string[]) =>
  names.map((name, index) => ({ ...command(`${name} err.log`, 42 + index), name }));
test.each([[['cat']], [['sh', 'tail', 'grep']], [['kubectl']], [['bash', 'ssh']]])(
  '%j print what others wrote: whose exception it is is not known',
  (names) => {
    const clean = error({
      origin: { source: 'python-traceback', place: 'stderr.tail:1', ofRun: true },
    });
    const [fact] = attributed([{ ...clean, pid: 42, name: names[0]! }], {
      processes: ran(...names),
      cwd: '/home/me',
    });
    expect(fact).toMatchObject(quoted);
    expect(fact).not.toHaveProperty('pid');
  },
);

test('a shell that has become Python is none of them, where the hook or the agent saw it', () => {
  const hooked = error({ pid: 42, origin: { source: 'python-hook', place: 'python/42.ndjson:1' } });
  const [fact] = attributed([error(), hooked], { processes: ran('sh'), cwd: '/home/me' });
  expect(fact).toMatchObject(own);
});

test.each([[['python3']], [['sh', 'gunicorn']], [['bash', 'java']]])(
  '%j may have met it',
  (names) => {
    const [fact] = attributed([error()], { processes: ran(...names), cwd: '/home/me' });
    expect(fact).not.toMatchObject(quoted);
  },
);
