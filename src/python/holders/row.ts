import { unnamedHolders } from '../../model/holder-kinds.ts';
import type { Holder } from '../../model/report.ts';

/** A holder of the report with its node; 0: a group of nodes. */
export interface Row {
  readonly holder: Holder;
  readonly node: number;
}

/** A holder that has no name in the program, and so no place there. */
export function unnamedHolder(
  kind: keyof typeof unnamedHolders,
  rest: Pick<Holder, 'scope' | 'type' | 'retainedBytes'> &
    Partial<Pick<Holder, 'path' | 'ownBytes'>>,
): Holder {
  const name = unnamedHolders[kind];
  return {
    name,
    kind,
    function: null,
    file: null,
    line: null,
    path: name,
    ownBytes: 0,
    alsoHeldBy: [],
    estimate: false,
    ...rest,
  };
}
