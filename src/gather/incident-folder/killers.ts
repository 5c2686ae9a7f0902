/** What others say of this run: the kernel, and the memory guards in user space. */
import { isWithinCgroup, namesFromInside, plainCgroup } from '../../model/cgroup-path.ts';
import { defined } from '../../model/defined.ts';
import type { Evidence, KernelNotice, KillerRecord } from '../../model/evidence.ts';
import type { IncidentStart } from '../../model/incident-folder.ts';
import { whenOf, type Timeline } from './events.ts';
import type { ParseText } from './output.ts';

/** Kernel lines that speak of the run: of its processes, or of its cgroups where pids cannot be compared. */
export function kernelEvidence(
  start: IncidentStart,
  texts: ReadonlyMap<string, string>,
  timeline: Timeline,
  output: readonly Evidence[],
  parseText: ParseText,
): readonly Evidence[] {
  const text = texts.get('kernel.log');
  if (text === undefined) return [];
  // A shell of the run names its dead child: `line 5: 29042 Killed`.
  const named = new Set(
    output.flatMap((fact) =>
      fact.kind === 'death-notice' && fact.pid !== undefined ? [fact.pid] : [],
    ),
  );
  // It may have died before any sample saw it, and yet have left a file of the agent or of the hook.
  for (const name of texts.keys()) {
    const pid = /^(?:agent|python)\/(\d+)\./.exec(name)?.[1];
    if (pid !== undefined) named.add(Number(pid));
  }
  const leaves = new Set<string>();
  for (const { seen } of timeline.processes.values())
    if (seen.cgroup !== undefined && seen.cgroup !== '/') leaves.add(plainCgroup(seen.cgroup));
  const names = new Set([...timeline.processes.values()].map(({ seen }) => seen.name));
  const ours = (pid: number | undefined, name: string | undefined, memcg: string | undefined) => {
    if (
      pid !== undefined &&
      (timeline.processes.has(pid) || named.has(pid)) &&
      start.initialPidNamespace !== false
    )
      return true;
    const inOurs = memcg !== undefined && namesFromInside(memcg).some((name) => leaves.has(name));
    // In the initial namespace a pid that was never seen is a stranger, or a child that lived too short to be seen.
    if (!inOurs) return false;
    return start.initialPidNamespace === false
      ? name === undefined || names.has(name)
      : pid === undefined || (start.recorderPid !== undefined && pid > start.recorderPid);
  };
  const begun = start.startedUptimeSeconds;
  const unknown: KernelNotice[] = [];
  const known = parseText('kernel.log', text).filter((fact) => {
    const uptime = fact.when?.uptimeSeconds;
    if (uptime !== undefined && typeof begun === 'number' && uptime < begun - 2) return false;
    switch (fact.kind) {
      case 'kernel-oom-kill':
        if (ours(fact.victim.pid, fact.victim.name, fact.taskMemcg)) return true;
        unknown.push({
          kind: 'kernel-notice',
          origin: fact.origin,
          ...defined({ when: fact.when }),
          what: 'kill-of-unknown',
          ...defined({ pid: fact.victim.pid, name: fact.victim.name }),
          ...defined({ cgroup: fact.taskMemcg }),
          text: fact.origin.quote ?? '',
        });
        return false;
      case 'kernel-oom-without-kill':
        return ours(fact.report?.trigger?.pid, fact.report?.trigger?.name, fact.oomMemcg);
      case 'kernel-segfault':
      case 'kernel-refusal':
        return start.initialPidNamespace === false
          ? names.has(fact.name)
          : timeline.processes.has(fact.pid);
      case 'kernel-notice':
        return fact.pid !== undefined && timeline.processes.has(fact.pid);
      default:
        return false;
    }
  });
  // The kernel log has no dates; the recorder knows when its clock said what.
  return [...known, ...unknown].map((fact) => {
    const uptime = fact.when?.uptimeSeconds;
    return uptime === undefined || fact.when?.wall !== undefined || typeof begun !== 'number'
      ? fact
      : { ...fact, when: whenOf(start, (uptime - begun) * 1000) };
  });
}

/** What memory guards say of processes of this run, and of cgroups in which some of them died. */
export function oomDaemonEvidence(
  start: IncidentStart,
  texts: ReadonlyMap<string, string>,
  timeline: Timeline,
  parseText: ParseText,
): readonly KillerRecord[] {
  const text = texts.get('guards.log');
  if (text === undefined || start.initialPidNamespace === false) return [];
  const killed = [...timeline.processes.values()]
    .filter(({ gone }) => gone?.signal === 'SIGKILL' || gone?.signal === 'SIGTERM')
    .toSorted((a, b) => (b.peaks.rss ?? 0) - (a.peaks.rss ?? 0));
  const killedPids = new Set(killed.map(({ seen }) => seen.pid));
  return parseText('guards.log', text).flatMap((fact): KillerRecord[] => {
    if (fact.kind !== 'killer-record') return [];
    const { victim, subject } = fact;
    if (victim?.pid !== undefined)
      return killedPids.has(victim.pid)
        ? [{ ...fact, ...deathOf(start, timeline, victim.pid) }]
        : [];
    // A whole cgroup: of ours in it the one whose death the run is about, else the largest.
    const within = killed.filter(
      ({ seen: { cgroup } }) =>
        subject !== undefined &&
        subject !== '/' &&
        cgroup !== undefined &&
        isWithinCgroup(cgroup, subject),
    );
    const one = within.find(({ seen }) => seen.pid === timeline.commandPid) ?? within[0];
    if (one === undefined) return [];
    const { pid, name, cgroup } = one.seen;
    const named = { pid, name, ...defined({ cgroup }) };
    return [{ ...fact, ...deathOf(start, timeline, pid), victim: { ...victim, ...named } }];
  });
}

/** The journal's times have neither year nor zone; the recorder's own clock saw the death. */
function deathOf(
  start: IncidentStart,
  timeline: Timeline,
  pid: number,
): Pick<KillerRecord, 'when'> {
  const gone = timeline.processes.get(pid)?.gone;
  return gone == null ? {} : { when: whenOf(start, gone.atMs) };
}
