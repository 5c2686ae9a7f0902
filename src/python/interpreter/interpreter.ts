import { entriesBefore311, entriesSince311, type KeysEntries } from './dict-keys.ts';
import type { Runtime } from './find-runtime.ts';
import type { Layout } from '../layouts/layout.ts';
import { lineOf, type LineTableKind } from './line-table.ts';
import { addressLimit, isPlausible, type Memory } from '../process/memory.ts';

/** A code object. */
export interface Code {
  readonly address: number;
  readonly file: string;
  /** `co_qualname` from 3.11 on, before it `co_name`. */
  readonly name: string;
  readonly flags: number;
  readonly stackSize: number;
  /** Names of the slots of a frame: locals, cells, free variables. */
  readonly names: readonly string[];
  /** CO_FAST_*: 0x20 local, 0x40 cell, 0x80 free. */
  readonly kinds: Uint8Array;
  readonly firstLine: number;
  readonly lineTable: Uint8Array;
}

const maxNames = 4096;
const maxLineTableBytes = 1 << 22;

/** Reads strings, dictionaries and code objects of one CPython. */
export class Interpreter {
  readonly memory: Memory;
  readonly runtime: Runtime;
  readonly layout: Layout;
  /** 6 to 15; 0 for Python 2.7. */
  readonly minor: number;
  readonly isPython2: boolean;
  private readonly codes = new Map<number, Code | null>();
  private codeType = 0;

  constructor(memory: Memory, runtime: Runtime) {
    this.memory = memory;
    this.runtime = runtime;
    this.layout = runtime.layout;
    this.isPython2 = runtime.version.major === 2;
    this.minor = this.isPython2 ? 0 : runtime.version.minor;
  }

  /** Addresses of the interpreters: the main one and sub-interpreters. */
  interpreters(): readonly number[] {
    return this.chain(this.runtime.interpreter, this.layout.interpreter.next, 256);
  }

  /** Addresses of the thread states of an interpreter. */
  threadStates(interpreter: number): readonly number[] {
    const head = this.memory.word(interpreter + this.layout.interpreter.threadsHead);
    return this.chain(head, this.layout.thread.next, 32_768);
  }

  private chain(head: number, next: number, limit: number): readonly number[] {
    const seen = new Set<number>();
    for (let at = head; isPlausible(at) && !seen.has(at) && seen.size < limit;) {
      seen.add(at);
      at = this.memory.word(at + next);
    }
    return [...seen];
  }

  /** `ob_refcnt`: how many references to an object exist. */
  references(object: number): number {
    // Since 3.12 the upper half of the word marks immortal objects.
    return this.minor >= 12 ? this.memory.u32(object) : this.memory.word(object);
  }

  /** Name of an object's type (`tp_name`); '' where it is no object. */
  typeName(object: number): string {
    if (!isPlausible(object)) return '';
    const type = this.memory.word(object + 8);
    return isPlausible(type)
      ? this.memory.cString(this.memory.word(type + this.layout.type.name), 128)
      : '';
  }

  /** Text of a str, at most `maxLength` characters. '' where it is none. */
  string(object: number, maxLength = 512): string {
    if (!isPlausible(object)) return '';
    const { memory } = this;
    const { string } = this.layout;
    if (string === undefined) return this.byteString(object, maxLength);
    const length = memory.word(object + string.length);
    const state = memory.u32(object + string.state);
    const width = (state >> 2) & 7;
    if (length > 2 ** 40 || (width !== 1 && width !== 2 && width !== 4)) return '';
    const isCompact = (state & 32) !== 0;
    const isAscii = (state & 64) !== 0;
    const data = isCompact
      ? object + (isAscii ? string.asciiSize : string.compactSize)
      : memory.word(object + string.data);
    const count = Math.min(length, maxLength);
    const bytes = memory.bytes(data, count * width);
    let text = '';
    for (let i = 0; i < count; i++) {
      const at = i * width;
      const code =
        width === 1
          ? bytes[at]!
          : width === 2
            ? bytes[at]! | (bytes[at + 1]! << 8)
            : (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) >>> 0;
      text += String.fromCodePoint(Math.min(code, 0x10_ffff));
    }
    return text;
  }

  /** Python 2's str: size at 16, bytes from 36 on. */
  private byteString(object: number, maxLength: number): string {
    const size = this.memory.word(object + 16);
    if (size > 2 ** 40) return '';
    const bytes = this.memory.bytes(object + 36, Math.min(size, maxLength));
    return Buffer.from(bytes).toString('utf8');
  }

