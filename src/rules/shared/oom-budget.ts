/**
 * An OOM counter is a budget: each kill that it counted explains one death, and only a death of that moment. A SIGKILL by hand,
 * seconds after a child was killed for memory, is not explained by the child's kill.
 */
import { plainCgroup } from '../../model/cgroup-path.ts';
import type { CgroupCounters, KernelOomKill, ProcessExit } from '../../model/evidence.ts';
import { firstIndexWhere } from '../../model/binary-search.ts';
import { killsOf } from './by-pid.ts';
import { duplicateReportedBy, levelsOf, localKills } from './recorded.ts';

export interface CountedDeath {
  /** The cgroup whose counter counted it. */
  readonly own: CgroupCounters;
  /** false: it died later than a kill takes, or more processes than were counted died in that moment. */
  readonly sure: boolean;
}
export interface OomBudget {
  /** The deaths by SIGKILL that a counter explains. */
  readonly deaths: ReadonlyMap<ProcessExit, CountedDeath>;
  /** What no death by SIGKILL has used, by cgroup. */
  readonly left: ReadonlyMap<CgroupCounters, readonly Kill[]>;
}
/** Kills that were counted between two readings; infinite where the readings have no times. */
interface Kill {
  readonly fromMs: number;
  readonly untilMs: number;
  /** How many of them no death has used. */
  count: number;
}

interface Facts {
  readonly 'process-exit': readonly ProcessExit[];
  readonly 'cgroup-counters': readonly CgroupCounters[];
  readonly 'kernel-oom-kill': readonly KernelOomKill[];
}

/** A killed process is gone so soon after the counter was read; longer where there was much to give back. */
const teardownMs = (exit: ProcessExit) => 500 + ((exit.peakRssBytes ?? 0) / 2 ** 30) * 1000;
/** On a machine that stands still it may take so long; then it is less sure. */
const slowestTeardownMs = 10_000;
/** Readings of clocks and files of one sample lie closer together than this. */
const roundingMs = 250;

export function oomBudget(facts: Facts): OomBudget {
  const exits = facts['process-exit'];
  const left = new Map<CgroupCounters, Kill[]>();
  for (const own of facts['cgroup-counters'])
    if ((localKills(own) ?? 0) > 0) left.set(own, killsCounted(own));
  if (left.size === 0) return { deaths: new Map(), left };
  const candidates = exits.flatMap((exit): Candidate[] => {
    if (exit.signal !== 'SIGKILL' || duplicateReportedBy(exit, exits) !== undefined) return [];
    const own = levelsOf(exit, facts['cgroup-counters']).find((level) => left.has(level));
    return own === undefined ? [] : [{ exit, own }];
  });
  spendOnUnseen(facts, candidates, left);
  const isNamed = ({ exit }: Candidate) => killsOf(exit, facts['kernel-oom-kill']).length > 0;
  // Whom the kernel log names takes its kill first; then who died nearest to one.
  const order = candidates
    .map((one) => ({
      ...one,
      isNamed: isNamed(one),
      late: lateness(one.exit, bestFit(one.exit, left.get(one.own)!)),
    }))
    .sort((a, b) => Number(b.isNamed) - Number(a.isNamed) || a.late - b.late);
  const unseen = exits.filter(hasUnseenEnd);
  const explained = new Map<Candidate, Kill>();
  const unexplained: Candidate[] = [];
  for (const one of order) {
    const kill = bestFit(one.exit, left.get(one.own)!);
    if (kill === undefined || isOfUnseen(one, kill, unseen, facts['cgroup-counters']))
      unexplained.push(one);
    else {
      kill.count -= 1;
      explained.set(one, kill);
    }
  }
  return {
    deaths: weighed(explained, unexplained, new Set(order.filter((one) => one.isNamed))),
    left,
  };
}

interface Candidate {
  readonly exit: ProcessExit;
  readonly own: CgroupCounters;
}

/** Somebody else went in that very moment, and this one much later: the kill was the other's. */
function isOfUnseen(
  { exit, own }: Candidate,
  kill: Kill,
  unseen: readonly ProcessExit[],
  counters: readonly CgroupCounters[],
): boolean {
  return (
    lateness(exit, kill) > teardownMs(exit) &&
    unseen.some((other) => wentIn(other, kill) && levelsOf(other, counters).includes(own))
  );
}

/** Of two deaths in one moment and one kill nobody can tell which it was. */
function weighed(
  explained: ReadonlyMap<Candidate, Kill>,
  unexplained: readonly Candidate[],
  named: ReadonlySet<Candidate>,
): ReadonlyMap<ProcessExit, CountedDeath> {
  const rivals = new Map<Kill, boolean>();
  const hasRival = (kill: Kill, own: CgroupCounters): boolean => {
    const known =
      rivals.get(kill) ??
      unexplained.some((other) => other.own === own && wentIn(other.exit, kill));
    rivals.set(kill, known);
    return known;
  };
  return new Map(
    [...explained].map(([one, kill]) => [
      one.exit,
      {
        own: one.own,
        sure:
          lateness(one.exit, kill) <= teardownMs(one.exit) &&
          (named.has(one) || !hasRival(kill, one.own)),
      },
    ]),
  );
}

