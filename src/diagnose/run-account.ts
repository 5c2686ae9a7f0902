/** The account of a recorded run: drawn from what was recorded and what was seen inside its processes. Pure. */
import { defined } from '../model/defined.ts';
import { isInterrupt } from '../model/incident.ts';
import type { Evidence, HeapSnapshot } from '../model/evidence.ts';
import type { RecordedProcess, RecordedSnapshot, Recording } from '../model/recording.ts';
import type {
  EnoughLimit,
  Incident,
  Limit,
  MemoryPicture,
  RunAccount,
  RunCost,
  RunPeak,
  RunReclaim,
} from '../model/report.ts';
import type { Bytes } from '../model/units.ts';
import { steadyGrowth } from './growth.ts';
import { memoryOfRun, type MomentOfRun } from './run-memory.ts';

export function accountOf(
  recording: Recording,
  evidence: readonly Evidence[],
  incidents: readonly Incident[] = [],
): RunAccount {
  const moments = memoryOfRun(recording);
  const peak = peakOf(recording, moments);
  const limit = tightest(recording.limits);
  const command = recording.processes.find(({ pid }) => pid === recording.commandPid);
  // Of a run that Ctrl-C ended the account speaks, and no incident.
  const isTold = incidents.some((incident) => {
    const { allocations = [], holders = [] } = incident.memory;
    return !isInterrupt(incident) && allocations.length + holders.length > 0;
  });
  const snapshots = evidence.filter((fact) => fact.kind === 'heap-snapshot');
  const memory = isTold ? null : memoryAtPeak(recording, snapshots, peak);
  return {
    state: recording.endedAt === null ? 'cut-short' : 'ended',
    command: recording.command,
    startedAt: recording.startedAt,
    durationMs: recording.durationMs,
    exitCode: command?.exitCode ?? null,
    signal: command?.signal ?? null,
    peak,
    enough: peak === null ? null : enoughFor(peak.bytes, limit),
    growth: steadyGrowth(moments, limit?.bytes ?? null),
    reclaim: reclaimOf(recording),
    cost: costOf(recording),
    environment: {
      ...defined({
        machine: recording.machine,
        python: snapshots.find(({ python }) => python !== undefined)?.python,
        coroner: recording.version,
      }),
      limits: recording.limits.filter(({ owner }) => owner !== 'host'),
    },
    ...(memory === null ? {} : { memory }),
  };
}

function peakOf(recording: Recording, moments: readonly MomentOfRun[]): RunPeak | null {
  const { processes, largestRssBytes = 0 } = recording;
  const largest = processes.reduce<RecordedProcess | null>(
    (most, one) => ((one.peakRssBytes ?? 0) > (most?.peakRssBytes ?? 0) ? one : most),
    null,
  );
  const highest = Math.max(largest?.peakRssBytes ?? 0, largestRssBytes);
  if (highest === 0) return null;
  const top = moments.reduce<MomentOfRun | null>(
    (most, one) => (one.bytes > (most?.bytes ?? 0) ? one : most),
    null,
  );
  const together = (top?.bytes ?? 0) > highest && (top?.processes ?? 1) > 1;
  const cgroup = recording.cgroups.find(
    ({ level, peakBytes }) => level === 0 && peakBytes !== undefined,
  );
  return {
    bytes: together ? (top?.bytes ?? highest) : highest,
    of: together ? 'processes' : 'process',
    // The mark of the command's wait status covers it and the children that it had waited for.
    ...(!together && largest?.peakIsLeast === true && largestRssBytes < highest
      ? { isLeast: true }
      : {}),
    ...defined({ pid: largest?.pid, name: largest?.name, atMs: top?.atMs }),
    processes: together ? (top?.processes ?? 1) : 1,
    ...(cgroup?.peakBytes === undefined
      ? {}
      : { cgroup: { path: cgroup.path, bytes: cgroup.peakBytes } }),
  };
}

/** A limit on memory itself; the machine's own is none that anybody set. */
const onMemory = ({ owner, path, bytes }: Limit): boolean =>
  bytes !== null &&
  (owner === 'cgroup' ||
    owner === 'budget' ||
    (owner === 'rlimit' && (path === 'RLIMIT_AS' || path === 'RLIMIT_DATA')));
