/** oom_coroner-VERSION-py3-none-any.whl: one for every machine, because what is compiled is a tenth of it. */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  copy,
  fresh,
  manifest,
  out,
  payload,
  put,
  root,
  run,
  settle,
  version,
  work,
} from './stage.mjs';

export function wheel({ folder: binaries }) {
  const source = fresh(join(work, 'wheel'));
  cpSync(join(root, 'packages/python'), source, {
    recursive: true,
    filter: (path) => !path.includes('__pycache__'),
  });
  const [, major, minor] = /(\d+)\.(\d+)/.exec(manifest.engines.node);
  if (
    !readFileSync(join(source, 'oom_coroner/__init__.py'), 'utf8').includes(
      `LEAST_NODE = (${major}, ${minor})`,
    )
  )
    throw new Error(`packages/python: LEAST_NODE is not ${manifest.engines.node}`);
  const project = readFileSync(join(source, 'pyproject.toml'), 'utf8');
  put(
    join(source, 'pyproject.toml'),
    project
      .replace('"VERSION"', JSON.stringify(version))
      .replace('"DESCRIPTION"', JSON.stringify(manifest.description)),
  );
  copy(join(root, 'LICENSE'), join(source, 'LICENSE'));
  copy(join(root, 'dist/bundle/licenses.md'), join(source, 'licenses/command.md'));
  copy(join(root, 'dist/report/licenses.md'), join(source, 'licenses/page.md'));
  copy(join(root, 'dist/sbom.cdx.json'), join(source, 'sbom.cdx.json'));
  payload(join(source, 'oom_coroner/package'), binaries);
  settle(source);
  run('python3', [
    '-m',
    'pip',
    'wheel',
    '--quiet',
    '--no-deps',
    '--no-cache-dir',
    '--wheel-dir',
    out,
    source,
  ]);
  return `oom_coroner-${version}-py3-none-any.whl`;
}
