/** coroner-VERSION.tgz, as `npm install -g` takes it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fresh, out, payload, put, root, run, settle, version, work } from './stage.mjs';

/** Where the project can be read: CORONER_REPOSITORY, else where this clone came from; null: from nowhere that others reach. */
export function repository() {
  const { stdout } = spawnSync('git', ['remote', 'get-url', 'origin'], {
    cwd: root,
    encoding: 'utf8',
  });
  const named = process.env.CORONER_REPOSITORY ?? stdout?.trim() ?? '';
  return /^https:\/\/[^@\s]+$/.test(named) ? named.replace(/\.git$/, '').replace(/\/$/, '') : null;
}

/** Links into the repository become whole ones; without a repository, words where the package does not have the file. */
export const withLivingLinks = (text, home, isThere) =>
  text.replaceAll(
    /\[([^\]]*(?:`[^`]*`)?[^\]]*)\]\((?!https?:|#)([^)]+)\)/g,
    (whole, words, target) =>
      home !== null
        ? `[${words}](${home}/blob/HEAD/${target})`
        : isThere(target.replace(/#.*/, ''))
          ? whole
          : words,
  );

export function npm({ folder: binaries }) {
  const folder = payload(fresh(join(work, 'npm')), binaries);
  const home = repository();
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  put(
    join(folder, 'README.md'),
    withLivingLinks(readme, home, (target) => existsSync(join(folder, target))),
  );
  if (home !== null) {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    Object.assign(manifest, {
      homepage: `${home}#readme`,
      bugs: `${home}/issues`,
      repository: { type: 'git', url: `git+${home}.git` },
    });
    put(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  }
  settle(folder);
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', out], { cwd: folder });
  return {
    name: `coroner-${version}.tgz`,
    missing:
      home === null
        ? [
            'repository, homepage, bugs in the npm package (CORONER_REPOSITORY=https://... names them)',
          ]
        : [],
  };
}
