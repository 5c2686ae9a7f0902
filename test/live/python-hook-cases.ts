/** What the start-up hook must do on one CPython: what it writes, and that nobody notices it. */
import { describe, expect, test } from 'vitest';
import { alone, underCoroner } from './under-coroner.ts';

export const quick = ['--no-agent', '--no-last-look'];

interface Words {
  readonly fate: string;
  readonly type: string;
  readonly memory: number;
  readonly message?: string;
  readonly thread?: string;
  readonly stack: readonly {
    readonly function: string;
    readonly file: string;
    readonly line: number;
  }[];
}
export const wordsOf = (files: ReadonlyMap<string, string>): readonly Words[] =>
  [...files]
    .filter(([name]) => /^python\/\d+\.ndjson$/.test(name))
    .flatMap(([, text]) => text.trim().split('\n'))
    .map((line) => JSON.parse(line) as Words);
const isBefore = (version: string, major: number, minor: number) => {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a < major || (a === major && b < minor);
};

export const hookCases = (version: string, python: string) =>
  describe(version, () => {
    const run = (program: string, args: readonly string[] = []) =>
      underCoroner([python, ...args, '-c', program], { options: quick });

    test('an uncaught exception, with its line, and the same words on stderr', () => {
      const program = 'def f():\n    raise ValueError("é\\u2028 \\"x\\"")\nf()';
      const { files, stderr, status } = run(program);
      expect(wordsOf(files)).toMatchObject([
        {
          fate: 'uncaught',
          type: 'ValueError',
          memory: 0,
          stack: [{ function: 'f', line: 2 }, { line: 3 }],
        },
      ]);
      const bare = alone([python, '-c', program]);
      expect(status).toBe(bare.status);
      expect(stderr.startsWith(bare.stderr)).toBe(true);
    });

    /** As a kernel runs its cells: its command line, its shell, and the files under which it compiles. */
    const kernel = `import sys, types
class InteractiveShell: pass
shell = InteractiveShell._instance = InteractiveShell()
sys.modules["IPython.core.interactiveshell"] = types.SimpleNamespace(InteractiveShell=InteractiveShell)
for shell.execution_count, file, text in (1, 11, "def f():\\n    raise KeyError"), (2, 22, "x = 1"), (3, 22, "x = 1"), (4, 33, "f()"):
    exec(compile(text, "/tmp/ipykernel_7/%d.py" % file, "exec"))
`;
    test.skipIf(isBefore(version, 3, 8))(
      `the cells of a notebook have their numbers${isBefore(version, 3, 8) ? ' (needs audit hooks: 3.8)' : ''}`,
      () => {
        const { files, incident } = run(`import_of = "ipykernel"\n${kernel}`);
        const [noted] = [...files].filter(([name]) => name.endsWith('.cells.ndjson'));
        expect(
          noted?.[1]
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line) as unknown),
        ).toEqual(
          [
            [11, 1],
            [22, 2],
            [22, 3],
            [33, 4],
          ].map(([file, number]) => ({ file: `/tmp/ipykernel_7/${file}.py`, number })),
        );
        expect(incident?.stack[0]).toMatchObject({
          function: 'f',
          file: '/tmp/ipykernel_7/In[1] 11.py',
          line: 2,
        });
        expect(incident?.headline).toContain('In[1]:2');
      },
    );
    test('a program that is no kernel is not listened to', () => {
      const { files, status } = run('compile("1", "/tmp/kernel_7/1.py", "exec")');
      expect(status).toBe(0);
      expect([...files.keys()].filter((name) => name.endsWith('.cells.ndjson'))).toEqual([]);
    });

    test('a MemoryError with no memory left', () => {
      const grow = 'l = []\nwhile True:\n    l.append(object())';
      const { files, status, incident } = underCoroner(
        ['/bin/sh', '-c', 'ulimit -v 150000; exec "$@"', 'sh', python, '-c', grow],
        { options: quick },
      );
      expect(status).toBe(1);
      expect(wordsOf(files)).toMatchObject([
        { fate: 'uncaught', type: 'MemoryError', memory: 1, stack: [{ function: '<module>' }] },
      ]);
      expect(incident).toMatchObject({
        death: 'obvious',
        limit: { owner: 'rlimit', path: 'RLIMIT_AS', bytes: 153_600_000 },
      });
    });

    test('a MemoryError in a thread, exit 0', () => {
      const program =
        'import threading\ndef t():\n    raise MemoryError()\nx = threading.Thread(target=t, name="T1")\nx.start()\nx.join()';
      const { files, status } = run(program);
      expect(status).toBe(0);
      expect(wordsOf(files)).toMatchObject(
        [
          {
            fate: 'thread',
            type: 'MemoryError',
            memory: 1,
            thread: 'T1',
            stack: [{ function: 't', line: 3 }],
          },
        ].map((words) => expect.objectContaining({ ...words, stack: expect.any(Array) })),
      );
    });

    test.skipIf(isBefore(version, 3, 8))('a MemoryError that nobody can catch (3.8)', () => {
      const { files } = run(
        'class D:\n    def __del__(self):\n        raise MemoryError()\nd = D()\ndel d',
      );
      expect(wordsOf(files)).toMatchObject([{ fate: 'ignored', type: 'MemoryError' }]);
    });

    test.skipIf(isBefore(version, 3, 6))('the Python stack of a crash (3.6)', () => {
      const { files, signal } = run('import ctypes\ndef boom():\n    ctypes.string_at(0)\nboom()');
      expect(signal).toBe('SIGSEGV');
      const dump = [...files].find(([name]) => name.endsWith('.fault'))?.[1] ?? '';
      expect(dump).toMatch(/line 3 in boom/);
    });

    test('nothing is to be seen of it', () => {
      const program =
        'import os, sys\nprint(sys.path)\nprint(sys.excepthook is sys.__excepthook__)\nprint(os.dup(0))\nprint("threading" in sys.modules)\nprint([m for m in sys.modules if "coroner" in m])';
      const bare = alone([python, '-c', program]);
      const { stdout, stderr, files } = run(program);
      expect(stdout).toBe(bare.stdout);
      expect(stderr).toBe(bare.stderr);
      // Good processes leave nothing.
      expect([...files.keys()].filter((name) => name.startsWith('python/'))).toEqual([]);
    });

    test.each(isBefore(version, 3, 4) ? ['-E', '-S'] : ['-E', '-S', '-I'])(
      'silently absent under %s',
      (option) => {
        const { files, stdout } = run('print(1); raise ValueError()', [option]);
        expect(stdout).toBe('1\n');
        expect(wordsOf(files)).toEqual([]);
      },
    );

    test.skipIf(isBefore(version, 3, 6)).each(['fork', 'spawn', 'forkserver'])(
      'multiprocessing by %s (3.6)',
      (method) => {
        const program =
          'import multiprocessing as m, sys\n' +
          'if __name__ == "__main__":\n' +
          `    with m.get_context("${method}").Pool(2) as p: print(sorted(p.map(abs, [-1, -2])))`;
        const bare = alone([python, '-c', program]);
        const { stdout, stderr, status } = run(program);
        expect({ stdout, stderr, status }).toEqual({
          stdout: bare.stdout,
          stderr: bare.stderr,
          status: 0,
        });
      },
    );
  });
