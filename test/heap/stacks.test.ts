import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Thread } from '../../src/model/report.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { openTarget } from '../../src/python/target.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import { toThread } from '../../src/python/interpreter/stacks.ts';
import { command, pythons } from '../have.ts';
import { stopped, newestVersions, triedVersions, versions, type Stopped } from './target.ts';

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
  if (newestVersions().length === 0)
    test.skip('CPython 3.14 and 3.15 (needs the root folder of `npm run pythons`)', () => {});
};

describe('stacks of a living process', () => {
  needsPython();
  test.each(triedVersions())(
    'CPython %s: as faulthandler and sys._current_frames say, line for line',
    async (version, python) => {
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
      // Since 3.14 it counts calls from C into Python among the hundred, and does not print them.
      const hidden = Number(version.slice(2)) >= 14 ? 3 : 0;
      for (const [i, own] of threads.map((thread) => calls(thread)).entries()) {
        const most = Math.min(own.length, 100);
        const isOwn = (text: string, count: number) => text === asText(own.slice(0, count));
        const counts = own.length > 100 ? hidden : 0;
        const found = firsts.some((text) =>
          Array.from({ length: counts + 1 }, (_, less) => most - less).some((count) =>
            isOwn(text, count),
          ),
        );
        expect(found, `${threads[i]!.name} is not among what faulthandler says`).toBe(true);
      }
      expect(firsts).toHaveLength(threads.length);
      expect(threads.map(({ name }) => name).sort()).toEqual([
        'MainThread',
        'runner',
        'waiter-0',
        'waiter-1',
      ]);
    },
  );
});

/** Writes `core` into the target's folder. Returns what went wrong. */
function gdbCore({ pid, folder }: Stopped): string {
  const dump = `generate-core-file ${join(folder, 'core')}`;
  const args = ['-p', String(pid), '-batch', '-ex', dump];
  return spawnSync('gdb', args, { encoding: 'utf8', timeout: 60_000 }).stderr;
}

/**
 * As `gdbCore`: the kernel's core. gdb leaves out whole stacks of threads where glibc keeps their guard pages in the same mapping. The
 * files of the root folder are not at their paths here, so their pages go into the core.
 */
async function kernelCore({ pid, folder, child }: Stopped): Promise<string> {
  writeFileSync(`/proc/${pid}/coredump_filter`, '0x3f');
  const { stderr } = spawnSync('prlimit', ['--pid', String(pid), '--core=unlimited'], {
    encoding: 'utf8',
  });
  const ended = once(child, 'exit');
  process.kill(pid, 'SIGABRT');
  process.kill(pid, 'SIGCONT');
  await ended;
  const name = readdirSync(folder).find((file) => /^core\b/.test(file));
  if (name !== undefined) renameSync(join(folder, name), join(folder, 'core'));
  return stderr;
}
/** Where a kernel's core goes is the machine's matter. */
const coresGoAway = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').startsWith('core')
  ? null
  : 'needs a core_pattern of core';

describe('stacks from a core of the same moment', () => {
  needsPython();
  const why = command('gdb');
  const isReadable = ([version]: readonly [string, string]): boolean =>
    Number(version.slice(2)) < 14 || coresGoAway === null;
  for (const [version] of triedVersions().filter((one) => !isReadable(one)))
    test.skip(`CPython ${version}: the same as live (${coresGoAway})`, () => {});
  test.skipIf(why !== null).each(triedVersions().filter(isReadable))(
    `CPython %s: the same as live${why === null ? '' : ` (${why})`}`,
    async (version, python) => {
      target = await stopped(python, 'stacks.py');
      const live = stacksOf(target.pid);
      const made = Number(version.slice(2)) >= 14 ? await kernelCore(target) : gdbCore(target);
      expect(readdirSync(target.folder), made).toContain('core');
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
