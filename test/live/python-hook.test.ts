/** The start-up hook on the newest CPythons here; test/deep has all of them. */
import { describe, expect, test } from 'vitest';
import { newestPythons, pythons, systemPython } from '../have.ts';
import { hookCases, quick, wordsOf } from './python-hook-cases.ts';
import { alone, underCoroner } from './under-coroner.ts';

const number = (version: string) =>
  Number(version.split('.')[0]) * 1000 + Number(version.split('.')[1]);
const versions = [...pythons()].toSorted(([a], [b]) => number(a) - number(b));

for (const [version, python] of [...versions.slice(-1), ...[...newestPythons()].slice(-1)])
  hookCases(version, python);

describe.skipIf(versions.length === 0)('on one Python', () => {
  const [, python = systemPython] = versions.at(-1) ?? [];

  test('the sitecustomize of others is called, and what it raises is its own affair', () => {
    const program = 'import sys; print(sys.modules["sitecustomize"].__file__)';
    const env = { PYTHONPATH: new URL('../programs/site', import.meta.url).pathname };
    const bare = alone([python, '-c', program], env);
    const { stdout, stderr } = underCoroner([python, '-c', program], { options: quick, env });
    expect(stdout).toBe(bare.stdout);
    expect(stdout).toContain('hello from sitecustomize');
    expect(stderr).toBe(bare.stderr);
  });

  test('--no-python-hook', () => {
    const program = 'import os; print("PYTHONPATH" in os.environ); raise ValueError()';
    const { stdout, files } = underCoroner([python, '-c', program], {
      options: [...quick, '--no-python-hook'],
    });
    expect(stdout).toBe(alone([python, '-c', program]).stdout);
    expect(wordsOf(files)).toEqual([]);
  });

  test('a program with hooks of its own keeps them', () => {
    const program =
      'import sys\ndef hook(*a):\n    print("mine")\n    sys.__excepthook__(*a)\nsys.excepthook = hook\nraise MemoryError()';
    const { stdout, files } = underCoroner([python, '-c', program], { options: quick });
    expect(stdout).toBe('mine\n');
    expect(wordsOf(files)).toMatchObject([{ type: 'MemoryError' }]);
  });

  test('faulthandler asked for by the program itself dumps where the program wants it', () => {
    const { stderr, files } = underCoroner(
      [python, '-X', 'faulthandler', '-c', 'import ctypes; ctypes.string_at(0)'],
      { options: quick },
    );
    expect(stderr).toContain('Fatal Python error: Segmentation fault');
    expect([...files.keys()].filter((name) => name.endsWith('.fault'))).toEqual([]);
  });
});
