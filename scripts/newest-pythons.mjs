// Makes a root folder of Debian sid with the newest CPythons, for the tests: `npm run pythons`; `npm run pythons -- 3.16` adds one.
// The folder is $CORONER_TEST_ROOT or /var/cache/coroner-test/sid. Beside it come executables `bin/python3.X`, which run a CPython in
// there with the temporary files, the processes and this repository of the machine. Needs root, mmdebstrap and the network; it asks the
// mirror that this machine's apt asks. A version that is added is read from its headers (scripts/offsets.mjs) into the tables of the
// reader and the agent; from then on `npm run pythons` knows it. Ends with 0 where the folder is there, with 3 where something is
// lacking: its one line says what.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

const folder = process.env.CORONER_TEST_ROOT ?? '/var/cache/coroner-test/sid';
const root = path.dirname(import.meta.dirname);
const added = process.argv.slice(2);
/** Those of which the tables know, from 3.14 on, and those that are added: bookworm's and trixie's glibc is too old for them. */
const tables = readFileSync(path.join(root, 'src/python/layouts/tables.ts'), 'utf8');
const known = [...tables.matchAll(/^ {2}'(3\.\d+)':/gm)].map(([, version]) => version);
const versions = [...new Set([...known.filter((one) => Number(one.slice(2)) >= 14), ...added])];
const packages = [
  ...versions.flatMap((version) => [`python${version}`, `libpython${version}-dev`]),
  'python3-numpy',
];

/** Ends the script: the folder cannot be made here. */
function lacks(what) {
  process.stdout.write(`no newest CPythons: ${what}\n`);
  process.exit(3);
}

/** The mirror of Debian that apt asks, from both forms of its lists. null: there is none. */
function mirror() {
  const parts = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(parts) ? readdirSync(parts).map((name) => path.join(parts, name)) : []),
  ];
  for (const file of files.filter((name) => existsSync(name))) {
    const content = readFileSync(file, 'utf8');
    const found = /^(?:URIs:\s*|deb\s+(?:\[.*?\]\s*)?)(\S+\/debian\/?)(?:\s|$)/m.exec(content);
    if (found !== null) return found[1];
  }
  return null;
}

function make() {
  if (process.getuid() !== 0) lacks('needs root');
  if (spawnSync('mmdebstrap', ['--version']).error) lacks('needs mmdebstrap');
  const source = mirror();
  if (source === null) lacks('apt has no mirror of Debian');
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(path.dirname(folder), { recursive: true });
  const { status } = spawnSync(
    'mmdebstrap',
    [
      '--quiet',
      '--variant=minbase',
      '--aptopt=Acquire::Check-Valid-Until "false"',
      `--include=${packages.join(',')}`,
      'sid',
      fresh,
    ],
    { input: `deb ${source} sid main\n`, stdio: ['pipe', 'ignore', 'inherit'], timeout: 300_000 },
  );
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    lacks('mmdebstrap could not make the folder (no network?)');
  }
  renameSync(fresh, folder);
}

/** Whatever is not in the folder yet. */
function complete() {
  const missing = versions.filter(
    (version) => !existsSync(path.join(folder, `usr/include/python${version}/Python.h`)),
  );
  if (missing.length === 0) return;
  const inside = (...words) => {
    const { status, stderr } = spawnSync('chroot', [folder, ...words], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 300_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    // It warns of what a chroot lacks, also where all went well.
    if (status !== 0) process.stderr.write(stderr ?? '');
    return status;
  };
  inside('apt-get', 'update', '-qq', '-o', 'Acquire::Check-Valid-Until=false');
  const wanted = missing.flatMap((version) => [`python${version}`, `libpython${version}-dev`]);
  if (inside('apt-get', 'install', '-qq', '-y', '--no-install-recommends', ...wanted) !== 0)
    lacks(`there is no ${missing.join(', ')} in Debian sid, or no network`);
}

/**
 * An executable that keeps its process id: a mount namespace of its own, then the CPython inside the folder. It sees the folders of this
 * machine that are not the system's, wherever a copy of this repository lies. $CORONER_TEST_PYTHON: another executable, changed by a test, in the place of the CPython.
 */
const launcher = (name) => `#!/bin/sh
# Made by scripts/newest-pythons.mjs.
exec unshare -m -- /bin/sh -c '
root=$1; name=$2; shift 2
for part in /*; do
  case $part in /bin|/boot|/etc|/lib*|/sbin|/usr|/var|/run) continue;; esac
  [ -d "$part" ] || continue
  mkdir -p "$root$part" && mount --rbind "$part" "$root$part" || exit 70
done
[ -d "$root$PWD" ] || cd /
exec unshare --root "$root" --wd "$PWD" "\${CORONER_TEST_PYTHON:-/usr/bin/$name}" "$@"' sh '${folder}' ${name} "$@"
`;

if (added.some((version) => !/^3\.\d+$/.test(version))) lacks('a version is like 3.16');
if (!existsSync(path.join(folder, 'usr/bin'))) make();
else if (added.length > 0) complete();
const bin = path.join(path.dirname(folder), 'bin');
mkdirSync(bin, { recursive: true });
const names = readdirSync(path.join(folder, 'usr/bin')).filter((name) =>
  /^python3\.\d+$/.test(name),
);
for (const name of names) writeFileSync(path.join(bin, name), launcher(name), { mode: 0o755 });
process.stdout.write(`${folder}: ${names.join(', ')}\n`);
if (added.length > 0) {
  const run = (...words) =>
    spawnSync(process.execPath, words, { cwd: root, stdio: 'inherit' }).status;
  if (run('scripts/offsets.mjs') !== 0)
    lacks('its headers are not those of the versions before: scripts/offsets.c');
  run('node_modules/oxfmt/bin/oxfmt', 'src/python');
  process.stdout.write(
    `tables written. Now: npm run build && npx vitest run test/heap test/agent/agent.test.ts test/live/named.test.ts\n`,
  );
}
