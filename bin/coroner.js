#!/usr/bin/env node
const { statSync } = require('node:fs');
const { join } = require('node:path');

/** When it was built; 0: it is not there. */
const builtAt = (file) => statSync(join(__dirname, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;

async function start() {
  // The package has the bundle alone; where coroner is worked on, `tsc` may have run since it was made.
  const [bundle, modules] = ['../dist/bundle/main.js', '../dist/cli/main.js'];
  const { main } =
    builtAt(modules) > builtAt(bundle) ? await import(modules) : require('../dist/bundle/main.js');
  await main(process.argv.slice(2));
}

/** What package.json asks for: older ones cannot read what the bundle is written in. */
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `coroner: needs Node 20.19 or newer; ${process.execPath} is ${process.versions.node}`,
  );
  process.exit(70);
}
start().catch((error) => {
  // Node loads modules many at a time: with fewer than some thirty descriptors it cannot even start.
  if (error?.code !== 'EMFILE' && error?.code !== 'ENFILE') throw error;
  console.error(
    'coroner: too many open files: nothing was started. Allow at least 64 (ulimit -n 64)',
  );
  process.exitCode = 70;
});
