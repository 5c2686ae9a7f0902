import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { cCompiler } from '../have.ts';
import { versions } from './target.ts';

const script = fileURLToPath(new URL('../../scripts/offsets.mjs', import.meta.url));
const header =
  'import os, sysconfig; print(os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))';
const why =
  cCompiler() ??
  (versions().some(([, python]) =>
    spawnSync(python, ['-c', header], { encoding: 'utf8' }).stdout.startsWith('True'),
  )
    ? null
    : 'needs a CPython with its headers');

test.skipIf(why !== null)(
  `the layouts are those of the headers at hand, the agent's too${why === null ? '' : ` (${why})`}`,
  () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--check'], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(stdout).toMatch(/at hand: \d/);
    expect(stderr).not.toMatch(/differs|the headers say/);
    expect(status).toBe(0);
  },
);
