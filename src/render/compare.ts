/** What changed between two runs, looks or reports: the verdict, the figures, who held the memory and which lines allocated it. */
import { alikeFile, alikePath, alikeType, shortFile } from '../model/alike.ts';
import { mainIncident } from '../model/incident.ts';
import type { Recording } from '../model/recording.ts';
import type { Allocation, Holder, Incident, MemoryPicture, Report } from '../model/report.ts';
import type { Bytes } from '../model/units.ts';
import { inWords, type Prose } from '../model/prose.ts';
import { placeOf } from '../model/stack.ts';
import { limitName } from './names.ts';
import { runHeadline, toldAsRun } from './run-answers.ts';
import { commandLine } from './command-line.ts';

export interface Run {
  readonly name: string;
  readonly report: Report;
  readonly recording?: Recording | undefined;
  /** One look of `coroner inspect`, where that is all there is. */
  readonly look?: MemoryPicture;
}

/** A figure of both runs. null: not known in that run. */
export interface Change {
  readonly what: string;
  readonly before: number | null;
  readonly after: number | null;
  /** Where it is now, where that differs from where it was. */
  readonly now?: string;
}

export interface Comparison {
  readonly before: { readonly name: string; readonly headline: Prose | null };
  readonly after: { readonly name: string; readonly headline: Prose | null };
  readonly limit: { readonly before: string | null; readonly after: string | null };
  readonly peakRssBytes: Change;
  readonly durationMs: Change;
  /** What grew most, and what it is: the first to look at. null: nothing grew. */
  readonly culprit: (Change & { readonly of: 'group' | 'holder' | 'line' | 'type' }) | null;
  /** Objects of one class below one variable that together hold more than a tenth of all, in either run. In the order of `holders`. */
  readonly groups: readonly Change[];
  /** What grew, the most first; then what shrank, the most first. */
  readonly holders: readonly Change[];
  readonly lines: readonly Change[];
  readonly types: readonly Change[];
}

export function compareRuns(before: Run, after: Run): Comparison {
  const [first, second] = [
    mainIncident(before.report.incidents),
    mainIncident(after.report.incidents),
  ];
  const [a, b] = [pictureOf(before), pictureOf(after)];
  const groups = changes(groupsOf(a), groupsOf(b)).filter(
    ({ before: was, after: is }) =>
      (was ?? 0) >= groupShare * heldBy(a, peakOf(before)) ||
      (is ?? 0) >= groupShare * heldBy(b, peakOf(after)),
  );
  const holders = changes(holdersOf(a), holdersOf(b));
  const lines = changes(linesOf(a), linesOf(b));
  const types = changes(typesOf(a), typesOf(b));
  return {
    before: { name: before.name, headline: headlineOf(before) },
    after: { name: after.name, headline: headlineOf(after) },
    limit: {
      before: first?.limit == null ? null : limitName(first.limit),
      after: second?.limit == null ? null : limitName(second.limit),
    },
    peakRssBytes: { what: 'peak', before: peakOf(before), after: peakOf(after) },
    durationMs: {
      what: 'time',
      before: before.recording?.durationMs ?? before.report.run?.durationMs ?? null,
      after: after.recording?.durationMs ?? after.report.run?.durationMs ?? null,
    },
    culprit: culpritOf(
      { group: groups, holder: holders, line: lines, type: types },
      Math.max(peakOf(before) ?? 0, peakOf(after) ?? 0),
    ),
    groups,
    holders,
    lines,
    types,
  };
}

function headlineOf({ report, look }: Run): Prose | null {
  if (look !== undefined) return 'a look';
  const run = toldAsRun(report);
  return run === null
    ? (mainIncident(report.incidents)?.headline ?? null)
    : runHeadline(run, commandLine(run.command));
}

function peakOf({ report, recording, look }: Run): number | null {
  const peaks = [
    report.run?.peak?.bytes,
    ...(recording?.processes ?? []).map(({ peakRssBytes }) => peakRssBytes),
    ...report.incidents.map(({ memory }) => memory.peakRssBytes),
    look?.accounted?.rssBytes,
  ].filter((bytes) => bytes !== undefined);
  return peaks.length === 0 ? null : Math.max(...peaks);
}

/** The look, the incident's picture, the run's own at its peak; the last look for what they lack. */
function pictureOf({ report, recording, look }: Run): MemoryPicture {
  if (look !== undefined) return look;
  const own: Incident['memory'] | undefined = mainIncident(report.incidents)?.memory;
  return { ...recording?.looks.at(-1)?.picture, ...report.run?.memory, ...own };
}

/** Something that a picture lists, and by what it is known in another picture: the first of its keys that both have. */
interface Listed {
  readonly what: string;
  readonly bytes: Bytes;
  /** The surest first. */
  readonly keys: readonly string[];
}

const nameOfHolder = ({ name, function: where }: Holder): string =>
  where === null ? name : `${name} in ${where}`;

const holdersOf = ({ holders = [] }: MemoryPicture): readonly Listed[] =>
  holders.map((holder) => {
    const file = holder.file === null ? '' : alikeFile(holder.file);
    const named = `${holder.function}\0${alikePath(holder.name)}`;
    return {
      what: nameOfHolder(holder),
      bytes: holder.retainedBytes,
      keys: [`${named}\0${file}\0${alikePath(holder.path)}`, `${named}\0${file}`, named],
    };
  });

const typesOf = ({ types = [] }: MemoryPicture): readonly Listed[] =>
  types.map(({ type, bytes }) => ({ what: type, bytes, keys: [alikeType(type)] }));

