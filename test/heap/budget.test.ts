/** The time for a look ends within an object too: one whose length is broken may be as long as all memory, and there may be many. */
import { afterEach, expect, test } from 'vitest';
import { Census } from '../../src/python/heap/census.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { closeTarget, openTarget } from '../../src/python/target.ts';
import { stopped, triedVersions, type Stopped } from './target.ts';

let target: Stopped | null = null;
afterEach(() => target?.end());

test.each(triedVersions())('CPython %s: arrays and structs without an end', async (_, python) => {
  target = await stopped(python, 'tiny.py');
  const opened = openTarget(target.pid);
  if (isRefusal(opened)) throw new Error(`${opened.detail}`);
  const { regions } = opened.memory;
  const { start } = regions.find(({ path }) => path === '[heap]') ?? regions[0]!;
  const words = 1 << 20;
  for (const follow of [
    (census: Census) => census.visitArray(start, words, 0),
    (census: Census) => census.visitWords(start, start + 8 * words, 0),
    (census: Census) => census.visitEntries(start, words, 24, 8, 0),
  ]) {
    let isAsked = 0;
    const census = new Census(opened.python, { deadline: -1 });
    census.checkTime = () => {
      isAsked += 1;
      census.isComplete = false;
      return true;
    };
    follow(census);
    census.release();
    // Asked for, and over at once: not once more for the rest.
    expect([isAsked, census.isComplete]).toEqual([1, false]);
  }
  closeTarget(opened);
});
