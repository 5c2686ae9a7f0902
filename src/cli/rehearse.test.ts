/** `coroner rehearse` whose reader goes away. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const lacks = !existsSync(join(root, 'dist/cli/main.js'))
  ? 'npm run build'
  : spawnSync('python3', ['--version']).status === 0
    ? null
    : 'python3';

test.skipIf(lacks !== null)(
  `a reader that stops early ends the rehearsal, and nothing of it is left${lacks === null ? '' : ` (needs ${lacks})`}`,
  { timeout: 90_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'coroner-rehearse-test-'));
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    try {
      const { stdout, stderr } = spawnSync(
        'sh',
        [
          '-c',
          '"$0" "$1" rehearse disguised | head -2',
          process.execPath,
          join(root, 'bin/coroner.js'),
        ],
        {
          encoding: 'utf8',
          env: { ...process.env, TMPDIR: temporary, XDG_STATE_HOME: join(folder, 'state') },
        },
      );
      expect(stdout).toBe('\nA disguised death, in Python\n');
      expect(stderr).toBe('');
      expect(readdirSync(temporary).filter((name) => name.startsWith('coroner-rehearsal'))).toEqual(
        [],
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
