import { defined } from '../model/defined.ts';
import { causes } from '../model/causes.ts';
import { compareConfidence } from '../model/confidence.ts';
import type { Advice, Finding, Question, QuestionId } from '../model/finding.ts';
import type { Incident, Limit, ProcessRole, Reason, SourceReport } from '../model/report.ts';
import { withoutRepeats } from '../model/prose.ts';
import type { DeathGroup } from './join.ts';
import { finalSnapshotId } from './memory.ts';

/** One death's findings as the incident that is reported. The best finding speaks, the others add what it lacks. */
export function toIncident(group: DeathGroup, sources: readonly SourceReport[]): Incident {
  const all = group.map(({ finding }) => finding);
  const [{ finding: best }] = group;
  const when = all.find(({ subject }) => subject.when?.wall !== undefined)?.subject.when;
  const uptime = all.find(({ subject }) => subject.when?.uptimeSeconds !== undefined)?.subject.when;
  const supporting = all.filter((finding) => !contradicts(finding, best));
  const contradicting = all.filter((finding) => contradicts(finding, best));
  const related = all.flatMap(({ related = [] }) => related);
  // The surest witness of a refusal may know its size and line, another one which limit was behind it.
  const finer =
    best.variant === undefined
      ? supporting.find(({ cause, variant }) => cause === best.cause && variant !== undefined)
      : undefined;
  const variant = best.variant ?? finer?.variant;
  return {
    outOfMemory: verdictOf(best),
    death: best.death ?? causes[best.cause].death,
    cause: best.cause,
    ...defined({ variant }),
    ...defined({ exception: best.exception }),
    confidence: best.confidence,
    headline: best.headline,
    at: when?.wall ?? null,
    ...(uptime?.uptimeSeconds === undefined ? {} : { atUptimeSeconds: uptime.uptimeSeconds }),
    victim: mergeVictims(supporting),
    trigger: supporting.find(({ trigger }) => trigger)?.trigger ?? null,
    culprit: supporting.find(({ culprit }) => culprit)?.culprit ?? null,
    killer: supporting.find(({ killer }) => killer)?.killer ?? null,
    limit: bestLimit(supporting),
    request: supporting.find(({ request }) => request?.bytes != null)?.request ?? { bytes: null },
    because: distinct(supporting.flatMap(({ because }) => because)),
    against: distinct([
      ...all.flatMap(({ against = [] }) => against),
      ...contradicting.flatMap((finding) =>
        finding.because.map((reason) => ({
          ...reason,
          says: `speaks for something else (${finding.cause}): ${reason.says}`,
        })),
      ),
    ]),
    ruledOut: all
      .flatMap(({ ruledOut = [] }) => ruledOut)
      .filter(
        ({ cause }, index, list) =>
          cause !== best.cause && list.findIndex((other) => other.cause === cause) === index,
      ),
    unknown: unknowns(best, all, sources),
    remedies:
      variant === best.variant
        ? (best.remedies ?? [])
        : distinctAdvice([...(finer?.remedies ?? []), ...(best.remedies ?? [])]),
    stack: stackOf(all),
    memory: Object.assign({}, ...all.toReversed().map(({ memory = {} }) => memory)),
    ...(related.length === 0 ? {} : { related }),
    ...mergeTasks(all),
  };
}

const distinctAdvice = (remedies: readonly Advice[]): readonly Advice[] =>
  remedies.filter(({ id }, index) => remedies.findIndex((other) => other.id === id) === index);

const verdictOf = (finding: Finding): boolean | null =>
  finding.outOfMemory === undefined ? causes[finding.cause].outOfMemory : finding.outOfMemory;

/** "Not memory" beside "memory"; "cannot tell" contradicts nothing. */
function contradicts(finding: Finding, best: Finding): boolean {
  const one = verdictOf(finding);
  const other = verdictOf(best);
  return one !== null && other !== null && one !== other;
}

/** Every source knows a part of the victim; the surest comes first. */
function mergeVictims(findings: readonly Finding[]): ProcessRole | null {
  const victims = findings.flatMap(({ victim }) => (victim == null ? [] : [victim]));
  return victims.length === 0 ? null : Object.assign({}, ...victims.toReversed());
}

/** The first that names a size; where none does, the first that says whose it was. */
function bestLimit(findings: readonly Finding[]): Limit | null {
  const all = findings.flatMap(({ limit }) => (limit == null ? [] : [limit]));
  const told = all.filter(({ owner, bytes }) => owner !== 'unknown' || bytes !== null);
  const limits = told.length > 0 ? told : all;
  const [first] = limits;
  if (first === undefined) return null;
  if (first.bytes !== null) return first;
  const sized = limits.find(({ owner, bytes }) => bytes !== null && owner === first.owner);
  return sized === undefined ? first : { ...first, bytes: sized.bytes };
}

function mergeTasks(findings: readonly Finding[]): Pick<Incident, 'tasks'> {
  const tasks = findings.find((finding) => finding.tasks !== undefined)?.tasks;
  return tasks === undefined ? {} : { tasks };
}

const distinct = (reasons: readonly Reason[]): Reason[] =>
  withoutRepeats(reasons, ({ place, quote, says }) => `${place}\n${quote ?? says}`);

/** What a source that could not be read would have told, where the verdict is not certain. */
function unknowns(
  best: Finding,
  all: readonly Finding[],
  sources: readonly SourceReport[],
): readonly Question[] {
  // One rule did not know the limit, another did.
  const limit = bestLimit(all.filter((finding) => !contradicts(finding, best)));
  const answered = new Set<QuestionId>([
    ...(limit === null || limit.owner === 'unknown' ? [] : (['which-limit'] as const)),
    // A rule that saw the refusal alone does not know what the surest rule does: that it died of it.
    ...(best.confidence === 'certain'
      ? (['whether-it-died-of-it', 'whether-refusal-behind-crash'] as const)
      : []),
    // A flag of the whole container or unit, and beside it the kernel's own words on the process.
    ...(best.confidence === 'certain' && best.victim?.pid !== undefined
      ? (['which-process-of-container'] as const)
      : []),
    // The shell's notice alone cannot tell why; who saw the refusal can.
    ...(best.cause.startsWith('alloc-failure-') ? (['why-it-crashed'] as const) : []),
  ]);
  const told = all.flatMap(({ unknown = [] }) => unknown).filter(({ id }) => !answered.has(id));
  if (compareConfidence(best.confidence, 'certain') < 0)
    for (const { id, place, status, detail, command } of sources) {
      // Speaks of one process: memory.ts says it where that one died.
      if (id === finalSnapshotId) continue;
      // One that was read and has a command still was read in part.
      if (status === 'truncated' || command === undefined) continue;
      told.push({
        id: `source-${id}`,
        what: `what ${id} would have told`,
        why: `${place}: ${detail ?? (status === 'denied' ? 'permission denied' : status)}`,
        command,
      });
    }
  return told.filter(({ id }, index) => told.findIndex((other) => other.id === id) === index);
}

/** The first that knows lines of a program: of a refusal inside an interpreter that is no CPython only native frames are known. */
function stackOf(findings: readonly Finding[]): Incident['stack'] {
  const stacks = findings.map(({ stack = [] }) => stack).filter((stack) => stack.length > 0);
  return stacks.find((stack) => stack.some(({ line }) => line !== null)) ?? stacks[0] ?? [];
}
