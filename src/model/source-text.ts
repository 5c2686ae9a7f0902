/**
 * Lines of source that stand beside a report. Nobody who reads a report opens a file because the report, a log or a folder names it:
 * the lines were copied when the run ended, or come from a folder that the user named.
 */
import type { Allocation, InstalledPackage, MemoryPicture, Report, StackFrame } from './report.ts';

type ByNumber = ReadonlyMap<number, string>;
export interface SourceText {
  /** By the file's name as the report has it, then by line number, from 1. */
  readonly files: ReadonlyMap<string, ByNumber>;
  /** Functions of programs and libraries: by the file's path, then by the offset in it. */
  readonly symbols: ReadonlyMap<string, ByNumber>;
  /** Installed packages that the report names; absent: not asked. */
  readonly packages?: readonly InstalledPackage[];
}
export const noSourceText: SourceText = { files: new Map(), symbols: new Map() };

export interface WantedLine {
  readonly file: string;
  readonly line: number;
}

/** Lines before and after the one that a frame names. */
export const linesAround = 4;
const longestText = 200;
/** Of each stack: what a page shows before it is asked for more. */
const mostFrames = 30;
const mostAllocations = 20;

/** Of two texts; where both have a line, the first counts. */
export function mergeSourceText(
  a: SourceText | undefined,
  b: SourceText | undefined,
): SourceText | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const merge = (one: SourceText['files'], other: SourceText['files']) => {
    const all = new Map(one);
    for (const [name, lines] of other) all.set(name, new Map([...lines, ...(one.get(name) ?? [])]));
    return all;
  };
  return {
    files: merge(a.files, b.files),
    symbols: merge(a.symbols, b.symbols),
    packages: a.packages ?? b.packages ?? [],
  };
}

/** The lines that a report and its renderings need, the most telling first, each once. */
export function wantedLines(report: Report): readonly WantedLine[] {
  const wanted = new Map<string, WantedLine>();
  const want = ({ file, line }: { readonly file: string | null; readonly line: number | null }) => {
    if (file !== null && file !== '' && line !== null && line > 0)
      wanted.set(`${file}\0${line}`, { file, line });
  };
  const all = (stack: readonly StackFrame[]) => stack.slice(0, mostFrames).forEach(want);
  const own = report.run?.memory;
  const tellers = [...report.incidents, ...(own === undefined ? [] : [{ stack: [], memory: own }])];
  for (const { stack, memory } of tellers) {
    all(stack);
    for (const failure of (memory.failures ?? []).slice(0, mostAllocations)) all(failure.stack);
    const allocations = (memory.allocations ?? []).slice(0, mostAllocations);
    for (const each of [...(memory.holders ?? []), ...allocations]) want(each);
    for (const thread of memory.threads ?? []) all(thread.stack);
    for (const { stack: path, paths = [] } of allocations) {
      all(path);
      for (const other of paths) all(other.stack);
    }
  }
  return [...wanted.values()];
}

function withPackages(report: Report, packages: readonly InstalledPackage[]): Report {
  const { run } = report;
  return run === undefined || packages.length === 0
    ? report
    : { ...report, run: { ...run, environment: { ...run.environment, packages } } };
}

/** Frames and allocations that have no text of their line get the one that is known. */
export function withSourceText(given: Report, { files, packages = [] }: SourceText): Report {
  const report = withPackages(given, packages);
  if (files.size === 0) return report;
  const told = <Frame extends StackFrame | Allocation>(frame: Frame): Frame => {
    if (frame.text !== undefined || frame.file === null || frame.line === null) return frame;
    const text = files.get(frame.file)?.get(frame.line)?.trim().slice(0, longestText);
    return text === undefined || text === '' ? frame : { ...frame, text };
  };
  const toldAll = (stack: readonly StackFrame[]) => stack.map(told);
  const toldMemory = (memory: MemoryPicture): MemoryPicture => {
    const { allocations, failures } = memory;
    return {
      ...memory,
      ...(allocations === undefined
        ? {}
        : { allocations: allocations.map((one) => ({ ...told(one), stack: toldAll(one.stack) })) }),
      ...(failures === undefined
        ? {}
        : { failures: failures.map((one) => ({ ...one, stack: toldAll(one.stack) })) }),
    };
  };
  const { run } = report;
  return {
    ...report,
    incidents: report.incidents.map((incident) => {
      return {
        ...incident,
        stack: toldAll(incident.stack),
        memory: toldMemory(incident.memory),
      };
    }),
    ...(run?.memory === undefined ? {} : { run: { ...run, memory: toldMemory(run.memory) } }),
  };
}

/** The line with its neighbours, as far as they are known without a gap. null: the line is not known. */
export function excerptAround(
  { files }: SourceText,
  { file, line }: WantedLine,
): { readonly firstLine: number; readonly lines: readonly string[] } | null {
  const known = files.get(file);
  if (known?.has(line) !== true) return null;
  let [first, last] = [line, line];
  while (first > line - linesAround && known.has(first - 1)) first -= 1;
  while (last < line + linesAround && known.has(last + 1)) last += 1;
  const lines: string[] = [];
  for (let at = first; at <= last; at += 1) lines.push(known.get(at) ?? '');
  return { firstLine: first, lines };
}
