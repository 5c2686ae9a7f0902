import { unnamedHolders } from '../../model/holder-kinds.ts';
import type { HolderKind, HolderScope } from '../../model/report.ts';
import type { Frame } from '../interpreter/stacks.ts';

/** A name from which an object is reached. */
export interface RootName {
  readonly node: number;
  readonly kind: HolderKind;
  readonly name: string;
  readonly scope: HolderScope;
  /** null: the name belongs to no call. */
  readonly frame: Frame | null;
  /** Calls between the name's call and the innermost one, which is 0. */
  readonly depth: number;
}

/** The names from which a census starts. */
export class RootNames {
  readonly all: RootName[] = [];

  /** A variable of a call. Node 0 (nothing was there) is passed over. */
  variable(node: number, name: string, scope: HolderScope, frame: Frame, depth: number): void {
    if (node !== 0) this.all.push({ node, kind: 'variable', name, scope, frame, depth });
  }

  /** A value that has no name in the program. Node 0 (nothing was there) is passed over. */
  unnamed(
    node: number,
    kind: keyof typeof unnamedHolders,
    scope: HolderScope,
    frame: Frame | null,
    depth = 0,
  ): void {
    if (node !== 0) this.all.push({ node, kind, name: unnamedHolders[kind], scope, frame, depth });
  }
}
