/**
 * Looks at memory that changes, ends or is broken: whatever is there, a look ends with what is true or with a refusal, and lets go whom it
 * stopped. CORONER_FUZZ says how many, in units of 40 looks and 200 images of each CPython (default 1); CORONER_KILLS how often coroner is killed.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { MemoryPicture } from '../../src/model/report.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { closeTarget, openTarget, smallChunks, versionText } from '../../src/python/target.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { ChunkPool } from '../../src/python/process/memory.ts';
import {
  isTraced,
  pause,
  startGuard,
  threadStates,
  type Guard,
} from '../../src/python/process/pause.ts';
import { coreOf, coresHere } from '../cores/dump.ts';
import { systemPython } from '../have.ts';
import { imageOf, lookAtSpoilt } from '../heap/spoil.ts';
import {
  newestVersions,
  programs,
  stopped,
  underWay,
  versions,
  type Stopped,
} from '../heap/target.ts';
import { childOf, faultsOf, residentBytes, ways, type Way } from '../heap/wild.ts';

const coroner = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));
let target: Stopped | null = null;
afterEach(() => target?.end());

/** How many of each: 1 is enough for a change of the reader, more for a release. */
const thoroughness = Number(process.env['CORONER_FUZZ'] ?? 1);
const kills = Number(process.env['CORONER_KILLS'] ?? 200);

/** As `coroner inspect` looks, with and without a stop; as the watcher of `coroner run` does. */
const hows = ['inspect', 'last look', 'not stopped', 'stacks'] as const;
type How = (typeof hows)[number];

/** What may be said of a process that starts or ends at this very moment. */
const clearRefusals =
  /^(there is no process \d+|process \d+ has no memory of its own: .*|\d+: it ended, or started another program, while it was being opened|this CPython 3\.\d+ is not laid out as expected .*|no CPython was found in it|the CPython 3\.\d+ in \S+ has no interpreter .*|it could not be stopped)$/;

interface Tally {
  looks: number;
  pictures: number;
  slowestMs: number;
  readonly refusals: Map<string, number>;
}
const tallies = new Map<string, Tally>();
const tallyOf = (what: string): Tally => {
  let tally = tallies.get(what);
  if (tally === undefined)
    tallies.set(what, (tally = { looks: 0, pictures: 0, slowestMs: 0, refusals: new Map() }));
  return tally;
};
afterAll(() => {
  const rows = [...tallies].map(
    ([what, { looks, pictures, slowestMs, refusals }]) =>
      `${what}: ${looks} looks, ${pictures} pictures, slowest ${Math.round(slowestMs)} ms` +
      [...refusals].map(([why, count]) => `; ${count} x ${why}`).join(''),
  );
  if (rows.length > 0) console.log(rows.join('\n'));
});

type Looked = { readonly refusal: string } | { readonly faults: readonly string[] };

