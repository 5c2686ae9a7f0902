import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { openTarget } from '../../src/python/target.ts';
import { stopped, versions, type Stopped } from './target.ts';

vi.setConfig({ testTimeout: 120_000 });

let target: Stopped | null = null;
afterEach(() => target?.end());

describe('what a linked list is called', () => {
  if (versions().length === 0) test.skip('every CPython (needs CPython 3.6 to 3.13)', () => {});
  test.each(versions())(
    'CPython %s: by who holds its first node, and without what coroner itself keeps there',
    async (_, python) => {
      target = await stopped(python, 'chain.py', [], {
        env: {
          CORONER_RUN: '/nonexistent',
          PYTHONPATH: fileURLToPath(new URL('../../python-hook', import.meta.url)),
        },
      });
      const opened = openTarget(target.pid);
      if (isRefusal(opened)) throw new Error(`${opened.detail}`);
      const { holders = [] } = takeSnapshot(opened, { budgetMs: 60_000 });
      opened.source.close();
      expect(holders.map(({ name }) => name)).toContain('head');
      expect(holders.map(({ name }) => name)).toContain('settings.cache');
      expect(holders.filter(({ name }) => /\.next/.test(name))).toEqual([]);
      expect(holders.filter(({ file }) => file?.includes('sitecustomize'))).toEqual([]);
    },
  );
});
