/** Cores whose files lie elsewhere: moved, in another root, or replaced. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { gatherCore } from '../../src/gather/python-in-core.ts';
import type { BinaryPlaces } from '../../src/python/process/binary-places.ts';
import { threadsOf, toThread } from '../../src/python/interpreter/stacks.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { closeTarget, openTarget } from '../../src/python/target.ts';
import { pythons } from '../have.ts';
import { coreOf, coresHere } from './dump.ts';

const found = [...pythons()].filter(([version]) => version.startsWith('3.'));
const libraryOf = (python: string): string | null => {
  const { stdout } = spawnSync('ldd', [python], { encoding: 'utf8' });
  return /=> (\/\S*libpython[^\s/]*)/.exec(stdout ?? '')?.[1] ?? null;
};
const needs = coresHere() ?? (found.length === 0 ? 'needs CPython 3.6 to 3.13' : null);

const program = `
import os
def inner(count):
    kept = [bytes(1000) for _ in range(count)]
    os.abort()
def outer():
    inner(3000)
outer()
`;

describe.skipIf(needs)(
  `cores whose files lie elsewhere${needs === null ? '' : ` (${needs})`}`,
  () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'coroner-test-relocated-'));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    /** A core of a Python that was moved away after it: into `root`, where it has the path that it had. */
    function moved(python: string): { core: string; root: string; places: BinaryPlaces } {
      const home = mkdtempSync(join(folder, 'home-'));
      const root = mkdtempSync(join(folder, 'root-'));
      const library = libraryOf(python);
      const executable = join(home, 'python');
      copyFileSync(spawnSync('realpath', [python], { encoding: 'utf8' }).stdout.trim(), executable);
      if (library !== null) copyFileSync(library, join(home, basename(library)));
      const prefix = dirname(dirname(python));
      const core = coreOf([executable, '-c', program], {
        env: { LD_LIBRARY_PATH: home, PYTHONHOME: prefix, PYTHONDONTWRITEBYTECODE: '1' },
      });
      mkdirSync(join(root, dirname(home)), { recursive: true });
      renameSync(home, join(root, home));
      const there = join(root, home);
      return {
        core,
        root,
        places: { executable: join(there, 'python'), libraryPath: [there] },
      };
    }
    const functionsOf = (core: string, places: BinaryPlaces): readonly string[] => {
      const target = openTarget(core, undefined, undefined, undefined, undefined, places);
      if (isRefusal(target)) throw new Error(`${target.detail}`);
      try {
        return threadsOf(target.python)
          .map(toThread)
          .flatMap(({ stack }) => stack.map((frame) => frame.function));
      } finally {
        closeTarget(target);
      }
    };

    test.each(found)(
      'CPython %s: the missing file is named, and either way to say where it lies does',
      async (_, python) => {
        const { core, root, places } = moved(python);
        try {
          const refused = openTarget(core);
          expect(refused).toMatchObject({ code: 'file-missing' });
          if (isRefusal(refused)) {
            expect(refused.detail).toMatch(/\/home-\w+\/[^/]*python[^/]* is not here$/);
            expect(refused.hint).toContain('--executable');
          }
          const stack = ['inner', 'outer', '<module>'];
          expect(functionsOf(core, places)).toEqual(stack);
          expect(functionsOf(core, { root })).toEqual(stack);

          const without = diagnose(await gatherCore(core, 'core')).incidents[0];
          expect(without?.stack.map((frame) => frame.function) ?? []).not.toEqual(stack);
          expect(without?.unknown.map(({ why }) => `${why}`).join('\n')).toContain('is not here');
          const within = diagnose(await gatherCore(core, 'core', { root })).incidents[0];
          expect(within?.stack.map((frame) => frame.function)).toEqual(stack);
          expect(JSON.stringify(within?.unknown)).not.toContain('is not here');
        } finally {
          rmSync(dirname(core), { recursive: true, force: true });
        }
      },
    );

    test('a file of that name and of another build is not taken for it, and is said to be another', () => {
      const [first, second] = found.map(([, python]) => python);
      if (first === undefined || second === undefined) return;
      const { core, places } = moved(first);
      const others = moved(second);
      try {
        const wrong = { executable: others.places.executable!, libraryPath: places.libraryPath! };
        // libpython is the right one, and all of Python is in it; where it is not shared, the executable would be needed.
        if (libraryOf(first) !== null)
          expect(functionsOf(core, { libraryPath: places.libraryPath! })).toHaveLength(3);
        const refused = openTarget(core, undefined, undefined, undefined, undefined, {
          executable: wrong.executable,
          libraryPath: others.places.libraryPath!.map((place) => {
            const name = readdirSync(place).find((entry) => entry.startsWith('libpython'));
            const mine = libraryOf(first);
            if (name !== undefined && mine !== null)
              renameSync(join(place, name), join(place, basename(mine)));
            return place;
          }),
        });
        expect(refused).toMatchObject({ code: 'file-missing' });
        if (isRefusal(refused)) expect(refused.detail).toContain('of another build');
      } finally {
        rmSync(dirname(core), { recursive: true, force: true });
        rmSync(dirname(others.core), { recursive: true, force: true });
      }
    });
  },
);
