import { firstIndexWhere } from '../model/binary-search.ts';
import { areInOneLine, isContainerCgroup } from '../model/cgroup-path.ts';
import { causes, memoryRefused } from '../model/causes.ts';
import { compareConfidence } from '../model/confidence.ts';
import type { When } from '../model/evidence.ts';
import type { Finding, Subject } from '../model/finding.ts';

/** A finding with the rule that gave it. Rules come in the order of the list: of equally sure findings the earlier wins. */
export interface Opinion {
  readonly rule: string;
  readonly finding: Finding;
}

/** Opinions that speak of one death, the best first. */
export type DeathGroup = readonly [Opinion, ...Opinion[]];

/**
 * A log may tell of ten thousand deaths. What an opinion may belong to is looked for among so many of them, the nearest: all pairs
 * would take minutes.
 */
const nearest = 100;

/** Groups opinions by the death they speak of, in the order in which the deaths happened. */
export function joinOpinions(opinions: readonly Opinion[]): readonly DeathGroup[] {
  const groups: [Opinion, ...Opinion[]][] = [];
  const byPid = new Map<number, [Opinion, ...Opinion[]][]>();
  const add = (opinion: Opinion, group: [Opinion, ...Opinion[]] | undefined) => {
    const into = group ?? [opinion];
    if (group === undefined) groups.push(into);
    else into.push(opinion);
    for (const pid of pidsOf(opinion.finding.subject)) {
      const others = byPid.get(pid);
      if (others === undefined) byPid.set(pid, [into]);
      else if (!others.slice(-nearest).includes(into)) others.push(into);
    }
  };
  const named = opinions.filter(({ finding }) => pidsOf(finding.subject).length > 0);
  const nameless = opinions.filter(({ finding }) => pidsOf(finding.subject).length === 0);
  for (const opinion of named) {
    const candidates = pidsOf(opinion.finding.subject).flatMap(
      (pid) => byPid.get(pid)?.slice(-nearest) ?? [],
    );
    add(
      opinion,
      candidates.find((group) => group.every((other) => samePidIsSameDeath(other, opinion))),
    );
  }
  const merged = joinNamespaces(groups);
  const near = neighbours(merged);
  for (const opinion of nameless) {
    const group = bestFor(opinion, near.of(opinion));
    if (group !== undefined) group.push(opinion);
    else {
      const own: [Opinion, ...Opinion[]] = [opinion];
      merged.push(own);
      near.add(own);
    }
  }
  for (const group of merged) sortBest(group);
  return inOrder(merged);
}

const pidsOf = ({ pid, otherPids = [], broughtDown = [] }: Subject): readonly number[] => [
  ...(pid === undefined ? [] : [pid]),
  ...otherPids,
  ...broughtDown,
];

/** A pid comes again: in the next boot, or in a storm. One rule gives one opinion a death, so two of them are two deaths. */
function samePidIsSameDeath(a: Opinion, b: Opinion): boolean {
  if (!sameMoment(a.finding.subject.when, b.finding.subject.when)) return false;
  if (a.rule !== b.rule) return true;
  if (fileOf(a.finding) === fileOf(b.finding)) return sameLine(a.finding, b.finding);
  // The same record in two files (kern.log and syslog, or both of them and the journal).
  return sameFigures(a.finding, b.finding);
}

/** One file given twice, by itself and within its folder. */
const sameLine = (a: Finding, b: Finding): boolean =>
  a.because[0]?.place === b.because[0]?.place && a.because[0]?.quote === b.because[0]?.quote;

function sameFigures(a: Finding, b: Finding): boolean {
  if (a.cause !== b.cause) return false;
  if (a.victim == null || b.victim == null) return sameFacts(a, b);
  const left = a.victim;
  const right = b.victim;
  return (['name', 'anonRssBytes', 'totalVmBytes'] as const).every(
    (key) => left[key] === undefined || right[key] === undefined || left[key] === right[key],
  );
}

/** One record in two files: whatever is known of it, wherever it stood, and the very words where it has any. */
function sameFacts(a: Finding, b: Finding): boolean {
  const facts = ({ subject, cause, variant, death, ...more }: Finding): string =>
    JSON.stringify([
      [subject.pid, subject.name, subject.cgroup, subject.label],
      [cause, variant, death, more.exception, more.killer?.name],
      [more.limit?.owner, more.limit?.path, more.limit?.bytes, more.request?.bytes],
      (more.stack ?? []).map((frame) => [frame.file, frame.function, frame.line]),
    ]);
  return facts(a) === facts(b);
}

const sameMomentMs = 10 * 60_000;
const sameMomentSeconds = 60;
/** No zone is further from UTC. */
const widestZoneMs = 14 * 3_600_000;

/** The journal writes boot ids without the hyphens that /proc/sys/kernel/random/boot_id has. */
const sameBoot = (a: string, b: string): boolean => a.replaceAll('-', '') === b.replaceAll('-', '');

