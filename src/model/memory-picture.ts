/** How the parts of a memory picture are read: sums without a line, call paths, what adds up to the resident set. */
import type { Accounted, Allocation, Holder, MemoryPicture, StackFrame } from './report.ts';
import type { Bytes } from './units.ts';

/** `(Python itself and its start-up)`: a sum without a line, in brackets as no function's name is. */
export const isSum = ({ file, function: name }: Pick<Allocation, 'file' | 'function'>): boolean =>
  file === null && name?.startsWith('(') === true;

/** Less than this of the peak at the death: what ended it was not how much itself held then. */
const telling = 0.5;
const bytesAt = (allocations: readonly Allocation[], moment: Allocation['when']): Bytes =>
  allocations.reduce((sum, { when, bytes }) => sum + (when === moment ? bytes : 0), 0);

/**
 * The moment whose lines explain a death: the death itself, else the refusal of a request. What was live at the peak may have been given
 * back long before. undefined: there are no lines.
 */
export function tellingMoment({ allocations = [] }: MemoryPicture): Allocation['when'] | undefined {
  const peak = bytesAt(allocations, 'peak');
  const death = bytesAt(allocations, 'death');
  if (death > 0 && death >= peak * telling) return 'death';
  if (bytesAt(allocations, 'refusal') > 0) return 'refusal';
  return peak > 0 ? 'peak' : allocations[0]?.when;
}

/** In words that go on from "live at". */
export const momentWords: Readonly<Record<Allocation['when'], string>> = {
  peak: 'the peak',
  refusal: 'the refusal',
  death: 'its death',
};

/** The line that had allocated most at the moment that explains the death; a sum is no line. */
export function heaviestLine(memory: MemoryPicture): Allocation | undefined {
  const moment = tellingMoment(memory);
  return (memory.allocations ?? [])
    .filter((each) => each.when === moment && !isSum(each))
    .sort((a, b) => b.bytes - a.bytes)[0];
}

/** The variable that held most. */
export const heaviestHolder = ({ holders = [] }: MemoryPicture): Holder | undefined =>
  [...holders].sort((a, b) => b.retainedBytes - a.retainedBytes)[0];

/** The line as the only frame of a stack. */
export const frameOf = ({ function: name, file, line }: Allocation): StackFrame => ({
  function: name ?? 'unknown',
  file,
  line,
});

export interface WeighedStack {
  /** Innermost first. Never empty. */
  readonly stack: readonly StackFrame[];
  /** Above 0. */
  readonly bytes: Bytes;
}

/** The call paths that led to a line, and what none of them accounts for by the line's own stack. */
export function weighedStacks(allocation: Allocation): readonly WeighedStack[] {
  const { bytes, stack, paths = [] } = allocation;
  const onPaths = paths.reduce((sum, path) => sum + path.bytes, 0);
  return [...paths, { bytes: bytes - onPaths, stack }]
    .filter((path) => path.bytes > 0)
    .map((path) => ({
      bytes: path.bytes,
      stack: path.stack.length > 0 ? path.stack : [frameOf(allocation)],
    }));
}

export interface Part {
  readonly what: string;
  readonly bytes: Bytes;
}

/** Python's objects and native code: the two parts that are always told. */
export const coarseParts = ({ pythonBytes, nativeBytes }: Accounted): readonly [Part, Part] => [
  { what: 'Python objects', bytes: pythonBytes },
  { what: 'native code and libraries', bytes: nativeBytes },
];

/** What is missing from the resident set, or what the estimates have too much. Never negative. */
export const unexplainedPart = ({ unexplainedBytes }: Accounted): Part =>
  unexplainedBytes < 0
    ? { what: 'estimated too high', bytes: -unexplainedBytes }
    : { what: 'not explained', bytes: unexplainedBytes };
