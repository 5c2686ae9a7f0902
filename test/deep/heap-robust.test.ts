import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { isRefusal } from '../../src/python/live-process.ts';
import { look, openTarget } from '../../src/python/look.ts';
import { pause, startGuard, threadStates } from '../../src/python/pause.ts';
import { imageOf, lookAtSpoilt } from '../heap/spoil.ts';
import { start, stopped, versions, type Stopped } from '../heap/target.ts';

let target: Stopped | null = null;
afterEach(() => target?.end());

/** How many of each: 1 is enough for a change of the reader, more for a release. */
const thoroughness = Number(process.env['CORONER_FUZZ'] ?? 1);

describe('looks at processes that change wildly', () => {
  test.each(versions())(
    'CPython %s',
    { timeout: 600_000 * Math.max(1, thoroughness) },
    async (_, python) => {
      const guard = startGuard();
      target = start(python, 'busy.py');
      await sleep(1000);
      const problems: string[] = [];
      for (let i = 0; i < 40 * thoroughness; i++) {
        await sleep(Math.random() * 30);
        if (target.child.exitCode !== null || target.child.signalCode !== null) {
          target = start(python, 'busy.py');
          await sleep(300);
        }
        const { pid } = target;
        // Every third look without stopping it: the memory changes under our hands.
        const paused = i % 3 === 2 ? null : pause(pid, guard, { mostMs: 5000 });
        const begun = performance.now();
        try {
          const opened = openTarget(pid, 16);
          if (isRefusal(opened)) {
            problems.push(opened.detail);
            continue;
          }
          // And some while it dies.
          if (i % 17 === 16) target.child.kill('SIGKILL');
          const picture = look(opened, { budgetMs: 2000, quick: i % 2 === 0 });
          opened.source.close();
          if (i % 17 !== 16 && paused !== null) {
            expect(picture.threads!.length).toBeGreaterThan(0);
            const bytes = (picture.types ?? []).reduce((sum, { bytes: some }) => sum + some, 0);
            expect(bytes).toBeLessThan(2 * 2 ** 30);
          }
        } finally {
          paused?.resume();
        }
        expect(performance.now() - begun).toBeLessThan(60_000);
        expect(threadStates(pid).some((state) => state === 'T')).toBe(false);
      }
      guard.close();
      expect(problems).toEqual([]);
    },
  );
});

describe('spoilt images', () => {
  // 100,000 in all: CORONER_FUZZ=63.
  const looks = Math.ceil(200 * thoroughness);
  test.each(versions())(
    'CPython %s: flipped pointers, loops, holes',
    { timeout: 600_000 * Math.max(1, thoroughness) },
    async (_, python) => {
      target = await stopped(python, 'tiny.py');
      const image = imageOf(target.pid);
      target.end();
      const { faults, refused } = lookAtSpoilt(image, Math.round(Date.now() / 1000) * 1000, looks);
      expect(faults).toEqual([]);
      // Most are spoilt somewhere inside, not beyond recognition: then nothing would have been tried.
      expect(refused).toBeLessThan(looks * 0.9);
    },
  );
});
