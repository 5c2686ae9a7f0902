import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeCgroup, type TestCgroup } from '../cgroup.ts';
import type { Ask } from '../../src/record/final-snapshot/ask-file.ts';
import { cgroup, deep, everyPython, newestPythons } from '../have.ts';
import { noAgent, underAgent } from './under-agent.ts';

const program = (name: string) => new URL(`../programs/agent/${name}`, import.meta.url).pathname;
const mib = 2 ** 20;
const budget = 128 * mib;

const found = [...everyPython()];
const [, python = ''] =
  found.find(([version]) => version.startsWith('3.11.')) ?? found.at(-1) ?? [];
const reason = python === '' ? 'needs CPython 3.6 to 3.15' : (noAgent(python) ?? cgroup());

describe.skipIf(reason)(`--memory-limit${reason ? ` (${reason})` : ''}`, () => {
  let group: TestCgroup | undefined;
  const inCgroup = () =>
    (group ??= makeCgroup('agent-limit', { limitBytes: Math.floor(budget * 1.1), swapBytes: 0 }))
      .enter;
  afterAll(() => group?.remove());
  const file = join(tmpdir(), `coroner-test-${process.pid}.bin`);
  afterAll(() => rmSync(file, { force: true }));

  const kinds = ['dicts', 'strings', 'bytearrays', 'blocks', 'list', 'text', 'ctypes'];
  const oneAndNewest = [python, ...(deep ? newestPythons().values() : [])];
  test.each(oneAndNewest)(
    '%s: growing programs get MemoryError at the growing line before the kernel acts',
    async (each) => {
      const wrong: string[] = [];
      let runs = 0;
      for (const kind of deep ? [...kinds, ...kinds, ...kinds] : kinds) {
        const { stdout, exitCode, signal, files } = await underAgent(
          [each, program('grow.py'), kind],
          { memoryLimitBytes: budget, enter: inCgroup() },
        );
        runs += 1;
        const refusal = files[0]?.failures.find(({ byLimit }) => byLimit);
        if (exitCode !== 3 || !stdout.startsWith('MemoryError right') || refusal === undefined)
          wrong.push(`${kind}: ${stdout.trim()} ${exitCode} ${signal}`);
      }
      expect({ runs, wrong: wrong.length > 1 ? wrong : [] }).toEqual({
        runs: deep ? 21 : 7,
        wrong: [],
      });
    },
    120_000,
  );

  test('a program below its budget never meets it', async () => {
    const { stdout, files } = await underAgent(
      [python, program('under_budget.py'), String(budget), file],
      {
        memoryLimitBytes: budget,
        enter: inCgroup(),
      },
    );
    expect(stdout).toBe('ok\n');
    expect(files[0]?.limit).toMatchObject({ bytes: budget, hits: 0 });
  });

  test('the whole tree shares one budget', async () => {
    const words = async (each: number) =>
      (
        await underAgent([python, program('tree.py'), String(each)], {
          memoryLimitBytes: budget,
          enter: inCgroup(),
        })
      ).stdout;
    expect(await words(40 * mib)).toContain('refused');
    expect(await words(10 * mib)).toBe('full full full full\n');
  });

  test('after a refusal there is room for what the exception is told with, and not for more', async () => {
    const script = `
keep = []
try:
    while True: keep.append({"row": len(keep)})
except MemoryError: pass
table = bytearray(b"x") * (200 << 10)
try:
    more = bytearray(b"x") * (40 << 20)
except MemoryError: print("refused again")
`;
    const { stdout, exitCode } = await underAgent([python, '-c', script], {
      memoryLimitBytes: budget,
    });
    expect({ stdout, exitCode }).toEqual({ stdout: 'refused again\n', exitCode: 0 });
  });

  const growing: readonly [string, ...string[]] = [python, program('grow.py'), 'dicts'];

  test('who is refused waits for the answer, once, and is refused all the same', async () => {
    const asks: Ask[] = [];
    const { exitCode, stdout, files, waitingPid } = await underAgent(growing, {
      memoryLimitBytes: budget,
      answering: (ask) => asks.push(ask),
    });
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/^MemoryError right/);
    expect(asks.map(({ pid }) => pid)).toEqual([files[0]?.pid]);
    expect(asks[0]?.usedBytes).toBeGreaterThan(budget * 0.9);
    expect(asks[0]?.usedBytes).toBeLessThan(budget * 1.1);
    expect(waitingPid).toBe(0);
  });

  test('where nobody answers it is refused after its time, and nobody else waits', async () => {
    const { exitCode, stdout, promisedUntilNs, waitingPid } = await underAgent(growing, {
      memoryLimitBytes: budget,
      answering: null,
    });
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/^MemoryError right/);
    expect({ promisedUntilNs, waitingPid }).toEqual({ promisedUntilNs: 0n, waitingPid: 0 });
  });

  test('with --at-limit report it asks again after each tenth of growth', async () => {
    const asks: Ask[] = [];
    const { stdout } = await underAgent([...growing, String(96 * mib)], {
      memoryLimitBytes: 48 * mib,
      atLimit: 'report',
      answering: (ask) => asks.push(ask),
    });
    expect(stdout).toMatch(/^enough/);
    expect(asks.length).toBeGreaterThan(3);
    for (const [index, { usedBytes }] of asks.entries())
      if (index > 0) expect(usedBytes).toBeGreaterThanOrEqual(asks[index - 1]!.usedBytes * 1.1 - 1);
  });

  test('--at-limit report refuses nothing and counts, kill ends it with a record of the line', async () => {
    const report = await underAgent([python, program('grow.py'), 'dicts', String(96 * mib)], {
      memoryLimitBytes: 64 * mib,
      atLimit: 'report',
    });
    expect(report.stdout).toMatch(/^enough/);
    expect(report.files[0]?.limit?.hits).toBeGreaterThan(0);
    const kill = await underAgent([python, program('grow.py'), 'dicts', String(96 * mib)], {
      memoryLimitBytes: 64 * mib,
      atLimit: 'kill',
    });
    expect(kill.signal).toBe('SIGKILL');
    expect(kill.files[0]?.failures[0]).toMatchObject({ byLimit: true });
    // Now and then it is a request of what `grow` calls to measure itself.
    expect(kill.files[0]?.failures[0]?.stack.map((frame) => frame.function)).toContain('grow');
  });
});
