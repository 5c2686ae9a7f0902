import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { cCompiler } from '../have.ts';
import { versions } from './target.ts';

const script = fileURLToPath(new URL('../../scripts/offsets.mjs', import.meta.url));
const why = cCompiler() ?? (versions().length === 0 ? 'needs CPythons with headers' : null);

test.skipIf(why !== null)(
  `the layouts are those of the headers at hand, the agent's too${why === null ? '' : ` (${why})`}`,
  () => {
    const { status, stderr } = spawnSync(process.execPath, [script, '--check'], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(stderr).not.toMatch(/differs|the headers say/);
    expect(status).toBe(0);
  },
);
