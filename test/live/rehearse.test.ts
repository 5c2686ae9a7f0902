/** The README's first command: what a newcomer sees of coroner before anything else. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cgroup, command } from '../have.ts';
import { coroner } from './under-coroner.ts';

const lacks = command('python3');

test.skipIf(lacks !== null)(
  `an assassination is told with its line and its variable, in 80 columns${lacks === null ? '' : ` (${lacks})`}`,
  () => {
    const state = mkdtempSync(join(tmpdir(), 'coroner-test-rehearse-'));
    try {
      const { status, stdout } = spawnSync(
        process.execPath,
        [coroner, 'rehearse', 'assassination'],
        {
          encoding: 'utf8',
          timeout: 50_000,
          killSignal: 'SIGKILL',
          env: { ...process.env, NO_COLOR: '1', COLUMNS: '80', XDG_STATE_HOME: state },
        },
      );
      expect(status).toBe(0);
      // Where no cgroup may be made the same program meets a limit of address space.
      expect(stdout).toContain(cgroup() === null ? 'The kernel killed' : 'was refused');
      const [, where = ''] = /Where in the code\?([\s\S]*?)\n\n/.exec(stdout) ?? [];
      expect(where).toContain('assassination.py:9 had allocated');
      expect(where).toContain('chunks -> list[');
      expect(where).not.toContain('garbage');
      // Before the verdict the program speaks for itself, and of files whose paths are as long as they are.
      const verdict = stdout.slice(stdout.indexOf('OUT OF MEMORY'));
      expect(verdict.length).toBeGreaterThan(1000);
      for (const line of verdict.split('\n'))
        expect([...line].length, line).toBeLessThanOrEqual(80);
    } finally {
      rmSync(state, { recursive: true, force: true });
    }
  },
);
