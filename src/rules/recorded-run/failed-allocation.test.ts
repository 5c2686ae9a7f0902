import { expect, test } from 'vitest';
import { diagnose } from '../../diagnose/diagnose.ts';
import type {
  Evidence,
  FailedAllocation,
  ProcessExit,
  ProgramError,
} from '../../model/evidence.ts';
import { failedAllocation as refusal, processExit } from '../../../test/evidence.ts';
import { failedAllocation } from './failed-allocation.ts';
import { signalTrace } from './signal-trace.ts';

const exit = (more: Partial<ProcessExit>): ProcessExit =>
  processExit({ when: { wall: '2026-01-31T12:00:01.000Z' }, signal: 'SIGSEGV', ...more });
const justBefore = '2026-01-31T12:00:00.900Z';
const judge = (...evidence: readonly Evidence[]) =>
  failedAllocation.judge(evidence, { sources: [] });

test('refused just before a segfault: disguised, with size and line', () => {
  const [finding] = judge(exit({}), refusal(justBefore, 1e12));
  expect(finding).toMatchObject({
    cause: 'alloc-failure-segfault',
    death: 'disguised',
    confidence: 'strong',
    request: { bytes: 1e12 },
    stack: [{ file: '/home/me/app.py', line: 7 }],
  });
  expect(finding?.headline).toContain('load (app.py:7)');
});

test('refused long before a segfault: says nothing', () => {
  expect(judge(exit({}), refusal('2026-01-31T11:59:00.000Z', 1e12))).toEqual([]);
});

test("another process's refusal: says nothing", () => {
  expect(judge(exit({}), refusal(justBefore, 1e12, { pid: 43 }))).toEqual([]);
});

test('of many refusals the last large one speaks, not the crumbs after it', () => {
  const [finding] = judge(
    exit({}),
    refusal(justBefore, 1e9),
    refusal(justBefore, 1e9 + 1),
    refusal(justBefore, 64),
  );
  expect(finding?.request?.bytes).toBe(1e9 + 1);
});

test.each([
  [{ signal: 'SIGABRT' }, 'alloc-failure-abort'],
  [{ signal: null, exitCode: 1 }, 'alloc-failure-exception'],
] as const)('%o: %s', (how, cause) => {
  expect(judge(exit(how), refusal(justBefore, 1e9))[0]).toMatchObject({
    cause,
    confidence: 'strong',
  });
});

test('a limit of the process is named as the cause of an exception', () => {
  const limit = { owner: 'rlimit', path: 'RLIMIT_AS', bytes: 3e8 } as const;
  expect(
    judge(exit({ signal: null, exitCode: 1 }), refusal(justBefore, 1e9, { limit }))[0],
  ).toMatchObject({
    cause: 'rlimit',
    limit,
    unknown: [],
  });
});

test.each([{ signal: 'SIGKILL' }, { signal: 'SIGTERM' }, { signal: null, exitCode: 0 }] as const)(
  '%o: a refusal is no explanation',
  (how) => {
    expect(judge(exit(how), refusal(justBefore, 1e9))).toEqual([]);
  },
);

test('a core that took a minute to write: the refusal was just before the crash all the same', () => {
  const early = refusal('2026-01-31T11:59:01.000Z', 1e9);
  expect(judge(exit({}), early)).toEqual([]);
  expect(judge(exit({ dumpingMs: 60_000 }), early)[0]).toMatchObject({
    cause: 'alloc-failure-segfault',
  });
});

test('--at-limit kill: its own SIGKILL is explained', () => {
  const limit = { owner: 'budget', path: '--memory-limit', bytes: 1e9 } as const;
  expect(judge(exit({ signal: 'SIGKILL' }), refusal(justBefore, 64, { limit }))[0]).toMatchObject({
    cause: 'alloc-failure-abort',
    variant: 'memory-limit',
    confidence: 'certain',
  });
});

