/**
 * coroner-image.tar: an OCI image (`podman load -i`, `skopeo copy oci-archive:`), made from a Debian root folder without a registry or a
 * daemon. It has Debian 12's python3, so that `run python3 ...` works as it is. It runs as an ordinary user: nothing in it needs more.
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { laidOut } from './deb.mjs';
import { epoch, fresh, nodeFor, out, run, settle, version, work } from './stage.mjs';

const suite = 'bookworm';
const user = { name: 'coroner', id: 1000, home: '/home/coroner' };

export async function image({ folder: binaries }) {
  const node = nodeFor('x64');
  if (node === null || process.arch !== 'x64')
    throw new Error('needs an x64 machine, and pip for its Node');
  const base = fresh(join(work, 'image-root'));
  // From the mirror that this machine is set up for.
  const sources = [process.env.CORONER_DEBIAN_MIRROR ?? mirror()].filter(
    (each) => each !== undefined,
  );
  const clean = [
    '/var/log/*',
    '/var/cache/*',
    '/var/lib/apt/lists/*',
    '/var/lib/dpkg/*-old',
    '/usr/share/doc/*',
    '/usr/share/man/*',
    '/usr/share/locale/*',
  ];
  run('mmdebstrap', [
    '--variant=minbase',
    '--include=python3-minimal',
    // Whoever uses it installs with its own sources; and what differs from build to build goes.
    `--customize-hook=cd "$1" && rm -rf ${clean.map((pattern) => `.${pattern}`).join(' ')} etc/apt/sources.list etc/apt/sources.list.d/* etc/machine-id etc/hostname etc/resolv.conf`,
    suite,
    base,
    ...sources,
  ]);
  cpSync(await laidOut(fresh(join(work, 'image-files')), binaries, 'x64', node), base, {
    recursive: true,
    verbatimSymlinks: true,
  });
  settle(join(base, 'usr/lib/coroner'));
  addUser(base);
  const layout = fresh(join(work, 'image'));
  const index = archive(base, layout);
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  settle(layout);
  const file = 'coroner-image.tar';
  run('tar', [
    ...steady,
    '-cf',
    join(out, file),
    '-C',
    layout,
    'blobs',
    'index.json',
    'oci-layout',
  ]);
  return { name: file };
}

function addUser(base) {
  const { name, id, home } = user;
  appendFileSync(join(base, 'etc/passwd'), `${name}:x:${id}:${id}::${home}:/bin/sh\n`);
  appendFileSync(join(base, 'etc/group'), `${name}:x:${id}:\n`);
  mkdirSync(join(base, home));
  chownSync(join(base, home), id, id);
}

const steady = [
  '--sort=name',
  `--mtime=@${epoch}`,
  '--clamp-mtime',
  '--numeric-owner',
  '--format=posix',
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
];

/** The first Debian mirror among apt's sources. */
function mirror() {
  const text = run('sh', [
    '-c',
    'cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true',
  ]);
  return (/^URIs:\s*(\S+)/m.exec(text) ?? /^deb(?:\s+\[[^\]]*\])?\s+(\S+)/m.exec(text))?.[1];
}

function archive(base, layout) {
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const tar = join(work, 'layer.tar');
  run('tar', [
    ...steady,
    '--exclude=./dev/*',
    '--exclude=./proc/*',
    '--exclude=./sys/*',
    '-cf',
    tar,
    '-C',
    base,
    '.',
  ]);
  const unpacked = digestOf(tar);
  run('gzip', ['-n', '-9', '-f', tar]);
  const layer = blob(blobs, `${tar}.gz`, 'application/vnd.oci.image.layer.v1.tar+gzip');
  const created = new Date(epoch * 1000).toISOString();
  const config = text(blobs, 'application/vnd.oci.image.config.v1+json', {
    created,
    architecture: 'amd64',
    os: 'linux',
    config: {
      User: `${user.id}:${user.id}`,
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        // Not every runtime looks it up.
        `HOME=${user.home}`,
      ],
      Entrypoint: ['coroner'],
      Cmd: ['--help'],
      WorkingDir: user.home,
      Labels: {
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      },
    },
    rootfs: { type: 'layers', diff_ids: [unpacked] },
    history: [{ created, created_by: 'npm run package' }],
  });
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = text(blobs, type, {
    schemaVersion: 2,
    mediaType: type,
    config,
    layers: [layer],
  });
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      { ...manifest, annotations: { 'org.opencontainers.image.ref.name': `coroner:${version}` } },
    ],
  };
}

const digestOf = (file) =>
  `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
function blob(folder, file, mediaType) {
  const digest = digestOf(file);
  const { size } = statSync(file);
  renameSync(file, join(folder, digest.slice('sha256:'.length)));
  return { mediaType, digest, size };
}
function text(folder, mediaType, content) {
  const file = join(work, 'blob.json');
  writeFileSync(file, JSON.stringify(content));
  return blob(folder, file, mediaType);
}
