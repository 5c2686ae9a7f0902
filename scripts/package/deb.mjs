/** coroner_VERSION_ARCH.deb: with its own Node, because Debian 12 has one that is too old. */
import { mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { manualFiles } from './manual.mjs';
import {
  copy,
  filesBelow,
  fresh,
  manifest,
  nodeFor,
  nodeLicence,
  out,
  payload,
  put,
  root,
  run,
  settle,
  version,
  work,
} from './stage.mjs';

const architectures = { x64: 'amd64', arm64: 'arm64' };

export async function deb({ folder: binaries }) {
  const names = [];
  const missing = [];
  for (const [arch, debian] of Object.entries(architectures)) {
    const name = `coroner_${version}_${debian}.deb`;
    const node = nodeFor(arch);
    if (node === null) {
      missing.push(`${name}: no Node for ${arch} here`);
      continue;
    }
    const folder = await laidOut(fresh(join(work, `deb-${arch}`)), binaries, arch, node);
    control(folder, debian);
    settle(folder);
    run('dpkg-deb', ['--root-owner-group', '-Zxz', '-z2', '--build', folder, join(out, name)], {
      // How xz cuts its blocks depends on the threads that it finds memory for.
      env: { DPKG_DEB_THREADS_MAX: '1' },
    });
    names.push(name);
  }
  return { names, missing };
}

/** The files below / as the package and the image have them. */
export async function laidOut(folder, binaries, arch, node) {
  const library = join(folder, 'usr/lib/coroner');
  payload(library, binaries, arch);
  copy(node, join(library, 'node/bin/node'), 0o755);
  // dpkg puts the program where it belongs; there is nothing to do afterwards.
  rmSync(join(library, 'helper'), { recursive: true });
  for (const [place, text] of Object.entries(await manualFiles()))
    if (place.endsWith('.1')) put(join(folder, 'usr', `${place}.gz`), gzipSync(text, { level: 9 }));
    else put(join(folder, 'usr', place), text);
  const documents = join(folder, 'usr/share/doc/coroner');
  put(
    join(documents, 'copyright'),
    `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: coroner

Files: *
Copyright: the authors of coroner
License: Apache-2.0
 The whole text is in /usr/share/common-licenses/Apache-2.0.
Comment: What is built in of others, with its licences: licences-*.md beside this file, sbom.cdx.json. Node's own licence: LICENSE.node.
`,
  );
  for (const part of ['bundle', 'report'])
    copy(join(root, `dist/${part}/licenses.md`), join(documents, `licences-${part}.md`));
  copy(join(root, 'dist/sbom.cdx.json'), join(documents, 'sbom.cdx.json'));
  copy(nodeLicence(node), join(documents, 'LICENSE.node'));
  mkdirSync(join(folder, 'usr/bin'));
  symlinkSync('../lib/coroner/bin/coroner', join(folder, 'usr/bin/coroner'));
  return folder;
}

function control(folder, debian) {
  const size = Math.ceil(
    filesBelow(folder).reduce((total, path) => total + statSync(path).size, 0) / 1024,
  );
  const sums = filesBelow(join(folder, 'usr')).map((path) => path.slice(folder.length + 1));
  put(
    join(folder, 'DEBIAN/control'),
    `Package: coroner
Version: ${version}
Architecture: ${debian}
Maintainer: the authors of coroner <coroner@localhost>
Installed-Size: ${size}
Depends: libc6 (>= 2.17)
Suggests: python3
Section: devel
Priority: optional
Description: tells why a process died of running out of memory
 ${manifest.description}.
`,
  );
  put(join(folder, 'DEBIAN/md5sums'), run('md5sum', sums, { cwd: folder }));
}
