/** A process that ends, forks or starts another program under a look: what is said is true of the one that was looked at. */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { closeTarget, openTarget, ProcessKnowledge, type Target } from '../../src/python/target.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { threadStates } from '../../src/python/process/pause.ts';
import { triedVersions } from './target.ts';

let child: ChildProcess | null = null;
afterEach(() => {
  child?.kill('SIGKILL');
  child = null;
});

/** What it prints first. */
async function run(python: string, code: string): Promise<string> {
  child = spawn(python, ['-c', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve) => {
    child!.stdout!.once('data', (data: Buffer) => resolve(data.toString()));
  });
}
async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !what(); i++) await sleep(10);
  expect(what()).toBe(true);
}
function opened(pid: number, known?: ProcessKnowledge): Target {
  const found = openTarget(pid, undefined, undefined, undefined, known);
  if (isRefusal(found)) throw new Error(`${found.detail}`);
  return found;
}
const quickNames = (target: Target, { modules }: ProcessKnowledge): readonly string[] =>
  takeSnapshot(target, { budgetMs: 10_000, quick: true, mayCount: false, modules }).holders!.map(
    ({ name }) => name,
  );

describe.each(triedVersions())('CPython %s', (version, python) => {
  const minor = Number(version.split('.')[1]);
  const holds = 'import os, sys; rows = [str(n) for n in range(20000)]; print(1, flush=True); ';

  test('that starts another program is not taken for it', async () => {
    await run(python, `${holds}sys.stdin.read(1); os.execv("/bin/sleep", ["sleep", "60"])`);
    const target = opened(child!.pid!);
    expect(target.source.isCurrent()).toBe(true);
    child!.stdin!.write('x');
    await until(() => !target.source.isCurrent());
    const picture = takeSnapshot(target, { budgetMs: 10_000 });
    closeTarget(target);
    expect(picture.notes).toContainEqual(expect.stringMatching(/it ended, or started another/));
    expect(picture).not.toHaveProperty('accounted');
    expect(picture).not.toHaveProperty('types');
    const after = openTarget(child!.pid!);
    expect(isRefusal(after) ? after.detail : '').toMatch(/no CPython/);
  });

  test('is not looked for again in the next snapshot, but where another program runs', async () => {
    const next = `import os, sys; sys.stdin.read(1); os.execv(sys.executable, [sys.executable, '-c', ${JSON.stringify('import sys; other = [0] * 300000; print(2, flush=True); sys.stdin.read()')}])`;
    await run(python, `${holds}${next}`);
    const pid = child!.pid!;
    const known = new ProcessKnowledge();
    const first = opened(pid, known);
    closeTarget(first);
    const second = opened(pid, known);
    // 3.6 says nowhere which interpreter is the first.
    if (minor > 6) expect(second.runtime).toBe(first.runtime);
    expect(quickNames(second, known)).toContain('rows');
    closeTarget(second);
    let printed = '';
    child!.stdout!.on('data', (data: Buffer) => (printed += data.toString()));
    child!.stdin!.write('x');
    await until(() => printed.includes('2'));
    const third = opened(pid, known);
    expect(third.runtime).not.toBe(first.runtime);
    expect(quickNames(third, known)).toEqual(['other']);
    closeTarget(third);
  });

  const tooOld = minor < 8 ? ' (needs 3.8, whose module makes them)' : '';
  test.skipIf(tooOld !== '')(
    `that makes a subinterpreter has it in the next snapshot${tooOld}`,
    async () => {
      const make =
        'try: import _interpreters as made\nexcept ImportError: import _xxsubinterpreters as made\nsys.stdin.read(1); kept = made.create(); print(2, flush=True); sys.stdin.read()';
      await run(python, `${holds.replaceAll('; ', '\n')}${make}`);
      const known = new ProcessKnowledge();
      const interpretersOf = () => {
        const target = opened(child!.pid!, known);
        const count = [...target.python.interpreters()].length;
        closeTarget(target);
        return count;
      };
      expect(interpretersOf()).toBe(1);
      let printed = '';
      child!.stdout!.on('data', (data: Buffer) => (printed += data.toString()));
      child!.stdin!.write('x');
      await until(() => printed.includes('2'));
      expect(interpretersOf()).toBe(2);
    },
  );

  test.each([
    ['its objects are counted: figures are lower bounds', false, /figures are lower bounds/],
    ['large values are looked for: some are missing', true, /looked for: some are missing/],
  ])('that ends while %s', async (_, quick, words) => {
    await run(python, `${holds}sys.stdin.read(1)`);
    const target = opened(child!.pid!);
    const picture = takeSnapshot(target, {
      budgetMs: 10_000,
      quick,
      onStep: (step) => {
        if (step !== 'stacks') return;
        child!.kill('SIGKILL');
        // Its death is the kernel's; nothing of this thread runs meanwhile.
        while (target.source.isCurrent()) threadStates(child!.pid!);
      },
    });
    closeTarget(target);
    expect(picture.threads?.length).toBe(1);
    expect(picture.notes).toContainEqual(expect.stringMatching(words));
    expect(picture.holders ?? []).toEqual([]);
  });

  test('that has ended and was not waited for has no memory, and is not said to be no Python', async () => {
    const pid = Number(
      await run(
        python,
        'import os, sys; pid = os.fork(); pid or os._exit(0); print(pid, flush=True); sys.stdin.read(1)',
      ),
    );
    await until(() => threadStates(pid)[0] === 'Z');
    const result = openTarget(pid);
    expect(isRefusal(result) ? result.detail : '').toMatch(/has no memory of its own/);
  });

  test("that was forked has threads of its own, not its parent's", async () => {
    const pid = Number(
      await run(
        python,
        'import os, sys; pid = os.fork(); pid and print(pid, flush=True); sys.stdin.read(1)',
      ),
    );
    await until(() => threadStates(pid)[0] === 'S');
    const target = opened(pid);
    const picture = takeSnapshot(target, { budgetMs: 1000, stacksOnly: true });
    closeTarget(target);
    expect(picture.threads?.map(({ id }) => id)).toEqual([pid]);
  });
});