/** One look; `during` is called when the memory has been opened. */
function lookAt(
  pid: number,
  how: How,
  round: number,
  { version, pythons }: { readonly version: string | null; readonly pythons: readonly string[] },
  guard: Guard,
  pool: ChunkPool,
  during: () => void,
): Looked {
  const isLast = how === 'last look';
  const open = () =>
    isLast ? openTarget(pid, 64, smallChunks, pool) : openTarget(pid, 256, smallChunks);
  const paused = (() => {
    if (how === 'not stopped') return null;
    // Asked first, as everywhere: who cannot be read is not stopped.
    const probe = open();
    if (isRefusal(probe)) return probe;
    closeTarget(probe);
    return (
      pause(pid, guard, { mostMs: isLast ? 500 : 5000 }) ?? { refusal: 'it could not be stopped' }
    );
  })();
  if (paused !== null && isRefusal(paused)) return { refusal: `${paused.detail}` };
  if (paused !== null && 'refusal' in paused) return paused;
  if (paused !== null && isTraced(paused)) return { refusal: 'it is being traced' };
  try {
    const before = residentBytes(pid);
    const nativeIds = nativeIdsOf(pid);
    const opened = open();
    if (isRefusal(opened)) return { refusal: `${opened.detail}` };
    const faults: string[] = [];
    const found = versionText(opened.runtime).split('.').slice(0, 2).join('.');
    if (version !== null && found !== version) faults.push(`CPython ${found} of ${version}`);
    during();
    let isStill = paused?.isStill === true;
    const heldUntil = paused?.heldUntil ?? 0;
    const few =
      round % 8 === 1 ? { softNodes: 30_000, maxNodes: 100_000, maxPending: 1 << 17 } : {};
    const picture = takeSnapshot(opened, {
      budgetMs: isLast ? 500 : 2000,
      stacksOnly: how === 'stacks',
      moves: paused === null,
      onStep: (step) => {
        if (step !== 'holders') isStill &&= performance.now() < heldUntil;
      },
      onRead: () => paused?.resume(),
      ...(isLast
        ? {
            quick: true,
            mayCount: round % 12 !== 5,
            goOn: () => performance.now() < heldUntil,
            pool,
            censusChunks: round % 8 === 1 ? 8 : 32,
            expectedObjects: () => (before ?? 0) / 90,
            ...few,
          }
        : {}),
    });
    const isThere = opened.source.isCurrent();
    closeTarget(opened);
    if (isStill && isThere && (picture.threads ?? []).length === 0) faults.push('no thread');
    const resident = Math.max(before ?? 0, residentBytes(pid) ?? 0);
    faults.push(
      ...faultsOf({ picture, pythons, isStill, residentBytes: resident, nativeIds }).map(
        (fault) => `${isStill ? 'still' : 'running'}: ${fault}`,
      ),
    );
    return { faults };
  } finally {
    paused?.resume();
  }
}

function nativeIdsOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

