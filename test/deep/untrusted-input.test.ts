/** The large ones: bombs, and a line of 1 GiB. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { command } from '../have.ts';

const mostPeakBytes = 150 * 2 ** 20;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-bombs-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `SHELL_WORDS | coroner diagnose --json - WORDS`, with the peak of coroner's memory. */
function diagnose(
  words: readonly string[],
  input = ':',
): Promise<{ report: Report; peakBytes: number }> {
  const script = `process.on('exit', () => process.stderr.write('PEAK ' + process.resourceUsage().maxRSS));
    const { main } = await import(${JSON.stringify(fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url)))});
    await main(['diagnose', '--json', '-', ...${JSON.stringify(words)}]);`;
  return new Promise((resolve, reject) => {
    const child = spawn(
      'sh',
      ['-c', `(${input}) | "$0" --input-type=module -e "$1"`, process.execPath, script],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (stdout += String(data)));
    child.stderr.on('data', (data: Buffer) => (stderr += String(data)));
    child.on('close', () => {
      try {
        resolve({
          report: JSON.parse(stdout) as Report,
          peakBytes: Number(/PEAK (\d+)/.exec(stderr)?.[1]) * 1024,
        });
      } catch {
        reject(new Error(stderr));
      }
    });
  });
}

for (const [name, packer] of [
  ['gzip', 'gzip -9'],
  ['zstd', 'zstd -q'],
  ['xz', 'xz -0'],
] as const) {
  const missing = command(name);
  test.skipIf(missing !== null)(
    `a bomb of ${name} is cut off and said so${missing === null ? '' : ` (${missing})`}`,
    { timeout: 300_000 },
    async () => {
      const path = join(folder, `bomb.${name}`);
      spawnSync('sh', ['-c', `head -c 1200M /dev/zero | ${packer} > "$0"`, path]);
      const { report, peakBytes } = await diagnose([path]);
      expect(report.incidents).toEqual([]);
      expect(report.sources).toMatchObject([
        { detail: expect.stringContaining('unpacks to more than') },
      ]);
      expect(peakBytes).toBeLessThan(mostPeakBytes);
    },
  );
}

test('a line of 1 GiB, and a kill behind it', { timeout: 300_000 }, async () => {
  const kill =
    '[9.0] Memory cgroup out of memory: Killed process 4711 (python3) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB';
  const { report, peakBytes } = await diagnose(
    ['-'],
    `head -c 1G /dev/zero | tr '\\\\0' a; echo; echo '${kill}'`,
  );
  expect(report.incidents).toMatchObject([{ cause: 'kernel-cgroup-oom', victim: { pid: 4711 } }]);
  expect(peakBytes).toBeLessThan(mostPeakBytes);
});
