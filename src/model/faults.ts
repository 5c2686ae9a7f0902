/**
 * Faults of coroner's own code that must not take the rest of a verdict with them. Whoever contains one says so in the report (a source
 * that is `malformed`, a rule that did not run); who hears of it keeps the stack. The one place with a state that all share: passing the
 * listener through every parser and rule would put it into each of their signatures.
 */
export interface Fault {
  /** What was being done: `parser kernel-log on kern.log`. */
  readonly where: string;
  /** The error's message. */
  readonly says: string;
  readonly stack: string;
}
export type FaultListener = (fault: Fault, error: unknown) => void;

let listener: FaultListener = () => {};

/** From now on this one hears of contained faults. What it throws is not contained: tests throw. Gives back who heard before. */
export function hearFaults(next: FaultListener): FaultListener {
  const before = listener;
  listener = next;
  return before;
}

function heard(where: string, error: unknown): Fault {
  const says = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? says) : says;
  const fault: Fault = { where, says, stack };
  listener(fault, error);
  return fault;
}

/** What `work` gives; where it throws, what `otherwise` makes of the fault. */
export function contained<T>(where: string, work: () => T, otherwise: (fault: Fault) => T): T {
  try {
    return work();
  } catch (error) {
    return otherwise(heard(where, error));
  }
}

/** The same for what is waited for. */
export async function containedLater<T>(
  where: string,
  work: () => Promise<T>,
  otherwise: (fault: Fault) => T,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return otherwise(heard(where, error));
  }
}