const tightest = (limits: readonly Limit[]): Limit | null =>
  limits
    .filter(onMemory)
    .reduce<Limit | null>(
      (least, one) => (least === null || (one.bytes ?? 0) < (least.bytes ?? 0) ? one : least),
      null,
    );

const mib = 2 ** 20;
/** The same work takes a little more on another day: a quarter, at least 32 MiB. */
const margin = { share: 0.25, leastBytes: 32 * mib } as const;
/** To a round figure: of 16 MiB below a GiB, of 64 MiB below 8 GiB, else of 256 MiB. */
const stepFor = (bytes: Bytes): Bytes =>
  bytes < 1024 * mib ? 16 * mib : bytes < 8192 * mib ? 64 * mib : 256 * mib;

export function enoughFor(peakBytes: Bytes, now: Limit | null): EnoughLimit {
  const least = Math.max(peakBytes * (1 + margin.share), peakBytes + margin.leastBytes);
  const step = stepFor(least);
  const bytes = Math.ceil(least / step) * step;
  return { bytes, marginShare: bytes / peakBytes - 1, now };
}

const lastOf = (column: readonly (number | null)[] | undefined): number | undefined =>
  column?.findLast((value) => value !== null) ?? undefined;

function reclaimOf({ cgroups, host, processes }: Recording): RunReclaim {
  const own = cgroups.find(
    ({ level, samples }) => level === 0 && samples.columns['psiFullMs'] !== undefined,
  );
  const { columns } = own?.samples ?? host;
  const hits = cgroups.flatMap(({ limitBytes, samples }) =>
    limitBytes === null ? [] : [lastOf(samples.columns['limitHits']) ?? 0],
  );
  const faults = processes.flatMap(({ samples }) => lastOf(samples.columns['majorFaults']) ?? []);
  const swapped = processes.flatMap(
    ({ samples }) => samples.columns['swapBytes']?.filter((value) => value !== null) ?? [],
  );
  const hasPressure = columns['psiFullMs'] !== undefined;
  return {
    of: hasPressure ? (own === undefined ? 'machine' : 'cgroup') : null,
    ...defined({
      fullMs: lastOf(columns['psiFullMs']),
      someMs: lastOf(columns['psiSomeMs']),
      limitHits: hits.length === 0 ? undefined : Math.max(...hits),
      majorFaults: faults.length === 0 ? undefined : faults.reduce((sum, one) => sum + one, 0),
      swapBytes: swapped.reduce<number | undefined>(
        (most, one) => Math.max(most ?? 0, one),
        undefined,
      ),
    }),
  };
}

function costOf({ recorder, looks }: Recording): RunCost {
  const stops = looks.reduce<RecordedSnapshot['stops']>(
    (most, { stops: one }) => ((one?.count ?? 0) >= (most?.count ?? 0) ? (one ?? most) : most),
    undefined,
  );
  return {
    ...defined({
      cpuMs: recorder?.cpuMs,
      recorderBytes: recorder?.peakRssBytes,
      samples: recorder?.samples,
    }),
    stops: stops?.count ?? 0,
    stoppedMs: stops?.sumMs ?? 0,
  };
}

/** The lines that the agent has of the peak, and of the looks the one that saw most. null: nobody looked inside. */
function memoryAtPeak(
  { looks }: Recording,
  snapshots: readonly HeapSnapshot[],
  peak: RunPeak | null,
): MemoryPicture | null {
  const own = snapshots.filter(
    ({ pid, picture }) => picture.allocations !== undefined && pid === peak?.pid,
  );
  const agent = own[0] ?? (snapshots.length === 1 ? snapshots[0] : undefined);
  const look = looks
    .filter(({ pid, picture }) => pid === peak?.pid && (picture.holders?.length ?? 0) > 0)
    .reduce<RecordedSnapshot | null>(
      (most, one) => ((one.rssBytes ?? 0) >= (most?.rssBytes ?? 0) ? one : most),
      null,
    );
  if (agent === undefined && look === null) return null;
  return {
    ...look?.picture,
    ...defined({
      allocations: agent?.picture.allocations?.filter(({ when }) => when === 'peak'),
      growth: agent?.picture.growth,
      peakRssBytes: peak?.bytes,
    }),
  };
}
