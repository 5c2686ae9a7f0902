import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { threadsOf, toThread } from '../../src/python/interpreter/stacks.ts';
import { closeTarget, openTarget } from '../../src/python/target.ts';
import { pythons } from '../have.ts';
import { stopped, type Stopped } from './target.ts';

vi.setConfig({ testTimeout: 120_000 });

let target: Stopped | null = null;
afterEach(() => target?.end());

describe('who holds the GIL, in which interpreter', () => {
  if (pythons().size === 0) test.skip('every CPython (needs CPython)', () => {});
  test.each([...pythons()])('CPython %s', async (_, python) => {
    target = await stopped(python, 'gil.py');
    const opened = openTarget(target.pid);
    if (isRefusal(opened)) throw new Error(`${opened.detail}`);
    const threads = threadsOf(opened.python).map(toThread);
    closeTarget(opened);
    const within = Number(readFileSync(join(target.folder, 'truth'), 'utf8'));

    expect(threads).toHaveLength(within === 0 ? 3 : 5);
    const holders = threads.filter(({ holdsGil }) => holdsGil);
    expect(holders).toHaveLength(1);
    expect(holders[0]?.stack.map((frame) => frame.function)).toEqual(['compute', '<module>']);
    const sleeping = threads.filter(({ subinterpreter }) => subinterpreter !== undefined);
    expect(sleeping.map(({ subinterpreter }) => subinterpreter)).toEqual(
      within === 0 ? [] : [within],
    );
  });
});
