/** How much of a process is Python's small objects, told from samples of its memory alone. */
import { afterEach, describe, expect, test } from 'vitest';
import { shareOfPools } from '../../src/python/holders/pools.ts';
import { inWords } from '../../src/model/prose.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { closeTarget, openTarget } from '../../src/python/target.ts';
import { stopped, triedVersions, type Stopped } from './target.ts';

let target: Stopped | null = null;
afterEach(() => target?.end());

describe.each(triedVersions())('CPython %s', (_, python) => {
  test.for([
    ['chain', 300_000, 0.8, 1],
    ['buffers', 400, 0, 0.2],
  ] as const)('%s', async ([kind, most, least, greatest]) => {
    target = await stopped(python, 'reached.py', [kind, String(most)]);
    const opened = openTarget(target.pid);
    if (isRefusal(opened)) throw new Error(inWords(opened.detail));
    try {
      const share = shareOfPools(opened.memory);
      expect(share).toBeGreaterThanOrEqual(least);
      expect(share).toBeLessThanOrEqual(greatest);
    } finally {
      closeTarget(opened);
    }
  });
});