/** Unknown times, and clocks that cannot be compared, contradict nothing. */
function sameMoment(a: When | undefined, b: When | undefined): boolean {
  if (a?.bootId !== undefined && b?.bootId !== undefined && !sameBoot(a.bootId, b.bootId))
    return false;
  // A classic syslog names no zone: its clock is compared with others in the kernel's time, else loosely.
  const isZoneless = a?.printed !== undefined || b?.printed !== undefined;
  const haveUptime = a?.uptimeSeconds !== undefined && b?.uptimeSeconds !== undefined;
  if (a?.wall !== undefined && b?.wall !== undefined && isZoneless && !haveUptime)
    return Math.abs(Date.parse(a.wall) - Date.parse(b.wall)) <= widestZoneMs;
  if (a?.wall !== undefined && b?.wall !== undefined && !isZoneless)
    return Math.abs(Date.parse(a.wall) - Date.parse(b.wall)) <= sameMomentMs;
  if (a?.uptimeSeconds !== undefined && b?.uptimeSeconds !== undefined)
    return Math.abs(a.uptimeSeconds - b.uptimeSeconds) <= sameMomentSeconds;
  return true;
}

/** A log line's file: what stands before the line numbers. */
const fileOf = ({ because }: Finding): string =>
  (because[0]?.place ?? '').replace(/:\d+(?:-\d+)?$/, '');

const isKill = ({ finding }: Opinion): boolean =>
  (finding.death ?? causes[finding.cause].death) === 'assassination';
const isProved = ({ finding }: Opinion): boolean =>
  compareConfidence(finding.confidence, 'strong') >= 0;
const isVague = ({ finding }: Opinion): boolean =>
  finding.cause === 'undetermined' || compareConfidence(finding.confidence, 'likely') <= 0;

/**
 * One kill by the kernel in a container and one death of a process with a small pid of its own namespace:
 * where there is just one of each, and time and name agree, they are the same.
 */
function joinNamespaces(groups: [Opinion, ...Opinion[]][]): [Opinion, ...Opinion[]][] {
  const inContainer = groups.filter(
    ([best]) =>
      isKill(best) &&
      isProved(best) &&
      isContainerCgroup(best.finding.subject.cgroup ?? best.finding.limit?.path),
  );
  const told = groups.filter((group) => group.every((one) => isVague(one) && isKill(one)));
  const [kill] = inContainer;
  const [duplicate] = told;
  if (
    inContainer.length !== 1 ||
    told.length !== 1 ||
    kill === undefined ||
    duplicate === undefined
  )
    return groups;
  if (kill === duplicate || !agree(kill[0], duplicate[0])) return groups;
  kill.push(...duplicate);
  return groups.filter((group) => group !== duplicate);
}

function agree(a: Opinion, b: Opinion): boolean {
  return (
    sameMoment(a.finding.subject.when, b.finding.subject.when) &&
    sameName(a.finding.subject.name, b.finding.subject.name)
  );
}

/** The kernel cuts names after 15 characters, and threads and setproctitle rename at will: only a clear clash counts. */
function sameName(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  const bare = (name: string) =>
    name
      .split('/')
      .at(-1)
      ?.toLowerCase()
      .slice(0, 15)
      .replace(/[\d.]+$/, '') ?? '';
  const [left, right] = [bare(a), bare(b)];
  return (
    left.startsWith(right) || right.startsWith(left) || /worker|process/.test(`${left}${right}`)
  );
}

/** The groups by file and place, so that those near an opinion are found without looking at all. */
function neighbours(groups: readonly [Opinion, ...Opinion[]][]) {
  type Group = [Opinion, ...Opinion[]];
  const byFile = new Map<string, Group[]>();
  const positionOf = (group: Group) => group[0].finding.subject.position;
  const placeOf = (list: readonly Group[], position: number) =>
    firstIndexWhere(list.length, (index) => positionOf(list[index]!) > position);
  for (const group of groups) {
    const list = byFile.get(fileOf(group[0].finding));
    if (list === undefined) byFile.set(fileOf(group[0].finding), [group]);
    else list.push(group);
  }
  for (const list of byFile.values()) list.sort((a, b) => positionOf(a) - positionOf(b));
  return {
    add: (group: Group) => {
      const list = byFile.get(fileOf(group[0].finding)) ?? [];
      list.splice(placeOf(list, positionOf(group)), 0, group);
      byFile.set(fileOf(group[0].finding), list);
    },
    of: ({ finding }: Opinion): readonly Group[] => {
      const own = fileOf(finding);
      return [...byFile].flatMap(([file, list]) => {
        if (list.length <= 2 * nearest) return list;
        // Places in another file say nothing: there the last ones are as good as any.
        const at = file === own ? placeOf(list, finding.subject.position) : list.length;
        return list.slice(Math.max(0, at - nearest), at + nearest);
      });
    },
  };
}

