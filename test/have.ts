/** What this machine lets a test do. Each answers `null` (it is there) or the reason that stands in a skipped test's name. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const once = <T>(find: () => T): (() => T) => {
  let found: { value: T } | undefined;
  return () => (found ??= { value: find() }).value;
};
const runs = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;

/** `npm run test:deep`: every interpreter and many rounds, where the quick tests take some. */
export const deep = Boolean(process.env['CORONER_DEEP']);

export const root = once(() => (process.getuid?.() === 0 ? null : 'needs root'));
export const command = (name: string): string | null =>
  (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, name))) ||
  existsSync(join('/usr/sbin', name))
    ? null
    : `needs ${name}`;
export const cCompiler = once(() =>
  command('cc') && command('gcc') ? 'needs a C compiler' : null,
);
/** bin/coroner as the compiled helper, and a compiler for its tests. */
export const helper = once((): string | null => {
  const file = new URL('../bin/coroner', import.meta.url).pathname;
  if (!existsSync(file) || readFileSync(file, 'latin1').slice(1, 4) !== 'ELF')
    return 'needs the compiled helper';
  return cCompiler() ?? command('bash');
});
export const kernelLog = once(() => (runs('dmesg', []) ? null : 'needs a readable kernel log'));
/** Debian's own Python: the one for which Debian's packages are. */
export const systemPython = '/usr/bin/python3';
export const pythonModule = (name: string): string | null =>
  existsSync(systemPython) && runs(systemPython, ['-c', `import ${name}`])
    ? null
    : `needs ${name} for ${systemPython}`;
/** The root folder of another system, with CPythons that are too new for this one; it need not be there. */
export const testRoot = process.env['CORONER_TEST_ROOT'] ?? '/var/cache/coroner-test/sid';
/**
 * The CPythons of the root folder that `npm run pythons` makes, `3.15.2` to an executable which runs it in there. Empty where there is
 * no such folder, or no right to run something in it.
 */
export const newestPythons = once((): ReadonlyMap<string, string> => {
  const bin = join(testRoot, '../bin');
  if (root() !== null || !existsSync(testRoot) || !existsSync(bin)) return new Map();
  const version = 'import platform; print(platform.python_version())';
  return new Map(
    readdirSync(bin).flatMap((name) => {
      const path = join(bin, name);
      const { stdout } = spawnSync(path, ['-c', version], { encoding: 'utf8', timeout: 20_000 });
      return /^3\.\d+\.\d+$/.test(stdout?.trim() ?? '') ? [[stdout.trim(), path] as const] : [];
    }),
  );
});

/** The CPythons of pyenv, `3.12.1` to the path of its executable; where there is no pyenv, the machine's own. */
export const pythons = once((): ReadonlyMap<string, string> => {
  const folder = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions');
  if (existsSync(folder))
    return new Map(
      readdirSync(folder)
        .map((version) => [version, join(folder, version, 'bin/python')] as const)
        .filter(([, path]) => existsSync(path)),
    );
  const { stdout } = spawnSync(
    systemPython,
    ['-c', 'import platform; print(platform.python_version())'],
    {
      encoding: 'utf8',
    },
  );
  // Later ones are not known yet: what they say is not what these tests ask.
  return /^3\.(?:[6-9]|1[0-3])\.\d+$/.test(stdout?.trim() ?? '')
    ? new Map([[stdout.trim(), systemPython]])
    : new Map();
});

/** All of them, `3.15.2` to an executable. */
export const everyPython = once(
  (): ReadonlyMap<string, string> => new Map([...pythons(), ...newestPythons()]),
);

export interface Hierarchy {
  readonly version: 1 | 2;
  /** Where a cgroup of ours with a memory limit can be made. */
  readonly memory: string;
  readonly pids: string | null;
}
/** The cgroup hierarchy in which this process may limit memory, or why there is none. */
export const hierarchy = once((): Hierarchy | string => {
  if (!existsSync('/sys/fs/cgroup')) return 'needs cgroups';
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const found = (kind: string, option?: string): string | undefined =>
    mounts
      .map((line) => line.split(' '))
      .find(
        ([, , type, options]) =>
          type === kind && (option === undefined || options?.split(',').includes(option)),
      )?.[1];
  const writable = (parent: string, file: string): boolean => {
    const probe = join(parent, `coroner-test-probe-${process.pid}`);
    try {
      mkdirSync(probe);
      const there = existsSync(join(probe, file));
      rmdirSync(probe);
      return there;
    } catch {
      return false;
    }
  };
  const v1 = found('cgroup', 'memory');
  if (v1 && writable(v1, 'memory.limit_in_bytes')) {
    const pids = found('cgroup', 'pids');
    return {
      version: 1,
      memory: v1,
      pids: pids && writable(pids, 'pids.max') ? pids : null,
    };
  }
  const v2 = found('cgroup2');
  if (v2 && writable(v2, 'memory.max'))
    return { version: 2, memory: v2, pids: writable(v2, 'pids.max') ? v2 : null };
  return 'needs a cgroup in which memory can be limited';
});
export const cgroup = (): string | null => {
  const there = hierarchy();
  return typeof there === 'string' ? there : null;
};
