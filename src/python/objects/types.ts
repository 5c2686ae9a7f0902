import type { Interpreter } from '../interpreter/interpreter.ts';
import { isPlausible } from '../process/memory.ts';

/** Groups of types whose size and references are found in the same way. */
export const kinds = {
  generic: 0,
  integer: 1,
  /** Fixed size, no references: float, complex, None, … */
  plain: 2,
  string: 3,
  bytes: 4,
  list: 5,
  tuple: 6,
  dict: 7,
  set: 8,
  bytearray: 9,
  type: 10,
  module: 11,
  weakref: 12,
  deque: 13,
  array: 14,
  ndarray: 15,
  code: 16,
  stringIo: 17,
  generator: 18,
  frame: 19,
  function: 20,
  mmap: 21,
  ctypes: 22,
  arrowBuffer: 23,
  orderedDict: 24,
} as const;

/** By `tp_name` of a static type (or of the few heap types of C modules): a subclass takes the kind of its base. */
const kindOfName: ReadonlyMap<string, number> = new Map(
  Object.entries({
    int: kinds.integer,
    float: kinds.plain,
    complex: kinds.plain,
    NoneType: kinds.plain,
    ellipsis: kinds.plain,
    NotImplementedType: kinds.plain,
    str: kinds.string,
    bytes: kinds.bytes,
    list: kinds.list,
    tuple: kinds.tuple,
    dict: kinds.dict,
    // 3.15: a dict with a hash behind it.
    frozendict: kinds.dict,
    'collections.OrderedDict': kinds.orderedDict,
    set: kinds.set,
    frozenset: kinds.set,
    bytearray: kinds.bytearray,
    type: kinds.type,
    module: kinds.module,
    weakref: kinds.weakref,
    weakproxy: kinds.weakref,
    weakcallableproxy: kinds.weakref,
    'weakref.ReferenceType': kinds.weakref,
    'weakref.ProxyType': kinds.weakref,
    'weakref.CallableProxyType': kinds.weakref,
    'collections.deque': kinds.deque,
    'array.array': kinds.array,
    'numpy.ndarray': kinds.ndarray,
    code: kinds.code,
    '_io.StringIO': kinds.stringIo,
    generator: kinds.generator,
    coroutine: kinds.generator,
    async_generator: kinds.generator,
    frame: kinds.frame,
    function: kinds.function,
    'mmap.mmap': kinds.mmap,
    '_ctypes._SimpleCData': kinds.ctypes,
    '_ctypes.Array': kinds.ctypes,
    '_ctypes.Structure': kinds.ctypes,
    'pyarrow.lib.Buffer': kinds.arrowBuffer,
  }),
);

/** A type, as far as sizes and references of its instances need it. */
export interface TypeInfo {
  readonly address: number;
  readonly index: number;
  /** As a person would write it: `app.Item`, `numpy.ndarray`, `dict`. */
  readonly name: string;
  /** `tp_name`. */
  readonly rawName: string;
  readonly kind: number;
  readonly basicBytes: number;
  readonly itemBytes: number;
  readonly flags: number;
  readonly isHeap: boolean;
  /** The very type that gave the kind, not a subclass. */
  readonly isExact: boolean;
  /** `tp_basicsize` of the type that gave the kind. */
  readonly baseBasicBytes: number;
  /** Bytes before the object: collector's head, pointers to dict and weak references. */
  readonly preBytes: number;
  readonly hasManagedDict: boolean;
  readonly dictOffset: number;
  readonly weaklistOffset: number;
  /** `ht_cached_keys`: names of inline attribute values. 0: none. */
  readonly cachedKeys: number;
  /** An instance refers to nothing: it is counted when it is first seen. */
  readonly isAtomic: boolean;
  /** None, True, …: the type's instances live for ever, and everything refers to them. */
  readonly isSingleton: boolean;
}

const flagHeap = 1 << 9;
const flagGc = 1 << 14;
const flagManagedDict = 1 << 4;
const flagManagedWeakref = 1 << 3;
const maxBasicBytes = 10_000_000;
const maxTypes = 65_000;

/** Types by address, each checked once: it must be an instance of a type whose base chain ends in `type`. */
export class TypeTable {
  readonly types: TypeInfo[] = [];
  private readonly byAddress = new Map<number, number>();
  private readonly python: Interpreter;

  constructor(python: Interpreter) {
    this.python = python;
  }

  /** Index in `types`; -1: no type lies at this address. */
  indexOf(address: number): number {
    let index = this.byAddress.get(address);
    if (index === undefined) {
      const type = this.types.length < maxTypes ? this.read(address) : null;
      index = type === null ? -1 : this.types.push(type) - 1;
      this.byAddress.set(address, index);
    }
    return index;
  }

