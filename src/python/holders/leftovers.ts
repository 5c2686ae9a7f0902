import type { Bytes } from '../../model/units.ts';
import { isCodeType, type HolderGraph } from './holder-graph.ts';
import type { NameTable } from './names.ts';
import type { Owners } from './owners.ts';
import { pathAbove, pathBelow } from './path.ts';
import { unnamedHolder, type Row } from './row.ts';

/** Groups of less than this share of the heap are left out; single objects of less count into their group. */
const leastGroupShare = 0.002;
const leastObjectShare = 0.02;

/** What no name keeps: garbage, large objects without a name, the modules' code, and what C code holds. */
export function leftoverRows(held: HolderGraph, names: NameTable, owners: Owners): readonly Row[] {
  const { residual } = owners;
  const { heldByC, garbage, undecided } = held.heap.groups;
  const least = Math.max(held.leastBytes, held.totalBytes * leastGroupShare);
  const { large, importedBytes, otherBytes } = unnamedNodes(held, owners);
  const bytesOf = (group: number): Bytes => (group === 0 ? 0 : residual[group]!);
  const groups = [
    unnamedHolder('garbage-cycles', {
      scope: 'unknown',
      type: 'objects',
      retainedBytes: bytesOf(garbage),
    }),
    unnamedHolder('garbage-or-c-code', {
      scope: 'unknown',
      type: 'objects',
      retainedBytes: bytesOf(undecided),
    }),
    unnamedHolder('imported-modules', {
      scope: 'global',
      type: 'module',
      retainedBytes: importedBytes,
    }),
    unnamedHolder('c-code', {
      scope: 'native',
      type: 'objects',
      retainedBytes: otherBytes + bytesOf(heldByC),
    }),
  ];
  return [
    ...groups
      .filter(({ retainedBytes }) => retainedBytes >= least)
      .map((holder) => ({ holder, node: 0 })),
    ...large.map((node) => largeRow(held, names, owners, node)),
  ];
}

/** Nodes that hang on the root and on no name: the large ones that are no code, and the bytes of the rest. */
function unnamedNodes(
  held: HolderGraph,
  owners: Owners,
): {
  readonly large: readonly number[];
  readonly importedBytes: Bytes;
  /** Of nodes that stand for no single object. */
  readonly otherBytes: Bytes;
} {
  const { graph } = held;
  const { heldByC, garbage, undecided } = held.heap.groups;
  const least = Math.max(held.leastBytes, held.totalBytes * leastObjectShare);
  const large: number[] = [];
  let importedBytes = 0;
  let otherBytes = 0;
  for (const node of held.dominators.order) {
    if (!owners.isTop(node)) continue;
    if (node === heldByC || node === garbage || node === undecided) continue;
    const bytes = owners.residual[node]!;
    if (bytes <= 0) continue;
    const object = graph.address[node]!;
    if (object === 0) otherBytes += bytes;
    else if (bytes < least || isCodeType(held.typeOf(node)) || held.isModules(object))
      importedBytes += bytes;
    else large.push(node);
  }
  return { large, importedBytes, otherBytes };
}

function largeRow(held: HolderGraph, names: NameTable, owners: Owners, node: number): Row {
  return {
    node,
    holder: unnamedHolder('no-name', {
      scope: 'unknown',
      path: [pathAbove(held, names, node), ...pathBelow(held, node)].join(' -> '),
      type: held.typeOf(node)?.name ?? '?',
      ownBytes: held.describe.sizeOf(held.graph.address[node]!),
      retainedBytes: owners.residual[node]!,
    }),
  };
}