/** What a finding without a pid can be said of: the death that its container, its time and its kind fit; the nearest of several. */
function bestFor(
  opinion: Opinion,
  groups: readonly [Opinion, ...Opinion[]][],
): [Opinion, ...Opinion[]] | undefined {
  const { finding } = opinion;
  const fitting = groups.filter(
    (group) =>
      group.some((other) => fits(other, opinion)) &&
      group.every((other) => other.rule !== opinion.rule || sameRecord(other, opinion)),
  );
  const file = fileOf(finding);
  const distance = ([first]: [Opinion, ...Opinion[]]) =>
    (fileOf(first.finding) === file ? 0 : 1e9) +
    Math.abs(first.finding.subject.position - finding.subject.position);
  return fitting.sort((a, b) => distance(a) - distance(b))[0];
}

/** The same text given twice, or logged in two files. */
const sameRecord = (a: Opinion, b: Opinion): boolean =>
  (fileOf(a.finding) === fileOf(b.finding)
    ? sameLine(a.finding, b.finding)
    : sameFacts(a.finding, b.finding)) &&
  sameMoment(a.finding.subject.when, b.finding.subject.when);

function fits(other: Opinion, { rule, finding }: Opinion): boolean {
  const a = other.finding;
  if (!sameMoment(a.subject.when, finding.subject.when)) return false;
  if (other.rule === rule) return sameRecord(other, { rule, finding });
  if (areTwoReports(other, { rule, finding })) return false;
  if (!sameName(a.subject.name, finding.subject.name)) return false;
  const { label, cgroup } = finding.subject;
  if (cgroup !== undefined && a.subject.cgroup !== undefined && cgroup !== a.subject.cgroup)
    return areInOneLine(cgroup, a.subject.cgroup);
  if (label !== undefined && a.subject.label !== undefined && label !== a.subject.label)
    return false;
  if (a.cause === finding.cause) return true;
  const kill = isKill(other);
  // "Killed", exit 137, OOMKilled, a pool that lost its worker: echoes of a proved kill.
  if (kill && isKill({ rule, finding }) && (isVague(other) || isVague({ rule, finding })))
    return true;
  // The kernel refused, and the program said so.
  if (memoryRefused(a.cause) && memoryRefused(finding.cause))
    return nearlyEqual(a.request?.bytes, finding.request?.bytes);
  return false;
}

/** Lines of one report of the OOM killer lie closer together than this; the parser has joined what is one report. */
const reportSeconds = 20;

/** A report whose kill is cut off, some time before or after another's kill in the same log: the next event of a storm. */
function areTwoReports(a: Opinion, b: Opinion): boolean {
  const kernels = new Set([a.rule, b.rule]);
  if (!kernels.has('kernel-oom-kill') || !kernels.has('kernel-oom-without-kill')) return false;
  if (fileOf(a.finding) !== fileOf(b.finding)) return false;
  const [left, right] = [a.finding.subject.when, b.finding.subject.when];
  if (left?.uptimeSeconds !== undefined && right?.uptimeSeconds !== undefined)
    return Math.abs(left.uptimeSeconds - right.uptimeSeconds) > reportSeconds;
  return (
    left?.wall !== undefined &&
    right?.wall !== undefined &&
    Math.abs(Date.parse(left.wall) - Date.parse(right.wall)) > reportSeconds * 1000
  );
}

const nearlyEqual = (a: number | null | undefined, b: number | null | undefined): boolean =>
  a == null || b == null || Math.abs(a - b) <= Math.max(8192, 0.01 * Math.max(a, b));

/** Surest first; of equally sure ones what names a cause before what does not; then the order of the rules. */
function sortBest(group: [Opinion, ...Opinion[]]): void {
  const vagueness = ({ finding }: Opinion) => (finding.cause === 'undetermined' ? 1 : 0);
  group.sort(
    (a, b) =>
      compareConfidence(b.finding.confidence, a.finding.confidence) || vagueness(a) - vagueness(b),
  );
}

/** As they stand in their file; files are merged by wall clocks where they have them. */
function inOrder(groups: readonly DeathGroup[]): readonly DeathGroup[] {
  const files = new Map<string, DeathGroup[]>();
  for (const group of groups) {
    const file = fileOf(group[0].finding);
    const queue = files.get(file);
    if (queue === undefined) files.set(file, [group]);
    else queue.push(group);
  }
  const queues = [...files.values()];
  for (const queue of queues)
    queue.sort((a, b) => a[0].finding.subject.position - b[0].finding.subject.position);
  // Within a file the places decide: what stands behind a later death is not earlier than that one.
  const dated = queues.flatMap((queue) => {
    let latest = -Infinity;
    return queue.map((group) => ({ group, atMs: (latest = Math.max(latest, timeOf(group))) }));
  });
  return dated.sort((a, b) => (a.atMs === b.atMs ? 0 : a.atMs - b.atMs)).map(({ group }) => group);
}

/** Milliseconds of the wall clock; -Infinity: not known. */
function timeOf([{ finding }]: DeathGroup): number {
  const { wall } = finding.subject.when ?? {};
  const atMs = Date.parse(wall ?? '');
  return Number.isFinite(atMs) ? atMs : -Infinity;
}
