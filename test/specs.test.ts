// What each fixture must be judged as, written by hand: the golden files beside them are recorded, these are not.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { gatherText } from '../src/gather/text.ts';
import type { Incident } from '../src/model/report.ts';
import { fixtures } from './fixtures.ts';

interface Spec {
  readonly outOfMemory?: boolean;
  readonly noMemoryDeath?: true;
  readonly cause?: string;
  readonly death?: string;
  /** Within 1 %: some are printed rounded. */
  readonly requestBytes?: number;
  readonly limitBytes?: number;
  readonly victimPid?: number;
  readonly victimName?: string;
  /** How many incidents, exactly. */
  readonly incidents?: number;
  readonly neverCertain?: true;
  /** Stands in the headline as the user's own place. */
  readonly userFunction?: string;
}

const near = (have: number | null | undefined, want: number): boolean =>
  have != null && Math.abs(have - want) <= want / 100;

const specified = fixtures.flatMap((fixture) => {
  const path = join(fixture.folder, 'spec.json');
  return existsSync(path)
    ? [{ ...fixture, spec: JSON.parse(readFileSync(path, 'utf8')) as Spec }]
    : [];
});

const judge = (text: string): readonly Incident[] =>
  diagnose({ evidence: gatherText('input', text).evidence, sources: [] }).incidents;

describe.each(specified)('$title', ({ bytes, spec }) => {
  const incidents = judge(bytes.toString('utf8'));
  const memory = incidents.filter(({ outOfMemory }) => outOfMemory === true);

  test('is judged as it must be', () => {
    if (spec.outOfMemory === true) expect(memory).not.toEqual([]);
    if (spec.outOfMemory === false || spec.noMemoryDeath === true) expect(memory).toEqual([]);
    const relevant = spec.outOfMemory === true ? memory : incidents;
    if (spec.cause !== undefined) expect(relevant.map(({ cause }) => cause)).toContain(spec.cause);
    if (spec.death !== undefined) expect(relevant.map(({ death }) => death)).toContain(spec.death);
    if (spec.incidents !== undefined) expect(incidents).toHaveLength(spec.incidents);
    if (spec.neverCertain === true)
      expect(incidents.map(({ confidence }) => confidence)).not.toContain('certain');
    const { requestBytes, limitBytes, victimPid, victimName, userFunction } = spec;
    if (requestBytes !== undefined)
      expect(incidents.some(({ request }) => near(request.bytes, requestBytes))).toBe(true);
    if (limitBytes !== undefined)
      expect(incidents.some(({ limit }) => near(limit?.bytes, limitBytes))).toBe(true);
    if (victimPid !== undefined)
      expect(incidents.map(({ victim }) => victim?.pid)).toContain(victimPid);
    if (victimName !== undefined)
      expect(incidents.map(({ victim }) => victim?.name)).toContain(victimName);
    if (userFunction !== undefined)
      expect(incidents.map(({ headline }) => headline).join('\n')).toContain(
        userFunction === '<module>' ? ' at ' : ` at ${userFunction} `,
      );
  });
});

describe('words that tell of no death', () => {
  test.each(
    Object.entries({
      'eviction for the disk':
        'The node was low on resource: ephemeral-storage. Container app was using 12Gi, which exceeds its request of 0.',
      'a healthy call of a function':
        'REPORT RequestId: 1234-5678\tDuration: 100.0 ms\tMemory Size: 512 MB\tMax Memory Used: 111 MB',
      'pressure on the disk':
        '$ cat /proc/pressure/io\nsome avg10=96.10 avg60=80.00 avg300=40.00 total=1\nfull avg10=88.20 avg60=70.00 avg300=30.00 total=1',
      'counters at nought': '$ cat memory.events\nlow 0\nhigh 0\nmax 1234\noom 0\noom_kill 0',
      'advice about MemoryError':
        'If you see a MemoryError, reduce the batch size. We catch MemoryError and retry.',
      'source text':
        'try:\n    x = f()\nexcept MemoryError as e:\n    raise RuntimeError("out of memory") from e',
      'a release note': '- Fixed a bug where `MemoryError` was raised on large inputs',
      'advice about memory':
        '## Troubleshooting\n\nIf you run out of memory, use a smaller batch size.',
      'a pod that cannot be placed':
        'Warning  FailedScheduling  default-scheduler  0/3 nodes are available: 3 Insufficient memory.',
      'a warning of TensorFlow':
        'W tensorflow/core/framework/cpu_allocator_impl.cc:82] Allocation of 1207959552 exceeds 10% of free system memory.',
      'a guard that starts':
        'earlyoom[1]: mem total: 15904 MiB, swap total: 0 MiB\nearlyoom[1]: sending SIGTERM when mem <= 10.00% and swap <= 10.00%,\nearlyoom[1]: SIGKILL when mem <= 5.00% and swap <= 5.00%',
      'settings of a guard':
        'systemd-oomd[1]: Swap Used Limit: 90.00%\nDefault Memory Pressure Limit: 60.00%',
      'a setting': 'mem_limit: 512m\noom_score_adj: 500',
      'advice about OOMKilled': 'If the pod status is OOMKilled, increase the memory limit.',
      'advice about the GPU': 'To avoid CUDA out of memory errors, reduce the batch size.',
      'a changelog': 'Fixed a crash with "Cannot allocate memory" on 32-bit systems.',
      'a changelog about arrays': '- Fixes `MemoryError: Unable to allocate` on large inputs',
      'advice about a guard':
        'earlyoom will send SIGTERM to the process with the highest oom_score.',
    }),
  )('%s', (_, text) => {
    expect(judge(text).filter(({ outOfMemory }) => outOfMemory !== false)).toEqual([]);
  });
});
