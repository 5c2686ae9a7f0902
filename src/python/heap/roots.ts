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

/** A variable that is to receive a value, and the call in which it is. */
export interface AwaitedName {
  readonly name: string;
  readonly frame: Frame;
}

/** The names from which a census starts. */
export class RootNames {
  readonly all: RootName[] = [];

  /** A variable of a call. Node 0 (nothing was there) is passed over. */
  variable(node: number, name: string, scope: HolderScope, frame: Frame, depth: number): void {
    if (node !== 0) this.all.push({ node, kind: 'variable', name, scope, frame, depth });
  }

  /** A value on a stack. It has the name of the variable that is to receive it, where there is one. */
  beingBuilt(node: number, frame: Frame | null, depth: number, awaited: AwaitedName | null): void {
    if (node === 0) return;
    const name = awaited?.name ?? unnamedHolders['being-built'];
    const place = awaited?.frame ?? frame;
    this.all.push({ node, kind: 'being-built', name, scope: 'stack', frame: place, depth });
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
