/** Processes that LD_PRELOAD reaches although the library is not for them, or is not there for them: they run as without it, and silently. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { agentFor } from '../../src/record/agent.ts';
import { cCompiler, command, root } from '../have.ts';

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
chmodSync(folder, 0o755);

const source = (name: string) => new URL(`../programs/agent/${name}`, import.meta.url).pathname;
function compile(name: string, compiler: string, flags: readonly string[], file: string): string {
  const out = join(folder, name);
  const { status, stderr } = spawnSync(compiler, [...flags, '-O1', '-o', out, source(file)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return out;
}
const libraryFor = (program: string) => {
  const found = agentFor([program], process.env);
  if ('lacks' in found) throw new Error(found.lacks);
  return found.library;
};
const under = (library: string, words: readonly string[]) => {
  const [file = '', ...args] = words;
  const { status, stdout, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, LD_PRELOAD: library, CORONER_AGENT_FOLDER: join(folder, 'nowhere') },
  });
  return { status, stdout, stderr };
};

const noMusl = cCompiler() ?? command('musl-gcc');
describe.skipIf(noMusl)(
  `a launcher without hooks, and another C library${noMusl ? ` (${noMusl})` : ''}`,
  () => {
    const ways = ['execv', 'execl'];
    test.for(ways)('glibc to musl, musl to glibc, by %s', (how) => {
      const launcher = compile('launcher-static', 'cc', ['-static'], 'launcher.c');
      const programs = {
        gnu: compile('allocates-gnu', 'cc', [], 'allocates.c'),
        musl: compile('allocates-musl', 'musl-gcc', [], 'allocates.c'),
      };
      for (const library of Object.values(programs).map(libraryFor))
        for (const program of Object.values(programs))
          expect(under(library, [launcher, how, program])).toEqual({
            status: 7,
            stdout: 'with\n',
            stderr: '',
          });
    });
  },
);

const noCompiler = cCompiler();
describe.skipIf(noCompiler)(
  `where the library cannot be opened${noCompiler ? ` (${noCompiler})` : ''}`,
  () => {
    const hidden = () => {
      const own = join(folder, 'closed');
      mkdirSync(own, { recursive: true, mode: 0o700 });
      const library = libraryFor('/bin/sh');
      const path = join(own, basename(library));
      copyFileSync(library, path);
      chmodSync(path, 0o755);
      return path;
    };
    const program = () => compile('allocates', 'cc', [], 'allocates.c');
    test('the copy works for who may open it', () => {
      expect(under(hidden(), ['sh', '-c', `${program()}; exit $?`])).toEqual({
        status: 7,
        stdout: 'with\n',
        stderr: '',
      });
    });
    test.for(['execv', 'execvp', 'execve', 'execl', 'execlp', 'execle'])(
      'it was removed: %s goes on without it',
      (how) => {
        const launcher = compile('launcher', 'cc', [], 'launcher.c');
        const library = hidden();
        expect(
          under(library, ['sh', '-c', `exec ${launcher} remove-${how} ${program()} ${library}`]),
        ).toEqual({ status: 7, stdout: 'without\n', stderr: '' });
      },
    );

    const asRoot = (needs: string) => root() ?? command(needs);
    const other = 'echo "$(id -u) [$LD_PRELOAD]"';
    const cases: readonly (readonly [string, string, readonly string[], string])[] = [
      [
        'another user, by setpriv',
        'setpriv',
        ['setpriv', '--reuid', '65534', '--clear-groups', 'sh', '-c', other],
        '65534 []\n',
      ],
      ['another user, by su', 'su', ['su', 'nobody', '-s', '/bin/sh', '-c', other], '65534 []\n'],
      [
        'a mount above it',
        'unshare',
        ['unshare', '-m', 'sh', '-c', `mount -t tmpfs none ${folder}; exec sh -c '${other}'`],
        '0 []\n',
      ],
    ];
    for (const [name, needs, words, expected] of cases) {
      const lacks = asRoot(needs);
      test.skipIf(lacks)(`${name}${lacks ? ` (${lacks})` : ''}`, () => {
        expect(under(hidden(), words)).toEqual({ status: 0, stdout: expected, stderr: '' });
      });
    }
  },
);