  /**
   * The object that a word of a frame refers to; 0: none. Since 3.14 the low bits say what a word is (pycore_stackref.h): 1 a reference
   * that is not counted, 2 and 3 no object.
   */
  reference(word: number): number {
    if (this.minor < 14) return word;
    const tag = word % 4;
    return tag === 0 ? word : tag === 1 ? word - 1 : 0;
  }

  /** Address of a tuple's first item. */
  tupleItems(tuple: number): number {
    return tuple + (this.layout.tuple?.items ?? 24);
  }

  private nameTuple(tuple: number): readonly string[] {
    if (!isPlausible(tuple)) return [];
    const count = Math.min(this.memory.word(tuple + 16), maxNames);
    return Array.from({ length: count }, (_, i) =>
      this.string(this.memory.word(this.tupleItems(tuple) + 8 * i)),
    );
  }

  /** Whether a code object lies at an address. The first one is recognised by its type's name, others by their type's address. */
  isCode(object: number): boolean {
    if (!isPlausible(object)) return false;
    const type = this.memory.word(object + 8);
    if (this.codeType !== 0) return type === this.codeType;
    if (this.typeName(object) !== 'code') return false;
    this.codeType = type;
    return true;
  }

  /** The code object at an address. null: none lies there. */
  code(address: number): Code | null {
    let code = this.codes.get(address);
    if (code === undefined) {
      code = this.isCode(address) ? this.readCode(address) : null;
      this.codes.set(address, code);
    }
    return code;
  }

  private readCode(address: number): Code {
    const { memory } = this;
    const { code } = this.layout;
    const word = (offset: number) => memory.word(address + offset);
    let names: readonly string[];
    let kinds: Uint8Array;
    if (code.localsplusNames === undefined) {
      const groups = [code.varnames!, code.cellvars!, code.freevars!].map((offset) =>
        this.nameTuple(word(offset)),
      );
      names = groups.flat();
      kinds = Uint8Array.from(groups.flatMap((group, i) => group.map(() => 0x20 << i)));
    } else {
      names = this.nameTuple(word(code.localsplusNames));
      kinds = memory.bytes(word(code.localsplusKinds!) + 32, names.length);
    }
    return {
      address,
      file: this.string(word(code.filename), 4096),
      name: this.string(word(code.qualname ?? code.name)),
      flags: memory.u32(address + code.flags),
      stackSize: Math.min(memory.u32(address + code.stackSize), 65_536),
      names,
      kinds,
      firstLine: memory.i32(address + code.firstLine),
      lineTable: this.byteData(word(code.lineTable)),
    };
  }

  /** Content of a bytes object (Python 2: str), which starts at 32 (36). */
  private byteData(object: number): Uint8Array {
    if (!isPlausible(object)) return new Uint8Array(0);
    const size = this.memory.word(object + 16);
    return this.memory.bytes(
      object + (this.isPython2 ? 36 : 32),
      Math.min(size, maxLineTableBytes),
    );
  }

  /** Which of the three forms this version's line tables have. */
  get lineTableKind(): LineTableKind {
    return this.minor >= 11 ? 'locations' : this.minor === 10 ? 'pep626' : 'lnotab';
  }

  /** Line of an instruction; `offset` as in `lineOf`. */
  line(code: Code, offset: number): number {
    return lineOf(this.lineTableKind, code.lineTable, code.firstLine, offset);
  }

  /**
   * Entries of a dict, at most `limit` slots of it: for names (modules, attributes), not for data.
   * `visit` ends it by returning true.
   */
  eachEntry(
    dict: number,
    visit: (key: number, value: number) => boolean | void,
    limit = 1_000_000,
  ): void {
    if (!isPlausible(dict)) return;
    const { memory } = this;
    if (this.isPython2) {
      // ma_fill 16, ma_used 24, ma_mask 32, ma_table 40; entries of hash, key, value.
      const slots = Math.min(memory.word(dict + 32) + 1, limit);
      const table = memory.word(dict + 40);
      for (let i = 0; i < slots; i++) {
        const key = memory.word(table + 24 * i + 8);
        const value = memory.word(table + 24 * i + 16);
        if (key !== 0 && value !== 0 && visit(key, value) === true) return;
      }
      return;
    }
    const keys = memory.word(dict + 32);
    const values = memory.word(dict + 40);
    if (!isPlausible(keys)) return;
    const entries = this.keysEntries(keys);
    const count = Math.min(entries.count, limit);
    // 3.13's split values start with a header of capacity, size and flags.
    const split = values === 0 ? 0 : values + (this.minor >= 13 ? 8 : 0);
    for (let i = 0; i < count; i++) {
      const entry = entries.start + i * entries.width;
      const key = memory.word(entry + entries.keyAt);
      const value =
        split === 0 ? memory.word(entry + entries.keyAt + 8) : memory.word(split + 8 * i);
      if (key !== 0 && value !== 0 && visit(key, value) === true) return;
    }
  }

