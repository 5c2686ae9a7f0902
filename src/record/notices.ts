/** What the user is told while the command still runs: kills and slow death, in one line each. */
import { watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import type { StallSeen } from '../model/incident-folder.ts';
import { nameWithPid } from '../model/name-with-pid.ts';
import { formatBytes, type Ms } from '../model/units.ts';
import type { WatchedCgroup } from './cgroups.ts';
import { clockOf, writeEvent, type Run } from './run.ts';

/** A kill is told when the command has survived it for so long: else the verdict follows at once. */
const sayAfterMs: Ms = 250;
const mostWatchers = 32;

export interface Notices {
  /** By pid: lines on kills that are about to be said, or were. */
  readonly kills: Map<number, NodeJS.Timeout>;
  readonly watchers: FSWatcher[];
  stallWasSaid: boolean;
  /** OOM kills that the cgroups' counters told of so far. */
  countedKills: number;
}

export const newNotices = (): Notices => ({
  kills: new Map(),
  watchers: [],
  stallWasSaid: false,
  countedKills: 0,
});

/** Says a line on a kill in a moment, unless a better one on the same process comes first. */
export function sayKill(run: Run, { kills }: Notices, pid: number, text: string): void {
  clearTimeout(kills.get(pid));
  kills.set(
    pid,
    setTimeout(() => {
      if (!run.hasEnded) run.say(text);
    }, sayAfterMs),
  );
}

/** What memory guards (earlyoom, nohang, systemd-oomd) send. */
export const guardsSignals = /^SIG(?:TERM|KILL)$/;

/** A process of the run has ended; `signal` is null where it ended by itself or nobody saw how. */
export function noticeEnd(
  run: Run,
  notices: Notices,
  {
    pid,
    name,
    signal,
  }: { readonly pid: number; readonly name: string; readonly signal: string | null },
): void {
  if (signal === null) return;
  run.isNotable = true;
  if (guardsSignals.test(signal)) run.hasUnexplainedSignal = true;
  // The kernel's line may come before or after the end that it explains, and says more.
  if (signal === 'SIGKILL' && !notices.kills.has(pid))
    sayKill(run, notices, pid, `${nameWithPid({ name, pid })} was killed by SIGKILL`);
}

/** Looks for OOM counters that moved since the last call. True: at least one did. */
export function noticeCounters(run: Run, notices: Notices): boolean {
  const killsIn = ({ last }: WatchedCgroup) => last.localOomKills ?? last.oomKills ?? 0;
  const kills = run.cgroups.all.reduce((sum, cgroup) => sum + killsIn(cgroup), 0);
  if (kills <= notices.countedKills) return false;
  notices.countedKills = kills;
  run.isNotable = true;
  const path = run.cgroups.all.find((cgroup) => killsIn(cgroup) > 0)?.place.path;
  writeEvent(run, {
    what: 'kill',
    atMs: clockOf(run),
    cgroup: path ?? '/',
    text: `the OOM killer's counter of cgroup ${path ?? '?'} moved`,
  });
  return true;
}

/** Calls `moved` when an OOM counter of the cgroup moves. By inotify, so on v2 only: v1's files never tell. */
export function watchCounters(
  { watchers }: Notices,
  cgroup: WatchedCgroup | undefined,
  moved: () => void,
): void {
  if (cgroup === undefined || cgroup.place.version !== 2 || watchers.length >= mostWatchers) return;
  try {
    watchers.push(watch(join(cgroup.place.folder, 'memory.events'), moved));
  } catch {
    // The root cgroup has no such file.
  }
}

const stallWords: Readonly<Record<StallSeen['how'], string>> = {
  swap: 'is swapping instead of working',
  'file-refaults': 'reads the same files again and again because memory is too small to keep them',
  'memory-high': 'is being throttled at its memory.high',
  reclaim: 'waits for memory to be freed',
  'oom-disabled': 'hangs at its memory limit: the cgroup has the OOM killer disabled',
  livelock: 'spins without getting memory',
};

/** Writes down a stall, and says the first one. */
export function noticeStall(run: Run, notices: Notices, stall: StallSeen): void {
  run.memoryWasShort = true;
  run.isNotable = true;
  writeEvent(run, stall);
  if (!stall.stillGoingOn || notices.stallWasSaid) return;
  notices.stallWasSaid = true;
  const who = nameWithPid(stall, 'the command');
  const slower =
    stall.slowdown === undefined
      ? ''
      : `, already about ${Math.round(stall.slowdown)} times slower`;
  run.say(`${who} ${stallWords[stall.how]}${limitWords(stall)}${slower}`);
}

function limitWords({ limit }: StallSeen): string {
  if (limit?.bytes == null) return '';
  const whose = limit.owner === 'cgroup' ? `cgroup ${limit.path}` : (limit.path ?? '');
  return ` in ${formatBytes(limit.bytes)} (${whose})`;
}

/** The command has ended: what was not said yet is the verdict's to say. */
export function stopNotices({ kills }: Notices): void {
  for (const timeout of kills.values()) clearTimeout(timeout);
}
