/** What the command said itself: its last words through the Python hook, its stderr, faulthandler's dump. */
import { defined } from '../../model/defined.ts';
import type { Evidence, ProgramError } from '../../model/evidence.ts';
import { linesOf, parseInput } from '../../parsers/parse.ts';
import type { Parser } from '../../parsers/parser.ts';
import { isoTime } from '../../model/units.ts';
import { readHookErrors } from '../../store/recorded-lines.ts';
import type { Timeline } from './events.ts';
import type { SourceReport } from '../../model/report.ts';

/**
 * What the Python hook wrote. It is structured, but what its words mean (a size, whose memory) the parsers of tracebacks know:
 * they are given the traceback that Python would have printed.
 */
export function hookErrors(
  texts: ReadonlyMap<string, string>,
  timeline: Timeline,
  parseText: ParseText,
): readonly ProgramError[] {
  const errors: ProgramError[] = [];
  for (const [name, text] of texts) {
    const pid = Number(/^python\/(\d+)\.ndjson$/.exec(name)?.[1]);
    if (!Number.isInteger(pid)) continue;
    for (const line of readHookErrors(text).lines) {
      const { stack } = line;
      const wall = line.time === undefined ? undefined : isoTime(line.time * 1000);
      const said = line.message ? `${line.type}: ${line.message}` : line.type;
      const printed = [
        'Traceback (most recent call last):',
        ...stack
          .toReversed()
          .map(({ file, line, function: name }) => `  File "${file}", line ${line}, in ${name}`),
        said,
      ].join('\n');
      const read = parseText(name, printed)
        .filter((fact) => fact.kind === 'program-error')
        .at(-1);
      errors.push({
        ...(read ?? {
          kind: 'program-error',
          language: 'python',
          type: line.type,
          message: line.message ?? '',
          resource: line.memory === 1 ? 'memory' : 'none',
        }),
        // Raised out of a MemoryError, or a class of its own: the hook has seen the objects, the parser only the name.
        ...(line.memory === 1 && (read === undefined || read.resource === 'none')
          ? { resource: 'memory' as const }
          : {}),
        origin: {
          source: 'python-hook',
          place: `${name}:${line.lineNumber}`,
          line: line.lineNumber,
          quote: said,
        },
        ...(wall === undefined ? {} : { when: { wall } }),
        stack,
        fate: line.fate,
        ...defined({ threadName: line.thread }),
        pid,
        name: timeline.processes.get(pid)?.seen.name ?? 'python',
      });
    }
  }
  return errors;
}

/** The facts that the parsers find in one text of the folder. */
export type ParseText = (name: string, text: string) => readonly Evidence[];

export const parseTextWith =
  (parsers: readonly Parser[], onFault: (source: SourceReport) => void): ParseText =>
  (name, text) =>
    parseInput({ name, lines: linesOf(text) }, parsers, onFault);

/** The command's own words: the tail of its stderr, and the dump that faulthandler wrote beside it. */
export function textEvidence(
  texts: ReadonlyMap<string, string>,
  timeline: Timeline,
  parseText: ParseText,
): readonly Evidence[] {
  const evidence: Evidence[] = [];
  for (const [name, text] of texts) {
    if (name === 'stderr.tail') {
      for (const read of parseText(name, text)) {
        if (isKernelFact(read)) continue;
        const fact = ofRun(read, timeline);
        // A tail has no pid: what it says is the command's where there was one process only, and nobody else writes there.
        evidence.push(
          timeline.processes.size === 1 && timeline.commandPid !== null && !timeline.sharesStderr
            ? withPid(fact, timeline.commandPid, timeline)
            : fact,
        );
      }
    }
    const fault = /^python\/(\d+)\.fault$/.exec(name);
    if (fault !== null && text.trim() !== '')
      for (const fact of parseText(name, text))
        evidence.push(withPid(fact, Number(fault[1]), timeline));
  }
  return evidence;
}

const ofRun = (fact: Evidence, { sharesStderr }: Timeline): Evidence => ({
  ...fact,
  origin: { ...fact.origin, ofRun: true, ...(sharesStderr ? { doubt: 'shared' } : {}) },
});

const isKernelFact = (fact: Evidence) => fact.kind.startsWith('kernel-');

function withPid(fact: Evidence, pid: number, timeline: Timeline): Evidence {
  if ('pid' in fact && fact.pid !== undefined) return fact;
  if (
    fact.kind === 'program-error' ||
    fact.kind === 'program-abort' ||
    (fact.kind === 'death-notice' && fact.reporter === 'faulthandler')
  )
    return { ...fact, pid, name: fact.name ?? timeline.processes.get(pid)?.seen.name ?? 'python' };
  return fact;
}