  /** Changes whenever a dict gains or loses a key: its address, that of its keys, and how many there are and were. */
  dictVersion(dict: number): string {
    if (!isPlausible(dict)) return '';
    const { memory } = this;
    const used = memory.word(dict + (this.isPython2 ? 24 : 16));
    const keys = memory.word(dict + (this.isPython2 ? 40 : 32));
    const entries = this.isPython2 ? memory.word(dict + 16) : this.keysEntries(keys).count;
    return `${dict}:${keys}:${used}:${entries}`;
  }

  /** Where the entries of a PyDictKeysObject lie. */
  keysEntries(keys: number): KeysEntries {
    return this.minor >= 11
      ? entriesSince311(this.memory, keys)
      : entriesBefore311(this.memory, keys);
  }

  /** Value of a small int. null: none, or larger than 2^53. */
  integer(object: number): number | null {
    if (!isPlausible(object)) return null;
    const { memory } = this;
    const tag = memory.signedWord(object + 16);
    const digits = this.minor >= 12 ? Math.floor(tag / 8) : Math.abs(tag);
    const isNegative = this.minor >= 12 ? (tag & 3) === 2 : tag < 0;
    if (digits > 3) return null;
    let value = 0;
    for (let i = digits - 1; i >= 0; i--) value = value * 2 ** 30 + memory.u32(object + 24 + 4 * i);
    return isNegative ? -value : value;
  }

  /** Address of the value under a name in a dict with str keys; 0: there is none. */
  dictValue(dict: number, name: string): number {
    let found = 0;
    this.eachEntry(dict, (key, value) => {
      if (this.string(key, name.length + 1) !== name) return false;
      found = value;
      return true;
    });
    return found;
  }

  /** Address of an attribute in an instance's own dict or inline values; 0: there is none. */
  attribute(object: number, name: string): number {
    const { memory } = this;
    const type = memory.word(object + 8);
    if (!isPlausible(type)) return 0;
    const flags = memory.u32(type + this.layout.type.flags);
    if (this.minor >= 11 && (flags & managedDict) !== 0) {
      const dict = memory.word(object - 24);
      if (dict !== 0 && dict % 2 === 0) {
        const found = this.dictValue(dict, name);
        if (found !== 0) return found;
      }
      const values = this.inlineValues(object, type, flags);
      const keys = memory.word(type + this.layout.heapType.cachedKeys!);
      if (values === 0 || !isPlausible(keys)) return 0;
      const entries = this.keysEntries(keys);
      for (let i = 0; i < Math.min(entries.count, 256); i++)
        if (this.string(memory.word(entries.start + i * entries.width + entries.keyAt)) === name)
          return memory.word(values + 8 * i);
      return 0;
    }
    const offset = memory.signedWord(type + this.layout.type.dictOffset);
    return offset > 0 ? this.dictValue(memory.word(object + offset), name) : 0;
  }

  /** Where the values of an instance without a dictionary start: 3.11 to 3.13, each its own way. 0: it has none. */
  inlineValues(object: number, type: number, flags: number): number {
    const { memory } = this;
    if (this.minor === 11) return memory.word(object - 32);
    if (this.minor === 12) {
      const word = memory.word(object - 24);
      return word % 2 === 1 ? word + 1 : 0;
    }
    if ((flags & inlineValuesFlag) === 0) return 0;
    const values = object + memory.word(type + this.layout.type.basicSize);
    return memory.u8(values + 3) === 0 ? 0 : values + 8;
  }

  /** `sys.modules` of an interpreter. */
  modules(interpreter: number): number {
    const modules = this.memory.word(interpreter + this.layout.interpreter.modules);
    return modules < addressLimit ? modules : 0;
  }

  /** `__dict__` of a module by its name; 0: not imported. */
  moduleDict(interpreter: number, name: string): number {
    const module = this.dictValue(this.modules(interpreter), name);
    return module === 0 ? 0 : this.memory.word(module + 16);
  }
}

/** Py_TPFLAGS_MANAGED_DICT (3.11+) and Py_TPFLAGS_INLINE_VALUES (3.13). */
const managedDict = 1 << 4;
const inlineValuesFlag = 1 << 2;
