/**
 * coroner-VERSION-linux-ARCH: all of coroner in one file, its Node too. The helper comes first, because Node has changed what the command
 * shall inherit before any JavaScript runs; behind it the files, and the tail by which it finds them (helper/single.c).
 */
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  copy,
  filesBelow,
  fresh,
  nodeFor,
  nodeLicence,
  out,
  payload,
  version,
  work,
} from './stage.mjs';

export function executable({ folder: binaries }) {
  const names = [];
  const missing = [];
  for (const arch of ['x64', 'arm64']) {
    const name = `coroner-${version}-linux-${arch}`;
    const node = nodeFor(arch);
    const folder =
      node === null ? null : payload(fresh(join(work, `executable-${arch}`)), binaries, arch);
    if (
      folder === null ||
      readFileSync(join(folder, 'bin/coroner'), 'latin1').slice(1, 4) !== 'ELF'
    ) {
      missing.push(`${name}: no ${node === null ? 'Node' : 'helper'} for ${arch} here`);
      continue;
    }
    copy(node, join(folder, 'node/bin/node'), 0o755);
    copy(nodeLicence(node), join(folder, 'node/LICENSE'));
    write(join(out, name), folder);
    names.push(name);
  }
  return { names, missing };
}

function write(file, folder) {
  const to = openSync(file, 'w', 0o755);
  writeSync(to, readFileSync(join(folder, 'bin/coroner')));
  const hash = createHash('sha256');
  let length = 0;
  const add = (bytes) => {
    hash.update(bytes);
    for (let at = 0; at < bytes.length;) at += writeSync(to, bytes, at);
    length += bytes.length;
  };
  for (const path of filesBelow(folder)) {
    const name = Buffer.from(relative(folder, path));
    const content = readFileSync(path);
    const entry = Buffer.alloc(16);
    entry.writeUInt32LE(name.length, 0);
    entry.writeUInt32LE(statSync(path).mode & 0o777, 4);
    entry.writeBigUInt64LE(BigInt(content.length), 8);
    for (const bytes of [entry, name, content]) add(bytes);
  }
  const tail = Buffer.alloc(32);
  tail.write('CORONER1', 0, 'latin1');
  tail.writeBigUInt64LE(BigInt(length), 8);
  tail.write(hash.digest('hex').slice(0, 16), 16, 'latin1');
  writeSync(to, tail);
  closeSync(to);
  chmodSync(file, 0o755);
}
