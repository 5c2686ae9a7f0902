import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Thread } from '../../src/model/report.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { openTarget } from '../../src/python/target.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import { toThread } from '../../src/python/interpreter/stacks.ts';
import { command, pythons } from '../have.ts';
import { stopped, triedVersions, versions, type Stopped } from './target.ts';

vi.setConfig({ testTimeout: 120_000 });

let target: Stopped | null = null;
afterEach(() => target?.end());

function stacksOf(pidOrCore: number | string): readonly Thread[] {
  const opened = openTarget(pidOrCore);
  if (isRefusal(opened)) throw new Error(`${opened.detail}`);
  const threads = threadsOf(opened.python).map(toThread);
  opened.source.close();
  return threads;
}

interface Call {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

/** faulthandler's text: at most 100 calls a thread. */
function faulthandler(text: string): readonly (readonly Call[])[] {
  return text
    .split(/^(?:Current thread|Thread) .*$/m)
    .slice(1)
    .map((part) =>
      [...part.matchAll(/^ {2}File "(.*)", line (\d+) in (.*)$/gm)].map(([, file, line, name]) => ({
        file: file!,
        line: Number(line),
        name: name!,
      })),
    );
}

/** As the others count: names without the class, and without the line at which the program stopped itself a little later. */
const calls = (thread: Thread): readonly Call[] =>
  thread.stack.map(({ function: name, file, line }) => {
    const short = name.split('.').at(-1)!;
    return { name: short, file: file ?? '', line: short === 'stop' ? 0 : (line ?? 0) };
  });
const asText = (stack: readonly Call[]): string =>
  stack.map(({ name, file, line }) => `${name} ${file}:${name === 'stop' ? 0 : line}`).join('\n');

/** A suite must not be empty where there is none: what it lacks is said by name. */
const needsPython = () => {
  if (versions().length === 0) test.skip('every CPython (needs CPython 3.6 to 3.13)', () => {});
};

describe('stacks of a living process', () => {
  needsPython();
  test.each(triedVersions())(
    'CPython %s: as faulthandler and sys._current_frames say, line for line',
    async (_, python) => {
      target = await stopped(python, 'stacks.py');
      const threads = stacksOf(target.pid);
      const own = threads.map((thread) => asText(calls(thread)));

      const complete = Object.values(
        JSON.parse(readFileSync(join(target.folder, 'truth.json'), 'utf8')) as Record<
          string,
          readonly (readonly [string, string, number])[]
        >,
      ).map((stack) => asText(stack.map(([name, file, line]) => ({ name, file, line }))));
      expect([...own].sort()).toEqual([...complete].sort());
      expect(Math.max(...threads.map(({ stack }) => stack.length))).toBeGreaterThan(5000);

      const firsts = faulthandler(readFileSync(join(target.folder, 'truth'), 'utf8')).map(asText);
      const ownFirsts = threads.map((thread) => asText(calls(thread).slice(0, 100)));
      expect([...ownFirsts].sort()).toEqual([...firsts].sort());
      expect(threads.map(({ name }) => name).sort()).toEqual([
        'MainThread',
        'runner',
        'waiter-0',
        'waiter-1',
      ]);
    },
  );
});

describe('stacks from a core of the same moment', () => {
  needsPython();
  const why = command('gdb');
  test.skipIf(why !== null).each(triedVersions())(
    `CPython %s: the same as live${why === null ? '' : ` (${why})`}`,
    async (_, python) => {
      target = await stopped(python, 'stacks.py');
      const live = stacksOf(target.pid);
      const made = spawnSync(
        'gdb',
        [
          '-p',
          String(target.pid),
          '-batch',
          '-ex',
          `generate-core-file ${join(target.folder, 'core')}`,
        ],
        { encoding: 'utf8', timeout: 60_000 },
      );
      expect(readdirSync(target.folder), made.stderr).toContain('core');
      const dumped = stacksOf(join(target.folder, 'core'));
      const key = (threads: readonly Thread[]) =>
        threads.map((thread) => `${thread.id} ${thread.name}\n${asText(calls(thread))}`);
      expect(key(dumped)).toEqual(key(live));
    },
  );
});

describe('Python 2.7', () => {
  const python = [...pythons()].find(([version]) => version.startsWith('2.7'))?.[1];
  test.skipIf(python === undefined)(
    `stacks${python === undefined ? ' (needs Python 2.7)' : ''}`,
    async () => {
      target = await stopped(python!, 'stacks27.py');
      const threads = stacksOf(target.pid);
      expect(threads.map((thread) => calls(thread).map(({ name }) => name))).toEqual([
        ['stop', 'inner', 'outer', '<module>'],
        ['wait', 'wait', 'waiter', 'run', '__bootstrap_inner', '__bootstrap'],
      ]);
    },
  );
});
