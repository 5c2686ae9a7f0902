import type { Bytes } from '../../model/units.ts';
import type { Visitor } from './visitor.ts';
import { isPlausible } from '../process/memory.ts';
import { scanFields } from './fields.ts';
import type { TypeInfo } from './types.ts';

/** A module: each of its names gets a node. Returns the bytes of a C module's state. */
export function visitModule(
  visitor: Visitor,
  module: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  const { memory } = visitor;
  visitor.markNamespace(owner);
  const dict = memory.word(module + 16);
  if (isPlausible(dict)) {
    const node = visitor.root(dict, owner);
    if (node !== 0) visitor.markNamespace(node);
  }
  scanFields(visitor, module, type, owner, 24);
  const layout = visitor.python.layout.module ?? {
    definition: 24,
    state: 32,
    stateSize: undefined,
  };
  const state = memory.word(module + layout.state);
  if (!isPlausible(state)) return 0;
  let bytes = 0;
  if (layout.stateSize !== undefined) bytes = memory.signedWord(module + layout.stateSize);
  else {
    const definition = memory.word(module + layout.definition!);
    // `m_size` of PyModuleDef.
    if (isPlausible(definition)) bytes = memory.signedWord(definition + 56);
  }
  if (!(bytes > 0 && bytes < 1 << 20)) return 0;
  visitor.visitWords(state, state + bytes, owner);
  return bytes;
}

/** A class: each of its names gets a node. Returns its bytes, those of the keys of its instances' attributes among them. */
export function visitType(visitor: Visitor, object: number, type: TypeInfo, owner: number): Bytes {
  const { memory, python } = visitor;
  const { layout } = python;
  const flags = memory.u32(object + layout.type.flags);
  const isHeap = (flags & 512) !== 0;
  let bytes = isHeap ? type.basicBytes + type.preBytes : layout.type.size;
  visitor.markNamespace(owner);
  const dict = memory.word(object + layout.type.dict);
  if (isPlausible(dict)) {
    const node = visitor.root(dict, owner);
    if (node !== 0) visitor.markNamespace(node);
  }
  for (const field of ['base', 'bases', 'mro', 'cache', 'subclasses'] as const)
    visitor.visit(memory.word(object + layout.type[field]), owner);
  if (isHeap) {
    const { name, qualname, slots, module, cachedKeys, size } = layout.heapType;
    for (const field of [name, qualname, slots, module])
      if (field !== undefined) visitor.visit(memory.word(object + field), owner);
    const keys = cachedKeys === undefined ? 0 : memory.word(object + cachedKeys);
    if (isPlausible(keys)) {
      const table = python.keysEntries(keys);
      bytes += table.bytes;
      visitor.visitStrided(
        table.start + table.keyAt,
        Math.min(table.count, 256),
        table.width,
        owner,
      );
    }
    // Metaclasses with slots and attributes of their own.
    if (type.basicBytes > size)
      visitor.visitWords(object + size, object + Math.floor(type.basicBytes / 8) * 8, owner);
  }
  if (type.dictOffset > 0 && type.dictOffset !== layout.type.dict)
    visitor.visit(memory.word(object + type.dictOffset), owner);
  return bytes;
}
