// Builds dist/: the command (tsc, and bundled by vite), the page (vite) and the agent (cc). What a machine lacks is said, not fatal.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

const here = (path) => new URL(`../${path}`, import.meta.url).pathname;
const step = (title, command, args) => {
  const started = Date.now();
  const { status, error } = spawnSync(command, args, {
    cwd: here(''),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error || status !== 0) {
    console.error(`build: ${title} failed${error ? `: ${error.message}` : ''}`);
    return false;
  }
  console.error(`build: ${title} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  return true;
};

rmSync(here('dist'), { recursive: true, force: true });
if (!step('command', process.execPath, [here('node_modules/typescript/bin/tsc')])) process.exit(1);
if (!step('bundle', process.execPath, [here('scripts/bundle.mjs')])) process.exit(1);
if (
  existsSync(here('report/vite.config.ts')) &&
  !step('page', process.execPath, [
    here('node_modules/vite/bin/vite.js'),
    'build',
    'report',
    '--logLevel',
    'warn',
  ])
)
  process.exit(1);
if (!step('licences', process.execPath, [here('scripts/sbom.mjs')])) process.exit(1);
if (
  existsSync(here('agent/build.mjs')) &&
  !step('agent', process.execPath, [here('agent/build.mjs')])
)
  console.error('build: going on without the agent: coroner run will not name allocating lines');
if (!step('helper', process.execPath, [here('helper/build.mjs')]))
  console.error(
    'build: going on without the helper: coroner run will change what its command inherits',
  );
