import type { HolderScope } from '../../model/report.ts';
import type { ObjectReader } from './visitor.ts';
import { isPlausible } from '../process/memory.ts';
import { kinds, type TypeInfo } from './types.ts';

/** A named reference inside an object: an attribute, a global, a variable of a suspended call. */
export interface Part {
  readonly name: string;
  readonly address: number;
  readonly scope: HolderScope;
  /** Of a call: function, file, line. */
  readonly place?: { readonly function: string; readonly file: string; readonly line: number };
}

const maxParts = 20_000;

/** The named references of an object. Empty for those whose parts have no names (list, dict, array, …). */
export function partsOf(reader: ObjectReader, object: number, type: TypeInfo): readonly Part[] {
  switch (type.kind) {
    case kinds.generator:
      return generatorLocals(reader, object, type);
    case kinds.frame:
      return frameLocals(reader, object);
    case kinds.function:
      return functionParts(reader, object);
    case kinds.type:
      return classAttributes(reader, object);
    case kinds.generic:
      return type.isHeap ? attributes(reader, object, type) : [];
    default:
      return type.isExact ? [] : attributes(reader, object, type);
  }
}

/** Entries of a dict whose keys are names. */
export function namedEntries(
  reader: ObjectReader,
  dict: number,
  scope: HolderScope,
): readonly Part[] {
  const { python } = reader;
  const parts: Part[] = [];
  python.eachEntry(
    dict,
    (key, address) => {
      if (python.typeName(key) === 'str')
        parts.push({ name: python.string(key, 128), address, scope });
    },
    maxParts,
  );
  return parts;
}

/** Attributes in the dict, inline and in slots. */
function attributes(reader: ObjectReader, object: number, type: TypeInfo): readonly Part[] {
  const { memory, python } = reader;
  const parts: Part[] = [];
  const add = (name: string, address: number) => {
    if (isPlausible(address)) parts.push({ name, address, scope: 'attribute' });
  };
  let dict = 0;
  if (type.hasManagedDict) {
    const word = memory.word(object - 24);
    if (word % 2 === 0) dict = word;
    const values = python.inlineValues(object, type.address, type.flags);
    if (isPlausible(values) && isPlausible(type.cachedKeys)) {
      const table = python.keysEntries(type.cachedKeys);
      for (let i = 0; i < Math.min(table.count, 256); i++) {
        const key = memory.word(table.start + i * table.width + table.keyAt);
        add(python.string(key, 128), memory.word(values + 8 * i));
      }
    }
  } else if (type.dictOffset > 0) dict = memory.word(object + type.dictOffset);
  if (isPlausible(dict)) parts.push(...namedEntries(reader, dict, 'attribute'));
  for (const [name, offset] of slotsOf(reader, type)) add(name, memory.word(object + offset));
  return parts;
}

/** `__slots__` of a class and its bases: offset of each in an instance. */
function slotsOf(reader: ObjectReader, type: TypeInfo): readonly (readonly [string, number])[] {
  const { memory, python } = reader;
  const { layout } = python;
  const slots: [string, number][] = [];
  let at = type.address;
  for (let i = 0; i < 20 && isPlausible(at); i++) {
    const isHeap = (memory.u32(at + layout.type.flags) & 512) !== 0;
    if (isHeap)
      python.eachEntry(
        memory.word(at + layout.type.dict),
        (key, value) => {
          if (python.typeName(value) !== 'member_descriptor') return;
          // d_member of PyMemberDescrObject; offset is the third field of PyMemberDef.
          const member = memory.word(value + 40);
          const offset = isPlausible(member) ? memory.signedWord(member + 16) : 0;
          if (offset > 0 && offset < type.basicBytes) slots.push([python.string(key, 128), offset]);
        },
        maxParts,
      );
    at = memory.word(at + layout.type.base);
  }
  return slots;
}

/** Class attributes without methods and descriptors. */
function classAttributes(reader: ObjectReader, object: number): readonly Part[] {
  const { memory, python } = reader;
  const dict = memory.word(object + python.layout.type.dict);
  return namedEntries(reader, dict, 'attribute').filter(
    ({ name }) => !(name.startsWith('__') && name.endsWith('__')),
  );
}

/** Closure variables (values of the cells). */
function functionParts(reader: ObjectReader, object: number): readonly Part[] {
  const { memory, python } = reader;
  const { function: layout } = python.layout;
  const closure = memory.word(object + layout.closure);
  const code = python.code(memory.word(object + layout.code));
  if (code === null || !isPlausible(closure) || python.typeName(closure) !== 'tuple') return [];
  const free = code.names.filter((_, i) => (code.kinds[i]! & 0x80) !== 0);
  const place = { function: code.name, file: code.file, line: code.firstLine };
  return free.flatMap((name, i): Part[] => {
    const cell = memory.word(python.tupleItems(closure) + 8 * i);
    const address = isPlausible(cell) ? memory.word(cell + 16) : 0;
    return isPlausible(address) ? [{ name, address, scope: 'closure', place }] : [];
  });
}

/** Variables of a suspended generator or coroutine, with the line at which it is suspended. */
function generatorLocals(reader: ObjectReader, object: number, type: TypeInfo): readonly Part[] {
  const { memory, python } = reader;
  const { frame, generator } = python.layout;
  if (frame === undefined) {
    const frameObject = generator?.frame === undefined ? 0 : memory.word(object + generator.frame);
    return isPlausible(frameObject) ? frameLocals(reader, frameObject) : [];
  }
  const start = object + type.basicBytes - frame.localsplus;
  return slotLocals(reader, start);
}

function slotLocals(reader: ObjectReader, start: number): readonly Part[] {
  const { memory, python } = reader;
  const frame = python.layout.frame!;
  const code = python.code(python.reference(memory.word(start + frame.code)));
  if (code === null) return [];
  const bytecode = code.address + python.layout.code.bytecode!;
  const instruction = (memory.word(start + frame.instruction) - bytecode) / 2;
  const line = instruction < 0 ? code.firstLine : python.line(code, instruction);
  return localParts(reader, code.names, code.kinds, start + frame.localsplus, {
    function: code.name,
    file: code.file,
    line,
  });
}

function frameLocals(reader: ObjectReader, object: number): readonly Part[] {
  const { memory, python } = reader;
  const { frame, frameObject } = python.layout;
  if (frame !== undefined) {
    const start = memory.word(object + frameObject.frame!);
    return isPlausible(start) ? slotLocals(reader, start) : [];
  }
  const code = python.code(memory.word(object + frameObject.code!));
  if (code === null) return [];
  const last = memory.i32(object + frameObject.lasti!);
  const line = last < 0 ? code.firstLine : python.line(code, python.minor === 10 ? last * 2 : last);
  return localParts(reader, code.names, code.kinds, object + frameObject.localsplus!, {
    function: code.name,
    file: code.file,
    line,
  });
}

function localParts(
  { memory, python }: ObjectReader,
  names: readonly string[],
  nameKinds: Uint8Array,
  slots: number,
  place: NonNullable<Part['place']>,
): readonly Part[] {
  return names.flatMap((name, i): Part[] => {
    let address = python.reference(memory.word(slots + 8 * i));
    const isCell = (nameKinds[i]! & 0xc0) !== 0 && python.typeName(address) === 'cell';
    if (isCell) address = memory.word(address + 16);
    const scope = (nameKinds[i]! & 0x80) !== 0 ? 'closure' : 'local';
    return isPlausible(address) ? [{ name, address, scope, place }] : [];
  });
}
