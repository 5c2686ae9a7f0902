#!/usr/bin/env node
import { statSync } from 'node:fs';

/** When it was built; 0: it is not there. */
const builtAt = (file) =>
  statSync(new URL(file, import.meta.url), { throwIfNoEntry: false })?.mtimeMs ?? 0;

try {
  // The package has the bundle alone; where coroner is worked on, `tsc` may have run since it was made.
  const [bundle, modules] = ['../dist/bundle/main.js', '../dist/cli/main.js'];
  const { main } = await import(builtAt(modules) > builtAt(bundle) ? modules : bundle);
  await main(process.argv.slice(2));
} catch (error) {
  // Node loads modules many at a time: with fewer than some thirty descriptors it cannot even start.
  if (error?.code !== 'EMFILE' && error?.code !== 'ENFILE') throw error;
  console.error(
    'coroner: too many open files: nothing was started. Allow at least 64 (ulimit -n 64)',
  );
  process.exitCode = 70;
}
