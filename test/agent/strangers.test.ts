/** Programs that the library does not fit, started by one that it does: they run as without it, and nothing is said. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { cCompiler, everyPython } from '../have.ts';
import { noAgent, underAgent } from './under-agent.ts';

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [, python = ''] =
  [...everyPython()].find(([version]) => version.startsWith('3.11.')) ??
  [...everyPython()].at(-1) ??
  [];
const reason = cCompiler() ?? (python === '' ? 'needs CPython 3.6 to 3.15' : noAgent(python));

const source = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  char *block = malloc(5 << 20);
  memset(block, 1, 5 << 20);
  block = realloc(block, 9 << 20);
  const char *preload = getenv("LD_PRELOAD");
  printf("%d %s\\n", block[5], preload && strstr(preload, "coroner") ? "with" : preload ? preload : "without");
  free(block);
  return 7;
}
`;
const kinds: readonly (readonly [string, readonly string[]])[] = [
  ['musl', ['musl-gcc']],
  ['address sanitizer', ['cc', '-fsanitize=address']],
  ['thread sanitizer', ['cc', '-fsanitize=thread']],
  ['undefined behaviour sanitizer', ['cc', '-fsanitize=undefined']],
  ['32 bits', ['cc', '-m32']],
];

/** Every way from one program to the next. */
const starter = `
import os, subprocess, sys
def show(status):
    print(status, flush=True)
path, name = sys.argv[1], os.path.basename(sys.argv[1])
os.environ["PATH"] = "/nowhere:" + os.path.dirname(path) + ":" + os.environ["PATH"]
show(subprocess.call([path]))
show(subprocess.call([name]))
show(subprocess.call([path], env=dict(os.environ, A="1")))
show(subprocess.call([path], close_fds=False))
show(subprocess.call(path, shell=True))
show(subprocess.call(path + ".script"))
show(os.system(path) >> 8)
show(os.waitpid(os.posix_spawn(path, [path], os.environ), 0)[1] >> 8) if hasattr(os, "posix_spawn") else show(7)
show(os.spawnvp(os.P_WAIT, name, [name]))
os.execv(path, [path])
`;

describe.skipIf(reason)(
  `programs that the agent does not fit${reason ? ` (${reason})` : ''}`,
  () => {
    for (const [kind, [compiler = '', ...flags]] of kinds) {
      const program = join(folder, kind.replaceAll(' ', '-'));
      writeFileSync(`${program}.c`, source);
      const compiled = spawnSync(compiler, [...flags, '-O1', '-o', program, `${program}.c`]);
      const lacks =
        compiled.status === 0 && spawnSync(program).status === 7
          ? ''
          : ` (${[compiler, ...flags].join(' ')} makes none that runs here)`;
      test.skipIf(lacks !== '')(`${kind}: however it is started${lacks}`, async () => {
        writeFileSync(`${program}.script`, `#!${program}\n`, { mode: 0o755 });
        const seen = await underAgent([python, '-c', starter, program]);
        const fits = kind.startsWith('undefined');
        const line = `1 ${fits ? 'with' : 'without'}\n`;
        expect({ ...seen, files: [] }).toEqual({
          stdout: `${line}7\n`.repeat(9) + line,
          stderr: '',
          exitCode: 7,
          signal: null,
          files: [],
        });
        // What else was preloaded stays.
        const other = await underAgent(['sh', '-c', program], { env: { LD_PRELOAD: 'libm.so.6' } });
        if (kind.includes('address')) expect(other.stdout).toBe('');
        else expect([line, '1 libm.so.6\n']).toContain(other.stdout);
      });
    }

    const noValgrind =
      spawnSync('valgrind', ['--version']).status === 0 ? null : 'valgrind is not installed';
    test.skipIf(noValgrind)(
      `valgrind tells nothing of the agent${noValgrind ? ` (${noValgrind})` : ''}`,
      async () => {
        const program = join(folder, 'plain');
        writeFileSync(`${program}.c`, source);
        expect(spawnSync('cc', ['-O1', '-o', program, `${program}.c`]).status).toBe(0);
        const { stderr, exitCode } = await underAgent(['valgrind', '-q', program]);
        expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 7 });
      },
    );
  },
);