/**
 * The kernel log names a victim that no sample had seen: its kill is spent. Not where a death by SIGKILL fits that moment: it may be
 * the same process, which the log knows by the pid of another namespace.
 */
function spendOnUnseen(
  facts: Facts,
  candidates: readonly Candidate[],
  left: ReadonlyMap<CgroupCounters, readonly Kill[]>,
): void {
  const seen = new Set(
    facts['process-exit'].flatMap(({ pid, otherPids = [] }) => [pid, ...otherPids]),
  );
  for (const { victim, when, taskMemcg } of facts['kernel-oom-kill']) {
    const atMs = Date.parse(when?.wall ?? '');
    if (seen.has(victim.pid ?? 0) || !Number.isFinite(atMs)) continue;
    const moment = { fromMs: atMs, untilMs: atMs, count: 1 };
    if (candidates.some(({ exit }) => wentIn(exit, moment))) continue;
    for (const [{ path }, kills] of left) {
      if (taskMemcg !== undefined && !isSamePath(path, taskMemcg)) continue;
      const kill = kills.find(
        ({ fromMs, untilMs, count }) =>
          count > 0 && atMs >= fromMs - roundingMs && atMs <= untilMs + roundingMs,
      );
      if (kill === undefined) continue;
      kill.count -= 1;
      break;
    }
  }
}
const isSamePath = (a: string, b: string): boolean => plainCgroup(a) === plainCgroup(b);

/** In the order of time. */
function killsCounted(own: CgroupCounters): Kill[] {
  const kills = (own.killTimes ?? []).map(({ from, until, kills: count }): Kill => ({
    fromMs: timeOf(from, -Infinity),
    untilMs: timeOf(until, Infinity),
    count,
  }));
  const timed = kills.reduce((sum, { count }) => sum + count, 0);
  const untimed = (localKills(own) ?? 0) - timed;
  if (untimed > 0) kills.push({ fromMs: -Infinity, untilMs: Infinity, count: untimed });
  return kills.sort((a, b) => (a.untilMs === b.untilMs ? 0 : a.untilMs - b.untilMs));
}

function timeOf(wall: string | undefined, otherwise: number): number {
  const ms = Date.parse(wall ?? '');
  return Number.isFinite(ms) ? ms : otherwise;
}

/** How long after the kill was counted the process was gone, in ms; Infinity: it was gone before, or far too late. */
function lateness(exit: ProcessExit, kill: Kill | undefined): number {
  if (kill === undefined) return Infinity;
  const atMs = Date.parse(exit.when?.wall ?? '');
  if (!Number.isFinite(atMs)) return 0;
  if (atMs < kill.fromMs - roundingMs || atMs > kill.untilMs + slowestTeardownMs) return Infinity;
  return Math.max(0, atMs - kill.untilMs);
}
const wentIn = (exit: ProcessExit, kill: Kill): boolean => lateness(exit, kill) <= teardownMs(exit);

/** The kill that the death fits best, of those that are left; undefined: none. */
function bestFit(exit: ProcessExit, kills: readonly Kill[]): Kill | undefined {
  const atMs = Date.parse(exit.when?.wall ?? '');
  const first = Number.isFinite(atMs)
    ? firstIndexWhere(kills.length, (index) => kills[index]!.untilMs >= atMs - slowestTeardownMs)
    : 0;
  let best: Kill | undefined;
  for (let index = first; index < kills.length; index += 1) {
    const kill = kills[index]!;
    // Each begins where the one before it ended.
    if (kill.fromMs > atMs + roundingMs) break;
    if (kill.count > 0 && lateness(exit, kill) < lateness(exit, best)) best = kill;
  }
  // Without times: it fits any moment, and stands last.
  const last = kills.at(-1);
  return (
    best ??
    (last !== undefined && last.count > 0 && Number.isFinite(lateness(exit, last))
      ? last
      : undefined)
  );
}

/** Whether a kill that no death has used may be this one's: nobody else went in its moment. */
export const mayBeKillOf = (
  exit: ProcessExit,
  { left }: OomBudget,
  exits: readonly ProcessExit[],
): boolean =>
  [...left.values()].some((kills) =>
    kills.some(
      (kill) =>
        kill.count > 0 &&
        Number.isFinite(lateness(exit, kill)) &&
        !exits.some((other) => hasUnseenEnd(other) && wentIn(other, kill)),
    ),
  );

/** Kills in this cgroup that no death has used. */
export const killsLeft = ({ left }: OomBudget, own: CgroupCounters): number =>
  (left.get(own) ?? []).reduce((sum, { count }) => sum + count, 0);

/** Its parent had reaped it before anybody could look. */
export const hasUnseenEnd = ({ signal, exitCode }: ProcessExit): boolean =>
  signal === null && exitCode === null;

/** Of the processes whose end nobody saw: those that went in the moment of a kill that no death has used. */
export const wentWith = (
  exits: readonly ProcessExit[],
  { left }: OomBudget,
  own: CgroupCounters,
): readonly ProcessExit[] => {
  const kills = (left.get(own) ?? []).filter(({ count }) => count > 0);
  return exits.filter((exit) => hasUnseenEnd(exit) && kills.some((kill) => wentIn(exit, kill)));
};
