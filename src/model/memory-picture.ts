/** How the parts of a memory picture are read: sums without a line, call paths, what adds up to the resident set. */
import type { Accounted, Allocation, Holder, MemoryPicture, StackFrame } from './report.ts';
import type { Bytes } from './units.ts';

/** `(Python itself and its start-up)`: a sum without a line, in brackets as no function's name is. */
export const isSum = ({ file, function: name }: Pick<Allocation, 'file' | 'function'>): boolean =>
  file === null && name?.startsWith('(') === true;

/** The line that had allocated most, at whichever moment; a sum is no line. */
export const heaviestLine = ({ allocations = [] }: MemoryPicture): Allocation | undefined =>
  allocations.filter((each) => !isSum(each)).sort((a, b) => b.bytes - a.bytes)[0];

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
