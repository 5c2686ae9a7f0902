import type { Smell } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import type { Memory } from '../process/memory.ts';
import { readNdarray } from '../objects/numpy.ts';
import { kinds, type TypeInfo } from '../objects/types.ts';
import type { CheckContext, SmellRule } from './smell.ts';

const leastBytes = 65_536;
const spots = 64;
const spotBytes = 64;

/** Large arrays or byte strings with the same content, as far as 64 spots of each tell. */
export const duplicateArrays: SmellRule = {
  id: 'duplicate-arrays',
  title: 'Copies of the same array',
  check: ({ heap, found }: CheckContext) => {
    const { memory, graph, types } = heap.census;
    const groups = new Map<string, { bytes: number; nodes: number[] }>();
    for (let node = 1; node < graph.count; node++) {
      if (graph.bytes[node]! < leastBytes || graph.address[node] === 0) continue;
      const type = types.types[graph.type[node]!];
      const data = type === undefined ? null : dataOf(memory, graph.address[node]!, type);
      if (data === null || data.bytes < leastBytes) continue;
      const print = printOf(memory, data.start, data.bytes);
      // Zeros are mostly memory that nobody has touched yet.
      if (print === null) continue;
      const key = `${type!.name} ${data.bytes} ${print}`;
      const group = groups.get(key) ?? { bytes: data.bytes, nodes: [] };
      group.nodes.push(node);
      groups.set(key, group);
    }
    const nameOf = (node: number): string | null => {
      for (let at = node; at !== 0; at = found.dominators.dominator[at]!) {
        const i = found.nodes.indexOf(at);
        if (i >= 0) return found.holders[i]!.name;
      }
      return null;
    };
    return [...groups.values()]
      .filter(({ nodes }) => nodes.length > 1)
      .map(({ bytes, nodes }): Smell => {
        const names = [...new Set(nodes.map(nameOf).filter((name) => name !== null))];
        const where = names.length === 0 ? '' : ` (${names.slice(0, 4).join(', ')})`;
        return {
          id: 'duplicate-arrays',
          holder: names[0] ?? null,
          savesBytes: bytes * (nodes.length - 1),
          says: `${nodes.length} arrays of ${formatBytes(bytes)} have the same content${where}, as ${spots} samples of each tell: one may do`,
        };
      });
  },
};

function dataOf(
  memory: Memory,
  object: number,
  type: TypeInfo,
): { readonly start: number; readonly bytes: number } | null {
  if (type.kind === kinds.ndarray) {
    const { data, items, itemBytes, ownsData, kind } = readNdarray(memory, object);
    return ownsData && kind !== 'O' ? { start: data, bytes: items * itemBytes } : null;
  }
  if (type.kind === kinds.bytes) return { start: object + 32, bytes: memory.word(object + 16) };
  if (type.kind === kinds.bytearray)
    return { start: memory.word(object + 32), bytes: memory.word(object + 16) };
  return null;
}

/** null: only zeros at every spot. */
function printOf(memory: Memory, start: number, bytes: number): string | null {
  let hash = 0;
  let other = 0x811c_9dc5;
  let isZero = true;
  for (let i = 0; i < spots; i++) {
    const at = start + Math.floor((i * (bytes - spotBytes)) / (spots - 1));
    for (const byte of memory.bytes(at, spotBytes)) {
      if (byte !== 0) isZero = false;
      hash = (Math.imul(hash, 31) + byte) | 0;
      other = Math.imul(other ^ byte, 0x0100_0193);
    }
  }
  return isZero ? null : `${hash} ${other}`;
}