describe('looks at processes that change wildly', () => {
  const looks = Math.ceil(40 * thoroughness);
  const timeoutMs = 600_000 * Math.max(1, thoroughness);
  const old = versions();
  const newest = newestVersions();
  const all = [...old, ...newest];
  /** Those that one of them may start, and where it finds them: the ones of the root folder find each other. */
  const familyOf = (version: string) => {
    const isNewest = newest.some(([other]) => other === version);
    const family = isNewest ? newest : old;
    return {
      everyPython: family.map(([, path]) => path),
      found: family.map(([minor, path]) => (isNewest ? `/usr/bin/python${minor}` : path)).join(':'),
    };
  };
  // A few looks are not worth the start of a process each: each CPython then gets some of the ways.
  const some = Math.min(ways.length, Math.max(4, Math.round(looks / 4)));
  test.each(all)(
    'CPython %s',
    { timeout: 600_000 * Math.max(1, thoroughness) },
    async (version, python) => {
      const guard = startGuard();
      const pool = new ChunkPool();
      const { everyPython, found } = familyOf(version);
      const faults: string[] = [];
      const blame = (fault: string) => {
        // Said at once: a long run is looked at while it goes on.
        console.log(`CPython ${version}, ${fault}`);
        faults.push(fault);
      };
      const first = all.findIndex(([other]) => other === version) * some;
      const mine = Array.from({ length: some }, (_, i) => ways[(first + i) % ways.length]!);
      const begin = (way: Way): Promise<Stopped> =>
        way === 'busy'
          ? underWay(python, 'busy.py', [], { timeoutMs })
          : underWay(python, 'wild.py', [way, found], {
              flags: ['-I', '-S'],
              timeoutMs,
            });
      let current: Way | null = null;
      for (let i = 0; i < looks; i++) {
        const way = mine[Math.floor((i * some) / looks)]!;
        const isEnded = (target?.child.exitCode ?? target?.child.signalCode ?? null) !== null;
        if (target === null || isEnded || way !== current) {
          target?.end();
          target = await begin(way);
          current = way;
        }
        await sleep(Math.random() * 30);
        const pid = way === 'fork' && i % 4 !== 3 ? await someChild(target.pid) : target.pid;
        const how = hows[(i + (i >> 2)) % hows.length]!;
        const tally = tallyOf(`${way}, ${how}`);
        tally.looks += 1;
        const begun = performance.now();
        const looked = lookAt(
          pid,
          how,
          i,
          way === 'exec' ? { version: null, pythons: everyPython } : { version, pythons: [python] },
          guard,
          pool,
          () => {
            // Some die in the middle of it.
            if (i % 17 !== 16) return;
            kill(pid);
            if (pid === target?.pid) current = null;
          },
        );
        tally.slowestMs = Math.max(tally.slowestMs, performance.now() - begun);
        const place = `${way}, ${how}, ${i}`;
        if ('refusal' in looked) {
          const why = looked.refusal.replaceAll(/\d{2,}/g, 'N').replaceAll(/\/\S+/g, 'PATH');
          tally.refusals.set(why, (tally.refusals.get(why) ?? 0) + 1);
          if ((way !== 'fork' && way !== 'exec') || !clearRefusals.test(looked.refusal))
            blame(`${place}: ${looked.refusal}`);
        } else {
          tally.pictures += 1;
          for (const fault of looked.faults) blame(`${place}: ${fault}`);
        }
        if (i % 256 === 255)
          console.log(`CPython ${version}: ${i + 1} looks, ${faults.length} faults`);
        if (threadStates(pid).includes('T')) blame(`${place}: it was left stopped`);
      }
      guard.close();
      target?.end();
      target = null;
      console.log(`CPython ${version}: ${looks} looks, ${faults.length} faults`);
      expect(faults).toEqual([]);
    },
  );

  async function someChild(pid: number): Promise<number> {
    for (let i = 0; i < 100; i++) {
      const child = childOf(pid);
      if (child !== null) return child;
      await sleep(1);
    }
    return pid;
  }
  function kill(pid: number): void {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
});

describe('spoilt images', () => {
  const looks = Math.ceil(200 * thoroughness);
  test.each([...versions(), ...newestVersions()])(
    'CPython %s: flipped pointers, loops, holes',
    { timeout: 600_000 * Math.max(1, thoroughness) },
    async (version, python) => {
      target = await stopped(python, 'tiny.py', [], { flags: ['-I', '-S'] });
      const image = imageOf(target.pid);
      target.end();
      const seed = Number(process.env['CORONER_SEED'] ?? Math.round(Date.now() / 1000) * 1000);
      const all = { looks: 0, refused: 0, slowestMs: 0, slowestSeed: 0, faults: [] as string[] };
      while (all.looks < looks && all.faults.length === 0) {
        const some = Math.min(2000, looks - all.looks);
        const seen = await lookAtSpoilt(image, seed + all.looks, some);
        all.looks += seen.looks;
        all.refused += seen.refused;
        all.faults.push(...seen.faults);
        if (seen.slowestMs > all.slowestMs)
          [all.slowestMs, all.slowestSeed] = [seen.slowestMs, seen.slowestSeed];
        // Said as it goes on: a long run may be ended before its end.
        console.log(
          `CPython ${version}: ${all.looks} images from seed ${seed} on, ${all.refused} refused, ` +
            `slowest ${Math.round(all.slowestMs)} ms (seed ${all.slowestSeed})`,
        );
      }
      const { faults, refused } = all;
      expect(faults).toEqual([]);
      // Most are spoilt somewhere inside, not beyond recognition: then nothing would have been tried.
      expect(refused).toBeLessThan(looks * 0.9);
    },
  );
});

describe('kill -9 of coroner inspect at random moments', () => {
  /** Two at a time: they wait most of the time. */
  const lanes = 2;
  const endOf = (one: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      one.once('exit', () => resolve());
    });
  const waitFor = async (what: () => boolean): Promise<number | null> => {
    const begun = performance.now();
    // Far more than any machine needs: only what never comes fails.
    for (let i = 0; i < 30_000; i++) {
      if (what()) return performance.now() - begun;
      await sleep(2);
    }
    return null;
  };
  const python = versions().at(-1)?.[1] ?? systemPython;
  test(
    `${kills} times: its target is never left stopped, and goes on working`,
    { timeout: 120_000 + kills * 10_000 },
    async () => {
      const seen = { done: 0, held: 0, slowestMs: 0, wholeMs: 0, harmed: [] as number[] };
      const lane = async (from: number, beating: Stopped): Promise<void> => {
        const { pid, folder, child } = beating;
        const beats = () => Number(readFileSync(join(folder, 'truth')).readBigInt64LE());
        const isStopped = () => threadStates(pid).some((state) => 'Tt'.includes(state));
        const inspect = () =>
          spawn(process.execPath, [coroner, 'inspect', String(pid)], { stdio: 'ignore' });
        // How long one takes here and now: the kills shall fall on all of it, and half of them on the stop.
        const begun = performance.now();
        await endOf(inspect());
        const wholeMs = performance.now() - begun;
        seen.wholeMs = Math.max(seen.wholeMs, wholeMs);
        for (let i = from; i < kills; i += lanes) {
          const one = inspect();
          const ended = endOf(one);
          if ((i >> 1) % 2 === 0) await sleep(Math.random() * wholeMs);
          else {
            await waitFor(() => isStopped() || one.exitCode !== null);
            await sleep((Math.random() * wholeMs) / 10);
          }
          if (isStopped()) seen.held += 1;
          one.kill('SIGKILL');
          await ended;
          const freeAfterMs = await waitFor(() => !isStopped());
          const before = beats();
          const goesOn = (await waitFor(() => beats() > before)) !== null;
          if (freeAfterMs === null || !goesOn) seen.harmed.push(i);
          else seen.slowestMs = Math.max(seen.slowestMs, freeAfterMs);
          seen.done += 1;
          if (seen.done % 100 === 0)
            console.log(`${seen.done} kills, ${seen.held} held, ${seen.harmed.length} harmed`);
        }
        if ((child.exitCode ?? child.signalCode) !== null) seen.harmed.push(-1);
      };
      const beating = await Promise.all(
        Array.from({ length: lanes }, () =>
          underWay(python, 'beat.py', ['100000'], { timeoutMs: 120_000 + kills * 10_000 }),
        ),
      );
      try {
        await Promise.all(beating.map((one, i) => lane(i, one)));
      } finally {
        for (const one of beating) one.end();
      }
      const { held, slowestMs, wholeMs, harmed } = seen;
      console.log(
        `${kills} times kill -9 of coroner inspect within ${Math.round(wholeMs)} ms: ${held} while its target was stopped, ` +
          `${harmed.length} harmed, the slowest let go after ${Math.round(slowestMs)} ms`,
      );
      expect(harmed).toEqual([]);
      // Where no kill fell on a stop, nothing was shown.
      expect(held).toBeGreaterThan(0);
    },
  );
});

