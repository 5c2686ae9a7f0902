/**
 * Facts by the process they speak of, found without going through all of them: a run may have ten thousand processes, and a search
 * for each among the facts of all takes minutes.
 */
import type { Evidence, KernelOomKill, KillerRecord, ProcessExit } from '../../model/evidence.ts';

type Pid = number | null | undefined;
interface Keyed {
  readonly pid: number;
  readonly otherPids?: readonly number[];
}

/**
 * A look-up of facts by pid. The index of an array is made at the first look-up and kept as long as the array:
 * the array must not change afterwards.
 */
function indexBy<Fact extends object>(
  pidOf: (fact: Fact) => Pid,
): <One extends Fact>(facts: readonly One[], pids: readonly Pid[]) => readonly One[] {
  const indexes = new WeakMap<readonly object[], ReadonlyMap<number, readonly number[]>>();
  const indexOf = (facts: readonly Fact[]) => {
    const known = indexes.get(facts);
    if (known !== undefined) return known;
    const positions = new Map<number, number[]>();
    for (const [position, fact] of facts.entries()) {
      const pid = pidOf(fact);
      if (pid == null) continue;
      const list = positions.get(pid);
      if (list === undefined) positions.set(pid, [position]);
      else list.push(position);
    }
    indexes.set(facts, positions);
    return positions;
  };
  return (facts, pids) => {
    const index = indexOf(facts);
    const found = pids.flatMap((pid) => (pid == null ? [] : (index.get(pid) ?? [])));
    // Several pids of one process: in the order of the facts, each once.
    const positions = pids.length < 2 ? found : [...new Set(found)].sort((a, b) => a - b);
    return positions.map((position) => facts[position]!);
  };
}

const byPid = indexBy<{ readonly pid?: Pid }>(({ pid }) => pid);
const byVictim = indexBy<KernelOomKill | KillerRecord>(({ victim }) => victim?.pid);
const byParent = indexBy<ProcessExit>(({ parent }) => parent?.pid);

const pidsOf = ({ pid, otherPids = [] }: Keyed): readonly number[] => [pid, ...otherPids];

/** Facts of one process, by its pid here or in another namespace, in the order of `facts`. */
export const ofProcess = <Fact extends Evidence & { readonly pid?: Pid }>(
  process: Keyed,
  facts: readonly Fact[],
): readonly Fact[] => byPid(facts, pidsOf(process));

/** Facts of exactly this pid, in the order of `facts`; none where the pid is not known. */
export const ofPid = <Fact extends Evidence & { readonly pid?: Pid }>(
  pid: Pid,
  facts: readonly Fact[],
): readonly Fact[] => byPid(facts, [pid]);

/** Kills of one process, by its pid here or in another namespace. */
export const killsOf = <Kill extends KernelOomKill | KillerRecord>(
  exit: ProcessExit,
  kills: readonly Kill[],
): readonly Kill[] => byVictim(kills, pidsOf(exit));

/** Ends of the children of one process. */
export const childrenOf = (
  exit: ProcessExit,
  exits: readonly ProcessExit[],
): readonly ProcessExit[] => byParent(exits, [exit.pid]);
