/** What estimates reach: structures of any depth, what is still being built, what only a suspended call keeps. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { quickHolders } from '../../src/python/holders/quick.ts';
import { Interpreter } from '../../src/python/interpreter/interpreter.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import { inWords } from '../../src/model/prose.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { SparseMemory } from '../../src/python/process/sparse-memory.ts';
import { closeTarget, openTarget, smallChunks } from '../../src/python/target.ts';
import type { Holder } from '../../src/model/report.ts';
import { stopped, triedVersions, type Stopped } from './target.ts';

let target: Stopped | null = null;
afterEach(() => target?.end());

interface Reached {
  readonly holders: readonly Holder[];
  readonly grownBytes: number;
}

/** The estimate of a program that made so many of a kind. Without a time limit: what is tested is where the walk gets to. */
async function reached(python: string, kind: string, most: number): Promise<Reached> {
  target = await stopped(python, 'reached.py', [kind, String(most)]);
  const opened = openTarget(target.pid, 64, smallChunks);
  if (isRefusal(opened)) throw new Error(inWords(opened.detail));
  const memory = new SparseMemory(opened.source);
  try {
    const reader = new Interpreter(memory, opened.runtime);
    const { holders } = quickHolders(reader, threadsOf(reader), performance.now() + 60_000);
    const { bytes } = JSON.parse(readFileSync(join(target.folder, 'truth'), 'utf8')) as {
      bytes: number;
    };
    return { holders, grownBytes: bytes };
  } finally {
    memory.release();
    closeTarget(opened);
  }
}

const kinds: readonly (readonly [kind: string, most: number, name: RegExp, path: RegExp])[] = [
  ['class_cache', 80_000, /^Cache\.entries$/, /-> dict\[str\]/],
  ['chain', 150_000, /^(first|last)$/, /Link/],
  ['from_generator', 120_000, /^listed$/, /\(being built\) -> list.*-> tuple/],
  ['comprehension', 100_000, /^records$/, /\(being built\) -> list.*-> dict/],
  ['awaited', 100_000, /^table$/, /\(being built\) -> dict/],
  ['attribute', 100_000, /^self\.items$/, /\(being built\) -> list/],
  ['sqlite', 150_000, /^fetched$/, /sqlite3\.Row/],
  ['cycles', 40_000, /^families$/, /Parent -> \.children/],
  ['exceptions', 12_000, /^errors$/, /ValueError -> traceback/],
  ['trie', 20_000, /^root$/, /dict\[str\]/],
  ['memoised', 150_000, /^memo$/, /dict\[tuple\]/],
  ['cached_calls', 150_000, /^computed$/, /_lru_cache_wrapper/],
  ['counted', 120_000, /^grams$/, /Counter\[tuple\]/],
  ['queued', 100_000, /^jobs$/, /Queue -> (collections\.)?deque/],
  ['closure', 250_000, /^seen$/, /dict/],
  ['tasks', 60_000, /^results$/, /list.*-> dict/],
];

describe.each(triedVersions())('CPython %s', (_, python) => {
  test.each(kinds)('%s', async (kind, most, name, path) => {
    const { holders, grownBytes } = await reached(python, kind, most);
    const [first] = holders;
    expect(first?.name).toMatch(name);
    expect(first!.path).toMatch(path);
    expect(first!.retainedBytes / grownBytes).toBeGreaterThan(0.7);
    expect(first!.retainedBytes / grownBytes).toBeLessThan(1.25);
  });
  test('what nothing has touched is not held', async () => {
    const { holders, grownBytes } = await reached(python, 'untouched', 40_000);
    expect(holders.find(({ name }) => name === 'held')!.retainedBytes).toBeGreaterThan(38 << 20);
    for (const { retainedBytes } of holders) expect(retainedBytes).toBeLessThan(grownBytes * 1.1);
  });
});
