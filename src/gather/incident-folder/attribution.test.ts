import { describe, expect, test } from 'vitest';
import type { Evidence, ProgramError } from '../../model/evidence.ts';
import type { RecordedProcess } from '../../model/recording.ts';
import { failedAllocation, processExit } from '../../../test/evidence.ts';
import { attributed, splitOthers } from './attribution.ts';

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

describe('a traceback that begins in a module which', () => {
  const begun = (file: string, outermost = '<module>') =>
    error({
      stack: [
        { function: 'load', file, line: 2 },
        { function: outermost, file, line: 3 },
      ],
    });
  const split = (fact: ProgramError, ...commands: readonly (string | null)[]) =>
    splitOthers([fact], {
      processes: commands.map((words, index) => ({
        ...command(words ?? '', 42 + index),
        command: words,
      })),
    });

  test.each([
    [['python3 mine.py']],
    [["sh -c 'sleep 1; exit 7'"]],
    [['./server --port 80', 'python3 -m mine.tool']],
    [['python3 /srv/you/mine.py']],
  ])('no process of %j was started with is another one', (commands) => {
    const fact = begun('/home/me/other.py');
    expect(split(fact, ...commands)).toEqual({
      own: [],
      others: [{ place: 'stderr.tail:1', program: '/home/me/other.py' }],
    });
  });

  test.each([
    ['other.py', '/home/me/other.py', ['sh run.sh', 'python3 other.py']],
    ['the same name elsewhere, after a chdir', '/home/me/other.py', ['python3 ../you/other.py']],
    ['a folder', '/home/me/job/__main__.py', ['python3 job/']],
    ['a package', '/srv/pkg/tool.py', ['python3 -m pkg.tool']],
    ['a console script', '/usr/bin/celery', ['/usr/bin/python3 /usr/bin/celery worker']],
    ['a cell', '/tmp/ipykernel_7/1.py', ['python3 -m ipykernel_launcher -f k.json']],
    ['a command that is not known', '/home/me/other.py', ['python3 mine.py', null]],
    ['no process at all', '/home/me/other.py', []],
  ])('may be of the run stays: %s', (_, file, commands) => {
    expect(split(begun(file), ...commands).own).toHaveLength(1);
  });

  test('no process was started with, where only a shell went unread', () => {
    const shell = { ...command('', 43), name: 'sh', command: null };
    const processes = [command('python3 mine.py'), shell];
    expect(splitOthers([begun('/home/me/other.py')], { processes }).own).toEqual([]);
  });

  test('is not told by the words stays in doubt; so does what is borne out', () => {
    expect(split(begun('/home/me/lib.py', 'run'), 'python3 mine.py').own).toHaveLength(1);
    expect(split(begun('<string>'), 'python3 mine.py').own).toHaveLength(1);
    const { doubt: _, ...origin } = begun('/home/me/other.py').origin;
    expect(split({ ...begun('/home/me/other.py'), origin }, 'python3 mine.py').own).toHaveLength(1);
  });
});
