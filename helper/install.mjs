// Puts the compiled helper in the place of bin/coroner, where there is one for this machine: a shell script could not hand on the environment as
// it is (shells add PWD and SHLVL, drop odd names). Runs after the package is installed; where that is not allowed, the stub finds the helper.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** The helper for this machine, if it is there and starts; else null. */
export function ready() {
  const file = path(`dist/helper/coroner-helper-${process.platform}-${process.arch}`);
  if (!existsSync(file)) return null;
  return spawnSync(file, ['--check'], { stdio: 'ignore' }).status === 0 ? file : null;
}

/** bin/coroner becomes a copy of `file`; null: of the stub. */
export function put(file) {
  const unfinished = path(`bin/coroner.${process.pid}`);
  copyFileSync(file ?? path('helper/stub.sh'), unfinished);
  chmodSync(unfinished, 0o755);
  // Whoever runs the old one keeps it.
  renameSync(unfinished, path('bin/coroner'));
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  try {
    const file = ready();
    if (file !== null) put(file);
  } catch (error) {
    // A package folder that may not be written: the stub stays.
    console.error(`coroner: ${error instanceof Error ? error.message : String(error)}`);
  }
