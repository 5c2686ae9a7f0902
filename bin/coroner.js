#!/usr/bin/env node
try {
  const { main } = await import('../dist/cli/main.js');
  await main(process.argv.slice(2));
} catch (error) {
  // Node loads modules many at a time: with fewer than some thirty descriptors it cannot even start.
  if (error?.code !== 'EMFILE' && error?.code !== 'ENFILE') throw error;
  console.error(
    'coroner: too many open files: nothing was started. Allow at least 64 (ulimit -n 64)',
  );
  process.exitCode = 70;
}
