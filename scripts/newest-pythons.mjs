// Makes a root folder of Debian sid with the newest CPythons, for the tests: `npm run pythons`.
// The folder is $CORONER_TEST_ROOT or /var/cache/coroner-test/sid. Beside it come executables `bin/python3.X`, which run a CPython in
// there with the temporary files, the processes and this repository of the machine. Needs root, mmdebstrap and the network; it asks the
// mirror that this machine's apt asks. Ends with 0 where the folder is there, with 3 where something is lacking: its one line says what.
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
const packages = [
  'python3.14',
  'python3.15',
  'libpython3.14-dev',
  'libpython3.15-dev',
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

/** An executable that keeps its process id: a mount namespace of its own, then the CPython inside the folder. */
const launcher = (name) => `#!/bin/sh
# Made by scripts/newest-pythons.mjs.
exec unshare -m -- /bin/sh -c '
root=$1; here=$2; name=$3; shift 3
for part in /proc /dev /sys /tmp "$here"; do
  mkdir -p "$root$part" && mount --rbind "$part" "$root$part" || exit 70
done
[ -d "$root$PWD" ] || cd /
exec unshare --root "$root" --wd "$PWD" "/usr/bin/$name" "$@"' sh '${folder}' '${path.dirname(import.meta.dirname)}' ${name} "$@"
`;

if (!existsSync(path.join(folder, 'usr/bin'))) make();
const bin = path.join(path.dirname(folder), 'bin');
mkdirSync(bin, { recursive: true });
const names = readdirSync(path.join(folder, 'usr/bin')).filter((name) =>
  /^python3\.\d+$/.test(name),
);
for (const name of names) writeFileSync(path.join(bin, name), launcher(name), { mode: 0o755 });
process.stdout.write(`${folder}: ${names.join(', ')}\n`);