describe('cores that were cut', () => {
  const needs = coresHere();
  const all = versions();
  const cuts = Math.ceil(100 * thoroughness);
  // A shared library lies behind the heap, a static interpreter before it: only of the latter a part is worth something.
  const tried = all.filter((_, i) => i === 0 || i === all.length - 1);
  if (!all.some(([, path]) => path === systemPython)) tried.push(['of the system', systemPython]);
  test.skipIf(needs !== null).each(tried)(
    `CPython %s: at ${cuts} places${needs === null ? '' : ` (${needs})`}`,
    { timeout: 600_000 * Math.max(1, thoroughness) },
    (_, python) => {
      const path = coreOf([python, join(programs, 'abort.py')]);
      try {
        // The last page is the kernel's (vsyscall): without it nothing is missing.
        const wholeBytes = statSync(path).size - 4096;
        const whole = lookAtCore(path);
        if ('refusal' in whole) throw new Error(whole.refusal);
        const total = bytesOf(whole.picture);
        expect(whole.picture.holders?.map(({ name }) => name)).toEqual(
          expect.arrayContaining(['rows', 'tables', 'buffers']),
        );
        expect(whole.picture.notes ?? []).not.toContainEqual(expect.stringMatching(/cut short/));
        const places = Array.from({ length: cuts }, (_, i) =>
          // Headers and notes are at the front; the oldest memory, with the interpreter's own objects, lies near the end.
          Math.floor(
            i % 4 === 0
              ? Math.random() * 65_536
              : i % 4 === 1
                ? Math.random() * wholeBytes
                : wholeBytes * (1 - Math.random() ** 2 / 5),
          ),
        ).sort((a, b) => b - a);
        const seen = { pictures: 0, slowestMs: 0, refusals: new Map<string, number>() };
        const named = new Set(whole.picture.holders?.map(({ name }) => name));
        const called = new Set(
          whole.picture.threads?.flatMap(({ stack }) => stack.map((frame) => frame.function)),
        );
        const faults: string[] = [];
        for (const [i, bytes] of places.entries()) {
          truncateSync(path, bytes);
          const begun = performance.now();
          const looked = lookAtCore(path);
          seen.slowestMs = Math.max(seen.slowestMs, performance.now() - begun);
          const say = (fault: string) => faults.push(`${bytes} of ${wholeBytes}: ${fault}`);
          if ('refusal' in looked) {
            const why = looked.refusal.replaceAll(path, 'CORE').replaceAll(/\d{3,}/g, 'N');
            seen.refusals.set(why, (seen.refusals.get(why) ?? 0) + 1);
            // Said of what was never a core, or has lost its header.
            if (!/cut short/.test(why) && bytes >= 64) say(why);
          } else {
            seen.pictures += 1;
            const { picture } = looked;
            if (!(picture.notes ?? []).some((note) => /cut short/.test(`${note}`)))
              say('it is not said that it was cut');
            if (bytesOf(picture) > total * 1.01) say(`more bytes than in the whole`);
            for (const { stack } of picture.threads ?? [])
              for (const frame of stack)
                if (!called.has(frame.function)) say(`function ${frame.function}`);
            for (const { name, scope } of picture.holders ?? [])
              if (
                scope !== 'unknown' &&
                scope !== 'native' &&
                !named.has(name) &&
                /^\w+$/.test(name)
              )
                say(`holder ${name}`);
          }
          if (i % 25 === 7) {
            const { status, stderr } = spawnSync(process.execPath, [coroner, 'inspect', path], {
              encoding: 'utf8',
            });
            if (![0, 66].includes(status!) || /\n\s+at |fault of coroner/.test(stderr))
              say(`coroner inspect: ${status}, ${stderr}`);
          }
        }
        console.log(
          `${cuts} cuts of a core of ${Math.round(wholeBytes / 1e6)} MB: ${seen.pictures} pictures, slowest ${Math.round(seen.slowestMs)} ms` +
            [...seen.refusals].map(([why, count]) => `; ${count} x ${why}`).join(''),
        );
        expect(faults).toEqual([]);
      } finally {
        rmSync(dirname(path), { recursive: true, force: true });
      }
    },
  );

  const bytesOf = ({ types = [] }: MemoryPicture): number =>
    types.reduce((sum, { bytes }) => sum + bytes, 0);
  function lookAtCore(
    path: string,
  ): { readonly refusal: string } | { readonly picture: MemoryPicture } {
    const opened = openTarget(path, 256, smallChunks);
    if (isRefusal(opened)) return { refusal: `${opened.detail}` };
    const picture = takeSnapshot(opened, { budgetMs: 10_000 });
    closeTarget(opened);
    return { picture };
  }
});
