/** Makes real cores in a temporary folder. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cCompiler, command } from '../have.ts';

export const programs = fileURLToPath(new URL('../programs/', import.meta.url));

/** null: cores are written to the working folder here; else the reason why not. */
export function coresHere(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs Linux on x86-64';
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  if (pattern.startsWith('|') || pattern.includes('/'))
    return 'needs a core_pattern without a folder';
  const { status } = spawnSync('sh', ['-c', 'ulimit -c unlimited'], { stdio: 'ignore' });
  return status === 0 ? cCompiler() : 'needs an unlimited core size';
}
export const gdb = (): string | null => coresHere() ?? command('gdb');

export function build(folder: string, source: string, ...flags: readonly string[]): string {
  const out = join(folder, source.replace(/\.\w+$/, flags.includes('-shared') ? '.so' : ''));
  const compiler = source.endsWith('.cpp') ? 'g++' : 'gcc';
  const built = spawnSync(compiler, ['-O0', '-w', '-o', out, join(programs, source), ...flags], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(built.stderr);
  return out;
}

/** Runs a command that is going to crash, and gives the path of its core. */
export function coreOf(
  words: readonly string[],
  {
    env = {},
    limits = '',
  }: { readonly env?: Record<string, string>; readonly limits?: string } = {},
): string {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-test-core-'));
  spawnSync('sh', ['-c', `ulimit -c unlimited; ${limits} exec "$@"`, 'sh', ...words], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: 'ignore',
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  const core = readdirSync(folder).find((name) => name.startsWith('core'));
  if (core === undefined || !existsSync(join(folder, core)))
    throw new Error(`${words[0]} left no core`);
  return join(folder, core);
}

/** The values of gdb expressions on a core, as gdb prints them behind `$n = `. */
export function gdbSays(
  program: string,
  core: string,
  expressions: readonly string[],
): readonly string[] {
  const { stdout } = spawnSync(
    'gdb',
    [
      '-batch',
      '-nx',
      '-iex',
      'set debuginfod enabled off',
      ...expressions.flatMap((expression) => ['-ex', `print ${expression}`]),
      program,
      core,
    ],
    { encoding: 'utf8', timeout: 60_000 },
  );
  const values = new Map<number, string>();
  for (const [, index, value] of stdout.matchAll(/^\$(\d+) = (.*)$/gm))
    values.set(Number(index), value ?? '');
  return expressions.map((_, index) => values.get(index + 1) ?? '');
}
