import type { Interpreter } from '../interpreter/interpreter.ts';
import { destinationOf, isCalling } from '../interpreter/pending-name.ts';
import type { Frame } from '../interpreter/stacks.ts';
import type { Part } from '../objects/names.ts';
import { isOwnFile } from './own-modules.ts';

/** The variable of the program that is to receive what a call makes. */
export interface Awaiting {
  readonly name: string;
  /** The call in which it is, and its place. */
  readonly frame: Frame;
  readonly place: NonNullable<Part['place']>;
}

/** CO_GENERATOR: what it yields goes to whoever asks. */
const isGenerator = ({ code }: Frame): boolean => (code.flags & 0x20) !== 0;
const isAnonymous = ({ code }: Frame): boolean =>
  /<(list|set|dict)comp>$|<genexpr>$|<lambda>$/.test(code.name);

export const placeOf = ({ code, line }: Frame): Awaiting['place'] => ({
  function: code.name,
  file: code.file,
  line,
});

/**
 * The variable to which the value goes that `frames[from]` (innermost first) is making: that of the first call of the program's own that
 * assigns it. null: none is told by the code.
 */
export function awaiting(
  python: Interpreter,
  frames: readonly Frame[],
  from: number,
  isFromC = false,
): Awaiting | null {
  for (const frame of frames.slice(from)) {
    if (!isOwnFile(frame.code.file)) continue;
    const destination = destinationOf(python, frame);
    if (destination.kind === 'name')
      return { name: destination.name, frame, place: placeOf(frame) };
    // What C code works on may be made for a call further out.
    const goesOn = isFromC || destination.kind === 'return';
    if (!goesOn && !isGenerator(frame) && !isAnonymous(frame)) return null;
  }
  return null;
}

/** As `awaiting`, of what a C function is making. */
export function awaitingFromC(python: Interpreter, frames: readonly Frame[]): Awaiting | null {
  const [innermost] = frames;
  if (innermost === undefined) return null;
  const isAtWorkItself =
    isOwnFile(innermost.code.file) && (isGenerator(innermost) || !isCalling(python, innermost));
  return awaiting(python, frames, isAtWorkItself ? 1 : 0, true);
}