const sender = { pid: 7, name: 'bash', kernel: false };
test('a traced kill names its sender; the kernel, other signals and no trace say nothing here', () => {
  const traced = (more: Partial<ProcessExit>) =>
    signalTrace.judge([exit({ signal: 'SIGKILL', ...more })], { sources: [] });
  expect(traced({ sender })[0]).toMatchObject({
    cause: 'not-memory',
    confidence: 'certain',
    killer: { name: 'bash', pid: 7 },
  });
  expect(traced({ sender: { ...sender, name: 'earlyoom' } })[0]).toMatchObject({
    cause: 'userspace-oom-daemon',
  });
  expect(traced({ sender: { ...sender, name: 'earlyoom' }, signal: 'SIGTERM' })[0]).toMatchObject({
    cause: 'userspace-oom-daemon',
    confidence: 'strong',
  });
  expect(traced({ sender: { ...sender, kernel: true } })).toEqual([]);
  expect(traced({ sender, signal: 'SIGTERM' })).toEqual([]);
  expect(traced({})).toEqual([]);
});

const budget = { owner: 'budget', path: '--memory-limit', bytes: 1e8 } as const;
const raisedAgain = (file: string): ProgramError => ({
  kind: 'program-error',
  origin: { source: 'python-hook', place: 'python/42.ndjson:1', line: 1 },
  when: { wall: '2026-01-31T12:00:09.000Z' },
  language: 'python',
  type: 'MemoryError',
  message: '',
  resource: 'memory',
  stack: [
    { function: 'get', file, line: 774 },
    { function: '<module>', file: '/home/me/app.py', line: 9 },
  ],
  fate: 'uncaught',
  pid: 42,
  headed: true,
});
const ended = exit({ signal: null, exitCode: 1, when: { wall: '2026-01-31T12:00:09.100Z' } });
const ofWorker = (limit: FailedAllocation['limit']) =>
  refusal('2026-01-31T12:00:01.000Z', 4096, { pid: 43, ...(limit === undefined ? {} : { limit }) });

test.each([
  ['/usr/lib/python3.11/multiprocessing/pool.py', budget, 'alloc-failure-exception'],
  ['/usr/lib/python3.11/concurrent/futures/_base.py', budget, 'alloc-failure-exception'],
  ['/venv/lib/python3.11/site-packages/joblib/parallel.py', undefined, 'alloc-failure-exception'],
  [
    '/usr/lib/python3.11/multiprocessing/pool.py',
    { owner: 'rlimit', path: 'RLIMIT_AS', bytes: 1e8 },
    'rlimit',
  ],
] as const)(
  "%s hands a worker's MemoryError on: one incident, the worker's",
  (file, limit, cause) => {
    const { incidents } = diagnose({
      evidence: [ended, raisedAgain(file), ofWorker(limit)],
      sources: [],
    });
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({
      cause,
      victim: { pid: 43 },
      limit: limit ?? null,
      related: [{ pid: 42 }],
      stack: [{ file: '/home/me/app.py', line: 7 }],
    });
  },
);

test('a MemoryError of its own beside a worker that was refused: nobody handed it on', () => {
  const own = raisedAgain('/home/me/lib.py');
  expect(judge(ended, own, ofWorker(budget))).toEqual([]);
});

test('a thread was refused long before the end: its limit and size are told all the same', () => {
  const inThread: ProgramError = {
    ...raisedAgain('/home/me/app.py'),
    when: { wall: '2026-01-31T12:00:00.000Z' },
    fate: 'thread',
    stack: [{ function: 'load', file: '/home/me/app.py', line: 7 }],
  };
  const { incidents } = diagnose({
    evidence: [ended, inThread, refusal('2026-01-31T12:00:00.000Z', 1e6, { limit: budget })],
    sources: [],
  });
  expect(incidents).toMatchObject([
    { limit: budget, variant: 'memory-limit', request: { bytes: 1e6 } },
  ]);
  expect(incidents[0]?.unknown.map(({ what }) => what)).not.toContainEqual(
    expect.stringContaining('Which limit'),
  );
});