/** A line moves when one above it is added: its text, or its function alone, tells that it is the same. */
const linesOf = ({ allocations = [] }: MemoryPicture): readonly Listed[] =>
  allocations
    .filter(({ when }) => when === 'peak')
    .map((allocation) => {
      const { function: name, bytes, text, line } = allocation;
      const file = allocation.file === null ? '' : alikeFile(allocation.file);
      return {
        what: lineName(allocation),
        bytes,
        keys: [
          `${file}\0${line}\0${text?.trim() ?? name}`,
          ...(text === undefined ? [] : [`${file}\0text\0${text.trim()}`]),
          `${file}\0${line}`,
          `${file}\0function\0${name}`,
          // The new version may have a file of its own.
          ...(text === undefined ? [] : [`\0text\0${name}\0${text.trim()}`]),
          ...(name === null || name.startsWith('<') ? [] : [`\0function\0${name}`]),
        ],
      };
    });

const lineName = ({ file, line, function: name }: Allocation): string =>
  file === null
    ? (name ?? 'unknown place')
    : [placeOf({ file: shortFile(file), line }), ...(name === null ? [] : [name])].join(' in ');

const groupShare = 0.1;
const container =
  /^(?:list|dict|set|frozenset|tuple|deque|defaultdict|OrderedDict|Counter)(?:\[[^\]]*\]|\{[^}]*\})?$/;

/** What a variable's container holds many of. `rows -> list[31422] -> dict{6} -> str` is a group of dicts. */
function groupsOf({ holders = [] }: MemoryPicture): readonly Listed[] {
  const groups = new Map<string, Listed>();
  for (const holder of holders) {
    const steps = holder.path.split(' -> ');
    const at = steps.findIndex((step, index) => index > 0 && container.test(step));
    const member = steps[at + 1];
    if (at < 1 || member === undefined) continue;
    const type = alikePath(member);
    const what = `${type} in ${nameOfHolder(holder)}`;
    const bytes = (groups.get(what)?.bytes ?? 0) + holder.retainedBytes;
    groups.set(what, { what, bytes, keys: [`${alikeType(type)}\0${alikePath(holder.name)}`] });
  }
  return [...groups.values()];
}

const heldBy = ({ accounted }: MemoryPicture, peakBytes: number | null): Bytes =>
  Math.max(1, accounted?.rssBytes ?? peakBytes ?? 0);

/** What is in neither picture is not known, not 0: a look lists only the largest. */
function changes(before: readonly Listed[], after: readonly Listed[]): readonly Change[] {
  if (before.length === 0 && after.length === 0) return [];
  const [left, right] = [summed(before), summed(after)];
  const pairs: (readonly [Listed | null, Listed | null])[] = [];
  const open = new Set(right);
  const unmatched = new Set(left);
  const most = Math.max(1, ...[...left, ...right].map(({ keys }) => keys.length));
  for (let rank = 0; rank < most; rank += 1)
    for (const one of unmatched) {
      // A vaguer key counts only where it leaves no choice.
      const found = [...open].filter((other) => other.keys[rank] === one.keys[rank]);
      const rivals = [...unmatched].filter((other) => other.keys[rank] === one.keys[rank]);
      const [match] = found;
      if (one.keys[rank] === undefined || match === undefined) continue;
      if (rank > 0 && (found.length > 1 || rivals.length > 1)) continue;
      pairs.push([one, match]);
      open.delete(match);
      unmatched.delete(one);
    }
  for (const one of unmatched) pairs.push([one, null]);
  for (const one of open) pairs.push([null, one]);
  return pairs
    .map(([one, other]): Change => {
      const what = one?.what ?? other?.what ?? '';
      return {
        what,
        before: one?.bytes ?? null,
        after: other?.bytes ?? null,
        ...(one !== null && other !== null && other.what !== what ? { now: other.what } : {}),
      };
    })
    .sort(byGrowth);
}

/** Entries of one name are one. */
function summed(listed: readonly Listed[]): readonly Listed[] {
  const sums = new Map<string, Listed>();
  for (const one of listed) {
    const key = one.keys[0] ?? one.what;
    const known = sums.get(key);
    sums.set(key, known === undefined ? one : { ...known, bytes: known.bytes + one.bytes });
  }
  return [...sums.values()];
}

export const grownBy = ({ before, after }: Change): number => (after ?? 0) - (before ?? 0);

/** What grew stands before what shrank: looked for is what takes more than it did. */
const byGrowth = (a: Change, b: Change): number => {
  const [left, right] = [grownBy(a), grownBy(b)];
  return left > 0 || right > 0 ? right - left : left - right;
};

/** A variable says most; where none grew, a line, else a type. */
function culpritOf(
  lists: Readonly<Record<'group' | 'holder' | 'line' | 'type', readonly Change[]>>,
  peakBytes: Bytes,
): Comparison['culprit'] {
  const leastBytes = Math.max(leastGrowthBytes, peakBytes * leastGrowthShare);
  for (const of of ['group', 'holder', 'line', 'type'] as const) {
    const [most] = lists[of];
    if (most !== undefined && grownBy(most) >= leastBytes) return { ...most, of };
  }
  return null;
}
const leastGrowthBytes = 2 ** 20;
/** Of the peak. Looks come at moments that differ by so much from run to run. */
const leastGrowthShare = 0.05;

export const headlineWords = ({ headline }: Comparison['before']): string =>
  headline === null ? 'no death' : inWords(headline);
