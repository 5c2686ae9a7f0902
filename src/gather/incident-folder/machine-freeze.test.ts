import { describe, expect, test } from 'vitest';
import { diagnose } from '../../diagnose/diagnose.ts';
import type { HostSample, IncidentStart } from '../../model/incident-folder.ts';
import { parseIncident } from './incident.ts';

const gib = 2 ** 30;
const mib = 2 ** 20;
const startedAt = '2026-01-31T12:00:00.000Z';
const sampleCount = 100;
const longAfter = Date.parse(startedAt) + 3_600_000;

interface Scene {
  readonly machine?: IncidentStart['machine'];
  /** Of each sample, the last of which is number 0. */
  readonly host?: (fromTheEnd: number) => HostSample;
  readonly ended?: boolean;
  readonly now?: number;
  readonly kernel?: string;
}

/** Available memory and pressure of a machine of 8 GiB that a list fills within the recording. */
const filling = (fromTheEnd: number): HostSample => ({
  availableBytes: 10 * mib + fromTheEnd * 80 * mib,
  swapFreeBytes: 0,
  psiSomeMs: 500 - Math.min(500, fromTheEnd * 100),
  psiFullMs: 200 - Math.min(200, fromTheEnd * 40),
});

function incidentsOf({ machine, host = filling, ended, now = longAfter, kernel }: Scene) {
  const samples = Array.from({ length: sampleCount }, (_, index) => ({
    atMs: index * 200,
    processes: [{ pid: 2400, rssBytes: 60 * mib * index, peakRssBytes: 60 * mib * index }],
    host: host(sampleCount - 1 - index),
  }));
  const lines = (values: readonly object[]) =>
    values.map((value) => `${JSON.stringify(value)}\n`).join('');
  const texts = new Map([
    [
      'incident.json',
      JSON.stringify({
        format: 'coroner-incident/1',
        id: '20260131-120000-abcdef',
        version: '0.1.0',
        command: ['python3', 'load.py'],
        cwd: '/home/me',
        startedAt,
        startedUptimeSeconds: 1000,
        bootId: null,
        machine: machine ?? { totalBytes: 8 * gib, swapTotalBytes: 0 },
        recorderPid: 2399,
        uid: 1000,
        initialPidNamespace: true,
        options: {},
      }),
    ],
    [
      'events.ndjson',
      lines([
        {
          what: 'process',
          atMs: 5,
          pid: 2400,
          parentPid: null,
          name: 'python3',
          command: 'python3 load.py',
          role: 'command',
        },
      ]),
    ],
    ['samples.ndjson', lines(samples)],
    ...(kernel === undefined ? [] : [['kernel.log', kernel] as const]),
    ...(ended === true
      ? [
          [
            'end.json',
            JSON.stringify({ endedAt: '2026-01-31T12:00:20.000Z', durationMs: 20_000 }),
          ] as const,
        ]
      : []),
  ]);
  const parsed = parseIncident(texts, undefined, now);
  return diagnose({ evidence: parsed!.evidence, sources: parsed!.sources }).incidents;
}

describe('a recording that breaks off when the machine has nothing left', () => {
  test('is a slow death, with who held the memory, and with what nobody can know', () => {
    const [incident, ...others] = incidentsOf({});
    expect(others).toEqual([]);
    expect(incident).toMatchObject({
      outOfMemory: true,
      death: 'slow',
      cause: 'swap-thrash',
      variant: 'machine-freeze-without-swap',
      confidence: 'strong',
      headline:
        'The machine had no memory left when the recording broke off: python3 (pid 2400) held 5.8 GiB of 8 GiB',
      limit: { owner: 'host', bytes: 8 * gib },
      memory: { peakRssBytes: 99 * 60 * mib },
    });
    expect(incident!.unknown).toContainEqual(
      expect.objectContaining({ what: expect.stringMatching(/^how it ended/i) as string }),
    );
    expect(incident!.remedies[0]?.command).toContain('--memory-limit 90%');
  });

  test.each<readonly [string, Scene]>([
    [
      'with swap that was full',
      {
        machine: { totalBytes: 8 * gib, swapTotalBytes: 2 * gib },
        host: (at) => ({ ...filling(at), swapFreeBytes: at * 40 * mib }),
      },
    ],
    [
      'with zram that was full but for a few pages',
      {
        machine: { totalBytes: 8 * gib, swapTotalBytes: 300 * mib },
        host: (at) => ({ ...filling(at), swapFreeBytes: 4 * mib }),
      },
    ],
    ['without refaults or full stalls', { host: (at) => ({ ...filling(at), psiFullMs: 0 }) }],
    [
      'with 4 % available for a minute',
      { host: (at) => ({ ...filling(at), availableBytes: 320 * mib }) },
    ],
  ])('%s', (_, scene) => {
    expect(incidentsOf(scene)).toMatchObject([
      { cause: 'swap-thrash', death: 'slow', confidence: 'strong' },
    ]);
  });

  test('where the kernel tells no pressure, less must be left, and it is likely only', () => {
    const without = (availableBytes: number) => (at: number) => ({
      availableBytes: availableBytes + at * mib,
      swapFreeBytes: 0,
    });
    expect(incidentsOf({ host: without(100 * mib) })).toMatchObject([{ confidence: 'likely' }]);
    expect(incidentsOf({ host: without(300 * mib) })).toEqual([]);
  });

  test("a kernel's kill is the surer verdict", () => {
    const kernel =
      '6,1,1019500000,-;Out of memory: Killed process 2400 (python3) total-vm:9000000kB, anon-rss:6000000kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:12000kB oom_score_adj:0\n';
    expect(incidentsOf({ kernel })[0]).toMatchObject({ cause: 'kernel-global-oom' });
  });
});

describe('no freeze', () => {
  test.each<readonly [string, Scene]>([
    ['the run has ended', { ended: true }],
    ['it may still be recorded', { now: Date.parse(startedAt) + 22_000 }],
    ['a tenth is available', { host: (at) => ({ ...filling(at), availableBytes: 820 * mib }) }],
    [
      'little is available, and nothing waits for it: what is used can be dropped at once',
      { host: (at) => ({ ...filling(at), psiSomeMs: 0, psiFullMs: 0 }) },
    ],
    [
      'it had been short, and was no more',
      { host: (at) => ({ ...filling(at), availableBytes: at < 5 ? 4 * gib : 10 * mib }) },
    ],
    [
      'half of the swap is free',
      {
        machine: { totalBytes: 8 * gib, swapTotalBytes: 2 * gib },
        host: (at) => ({ ...filling(at), swapFreeBytes: gib }),
      },
    ],
    ['the size of the machine was not recorded', { machine: {} }],
  ])('where %s', (_, scene) => {
    expect(incidentsOf(scene)).toEqual([]);
  });
});