  /** The type of the object at this address; null: no object. */
  of(object: number): TypeInfo | null {
    if (!isPlausible(object)) return null;
    const index = this.indexOf(this.python.memory.word(object + 8));
    return index < 0 ? null : this.types[index]!;
  }

  /** Whether a type's base chain ends in `type`: its instances are types. */
  private isMetatype(address: number): boolean {
    const { memory, layout, runtime } = this.python;
    let at = address;
    for (let i = 0; i < 12 && isPlausible(at); i++) {
      if (at === runtime.typeType) return true;
      at = memory.word(at + layout.type.base);
    }
    return false;
  }

  /** null: no type lies at this address. */
  private read(address: number): TypeInfo | null {
    const { memory, layout, minor } = this.python;
    const { type } = layout;
    // Types are never in constant memory: garbage that points elsewhere costs no reading.
    if (!isPlausible(address) || memory.region(address)?.writable !== true) return null;
    if (!this.isMetatype(memory.word(address + 8))) return null;
    const rawName = memory.cString(memory.word(address + type.name), 200);
    if (rawName === '' || !/^[\x20-\x7e]+$/.test(rawName)) return null;
    const basicBytes = memory.signedWord(address + type.basicSize);
    const itemBytes = memory.signedWord(address + type.itemSize);
    if (!(basicBytes >= 0 && basicBytes <= maxBasicBytes)) return null;
    if (!(itemBytes >= 0 && itemBytes <= maxBasicBytes)) return null;
    const flags = memory.u32(address + type.flags);
    const isHeap = (flags & flagHeap) !== 0;
    const { kind, base, baseBasicBytes } = this.kindOf(address, rawName);
    const hasManagedDict = minor >= 11 && (flags & flagManagedDict) !== 0;
    const hasManagedWeakref = minor >= 12 && (flags & flagManagedWeakref) !== 0;
    const isGc = (flags & flagGc) !== 0;
    const hasPointers = minor === 11 ? hasManagedDict : hasManagedDict || hasManagedWeakref;
    const isExact = base === address;
    const hasNoReferences = kind >= kinds.integer && kind <= kinds.bytes;
    return {
      address,
      index: this.types.length,
      name: isHeap ? this.qualifiedName(address, rawName) : rawName,
      rawName,
      kind,
      basicBytes,
      itemBytes,
      flags,
      isHeap,
      isExact,
      baseBasicBytes,
      preBytes: (isGc ? layout.gc.headSize : 0) + (hasPointers ? 16 : 0),
      hasManagedDict,
      dictOffset: memory.signedWord(address + type.dictOffset),
      weaklistOffset: memory.signedWord(address + type.weaklistOffset),
      cachedKeys: isHeap ? memory.word(address + layout.heapType.cachedKeys!) : 0,
      isAtomic: (hasNoReferences && !isHeap && isExact) || rawName === 'bool',
      isSingleton: /^(NoneType|bool|ellipsis|NotImplementedType)$/.test(rawName) && !isHeap,
    };
  }

  /** The kind of a type, the type in its base chain that gives it (`base`), and `tp_basicsize` of that one. */
  private kindOf(
    address: number,
    rawName: string,
  ): { readonly kind: number; readonly base: number; readonly baseBasicBytes: number } {
    const { memory, layout } = this.python;
    const { type } = layout;
    let base = address;
    for (let i = 0; i < 40 && isPlausible(base); i++) {
      const name = i === 0 ? rawName : memory.cString(memory.word(base + type.name), 100);
      const kind = kindOfName.get(name);
      // A user's own class may be called `list`: only static types, and dotted names of C modules' heap types, count.
      const isStatic = (memory.u32(base + type.flags) & flagHeap) === 0;
      if (kind !== undefined && (isStatic || name.includes('.')))
        return { kind, base, baseBasicBytes: memory.signedWord(base + type.basicSize) };
      base = memory.word(base + type.base);
    }
    return { kind: kinds.generic, base, baseBasicBytes: 0 };
  }

  /** `module.Class` of a class made at run time. */
  private qualifiedName(address: number, rawName: string): string {
    const { python } = this;
    const { memory, layout } = python;
    let module = '';
    const dict = memory.word(address + layout.type.dict);
    const value = python.dictValue(dict, '__module__');
    if (value !== 0 && python.typeName(value) === 'str') module = python.string(value, 200);
    const qualname = memory.word(address + layout.heapType.qualname!);
    const name = (isPlausible(qualname) && python.string(qualname, 200)) || rawName;
    return module === '' || module === 'builtins' ? name : `${module}.${name}`;
  }
}
