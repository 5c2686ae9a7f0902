/** What rules about programs' words and other killers' records share. */
import { defined } from '../../model/defined.ts';
import type { Evidence, ProgramAbort, ProgramError, StatedLimit } from '../../model/evidence.ts';
import type { Subject } from '../../model/finding.ts';
import type { Limit, StackFrame } from '../../model/report.ts';
import { formatFrame, informativeFrame, userFrame } from '../../model/stack.ts';

export const positionOf = ({ origin }: Evidence): number => origin.line ?? 0;

export function subjectOf(
  fact: Evidence,
  who: {
    readonly pid?: number | undefined;
    readonly name?: string | undefined;
    readonly label?: string | undefined;
    readonly cgroup?: string | undefined;
  } = {},
): Subject {
  return {
    ...defined({
      pid: who.pid,
      name: who.name,
      label: who.label,
      cgroup: who.cgroup,
      when: fact.when,
    }),
    position: positionOf(fact),
  };
}

/** ` at load (app.py:42)`: the user's own line, else the innermost one; '' without a stack. */
export function atUsersLine(stack: readonly StackFrame[]): string {
  const frame = informativeFrame(stack);
  return frame === undefined ? '' : ` at ${formatFrame(frame)}`;
}

/**
 * A request that fits in a page: refused by the last one of a full memory, or by an allocator that is broken or was built for
 * another machine. The words alone do not tell which.
 */
export const isTiny = ({ requestBytes }: ProgramError | ProgramAbort): boolean =>
  requestBytes !== undefined && requestBytes < 4096;

/** Below this, memory or its limit was full before it was asked: less at a time changes nothing. */
const smallBytes = 2 ** 20;
export const isSmall = ({ requestBytes }: ProgramError | ProgramAbort): boolean =>
  requestBytes !== undefined && requestBytes < smallBytes;

/** Lines within which words without a stack are the echo of the same failure. */
const duplicateReportLines = 80;

/** Words of programs repeat: a service logs one failure a thousand times. One group for each place and size. */
export function groupRepeated<Fact extends ProgramError | ProgramAbort>(
  facts: readonly Fact[],
): readonly (readonly [Fact, ...Fact[]])[] {
  const groups = new Map<string, [Fact, ...Fact[]]>();
  let last: [Fact, ...Fact[]] | undefined;
  for (const fact of facts) {
    const what = fact.kind === 'program-error' ? fact.type.split('.').at(-1) : fact.reporter;
    const place = informativeFrame(fact.stack);
    const key = JSON.stringify([fact.pid, what, place?.file, place?.line, fact.requestBytes]);
    const group =
      groups.get(key) ?? (last !== undefined && isDuplicateReport(last, fact) ? last : undefined);
    if (group === undefined) {
      last = [fact];
      groups.set(key, last);
    } else {
      group.push(fact);
      last = group;
    }
  }
  return [...groups.values()];
}

/** The same failure told again by a layer above: nothing of the user's own in it, and nothing that contradicts. */
function isDuplicateReport(
  group: readonly (ProgramError | ProgramAbort)[],
  fact: ProgramError | ProgramAbort,
): boolean {
  const [first] = group;
  const last = group.at(-1);
  return (
    first !== undefined &&
    last !== undefined &&
    first.resource === fact.resource &&
    userFrame(fact.stack) === undefined &&
    (fact.requestBytes === undefined || isSameSize(fact.requestBytes, first.requestBytes)) &&
    (fact.pid === undefined || first.pid === undefined || fact.pid === first.pid) &&
    positionOf(fact) - positionOf(last) <= duplicateReportLines
  );
}

/** Programs round to three figures (`14.9 GiB`), and the layer above says the same size to the byte. */
const isSameSize = (a: number, b: number | undefined): boolean =>
  b !== undefined && Math.abs(a - b) <= Math.max(a, b) / 200;

/** The limit of a process that the same text names, where it can be the one that refused. */
export function statedRlimit(
  limits: readonly StatedLimit[],
): (Limit & { bytes: number }) | undefined {
  return limits.find(({ limit }) => limit.owner === 'rlimit')?.limit;
}
