/**
 * The native stack of a thread, by the call frame information that every x86-64 object carries (.eh_frame, found through
 * PT_GNU_EH_FRAME in memory). Formats: LSB "Exception Frames", DWARF 5 section 6.4. DWARF expressions (PLT stubs,
 * signal trampolines) are not evaluated: the stack ends there.
 */
import { wordsOf, type MemoryReader, type Words } from './memory-reader.ts';
import type { LoadedObject } from './dynamic.ts';

export interface NativeFrame {
  /** Where it runs: for callers the address behind the call. */
  readonly address: number;
  readonly stackPointer: number;
}

/** DWARF numbers of the x86-64 registers that survive calls, and the return address. */
const RBX = 3;
const RBP = 6;
const RSP = 7;
const RA = 16;
const tracked = 17;

export interface StartRegisters {
  readonly rip: number;
  readonly rsp: number;
  readonly rbp: number;
  readonly rbx: number;
  readonly r12: number;
  readonly r13: number;
  readonly r14: number;
  readonly r15: number;
}

/** Innermost first, at most `most` frames; ends where the information does. */
export function unwind(
  memory: Pick<MemoryReader, 'readMemory'>,
  objectAt: (address: number) => LoadedObject | null,
  start: StartRegisters,
  most = 64,
): readonly NativeFrame[] {
  const words = wordsOf(memory);
  const registers = new Float64Array(tracked).fill(Number.NaN);
  registers[RBX] = start.rbx;
  registers[RBP] = start.rbp;
  registers[RSP] = start.rsp;
  registers.set([start.r12, start.r13, start.r14, start.r15], 12);
  let address = start.rip;
  const frames: NativeFrame[] = [];
  while (frames.length < most) {
    const stackPointer: number = registers[RSP]!;
    frames.push({ address, stackPointer });
    const object = objectAt(address);
    if (object === null) {
      // A call of a wild pointer: its return address is all that was pushed.
      if (frames.length > 1) break;
      const caller = words.u64(stackPointer);
      if (caller === null || objectAt(caller) === null) break;
      registers[RSP] = stackPointer + 8;
      address = caller;
      continue;
    }
    // The address behind a call may belong to the next function: look at the call itself.
    const row = frameRow(words, object, frames.length === 1 ? address : address - 1);
    if (row === null) break;
    const base = registers[row.cfaRegister]!;
    const cfa = base + row.cfaOffset;
    if (!Number.isSafeInteger(cfa) || cfa <= stackPointer) break;
    let next: number | null = null;
    const restored: [number, number][] = [];
    for (const [register, offset] of row.saved) {
      const value = words.u64(cfa + offset);
      if (register === RA) next = value;
      else restored.push([register, value ?? Number.NaN]);
    }
    for (const [register, value] of restored) if (register < RA) registers[register] = value;
    registers[RSP] = cfa;
    if (next === null || next === 0 || !Number.isSafeInteger(next)) break;
    address = next;
  }
  return frames;
}

/** How the caller's registers are found from those at `address`. */
interface Row {
  cfaRegister: number;
  cfaOffset: number;
  /** Register to its offset from the CFA. */
  readonly saved: Map<number, number>;
}

const maxEntryBytes = 1 << 16;

function frameRow(words: Words, object: LoadedObject, address: number): Row | null {
  const entry = findEntry(words, object, address);
  return entry === null ? null : runTo(entry, address);
}

interface Entry {
  readonly begin: number;
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly common: Uint8Array;
  readonly instructions: Uint8Array;
}

/** Binary search in .eh_frame_hdr: pairs of 32-bit offsets from its own address (encodings as every linker writes them). */
function findEntry(words: Words, object: LoadedObject, address: number): Entry | null {
  const header = object.ehFrameHeader;
  if (header === null) return null;
  const head = words.bytes(header, 12);
  if (head === null || head[0] !== 1 || head[2] !== 0x03 || head[3] !== 0x3b) return null;
  const count = new DataView(head.buffer).getUint32(8, true);
  let low = 0;
  let high = count - 1;
  let found: number | null = null;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const begin = signed32(words, header + 12 + middle * 8);
    if (begin === null) return null;
    if (header + begin <= address) {
      found = middle;
      low = middle + 1;
    } else high = middle - 1;
  }
  if (found === null) return null;
  const offset = signed32(words, header + 12 + found * 8 + 4);
  return offset === null ? null : readEntry(words, header + offset, address);
}

function readEntry(words: Words, at: number, address: number): Entry | null {
  const length = words.u32(at);
  const pointer = words.u32(at + 4);
  if (length === null || pointer === null || pointer === 0 || length < 12 || length > maxEntryBytes)
    return null;
  const common = readCommon(words, at + 4 - pointer);
  const body = words.bytes(at + 8, length - 4);
  if (common === null || body === null) return null;
  const reader = cursor(body);
  const begin = encoded(reader, common.encoding, at + 8);
  // The range is a plain number of the same size.
  const range = encoded(reader, common.encoding & 0x0f, 0);
  if (begin === null || range === null || address < begin || address >= begin + range) return null;
  if (common.augmented) reader.skip(reader.uleb());
  return {
    begin,
    codeAlign: common.codeAlign,
    dataAlign: common.dataAlign,
    common: common.instructions,
    instructions: reader.rest(),
  };
}

function readCommon(
  words: Words,
  at: number,
): {
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly encoding: number;
  readonly augmented: boolean;
  readonly instructions: Uint8Array;
} | null {
  const length = words.u32(at);
  if (length === null || length < 8 || length > maxEntryBytes || words.u32(at + 4) !== 0)
    return null;
  const body = words.bytes(at + 8, length - 4);
  if (body === null) return null;
  const reader = cursor(body);
  const version = reader.u8();
  if (version !== 1 && version !== 3) return null;
  let augmentation = '';
  for (let byte = reader.u8(); byte !== 0 && augmentation.length < 16; byte = reader.u8())
    augmentation += String.fromCharCode(byte);
  const codeAlign = reader.uleb();
  const dataAlign = reader.sleb();
  const returnRegister = version === 1 ? reader.u8() : reader.uleb();
  if (returnRegister !== RA) return null;
  let encoding = 0;
  if (augmentation.startsWith('z')) {
    const size = reader.uleb();
    const inside = cursor(reader.take(size));
    for (const letter of augmentation.slice(1))
      if (letter === 'R') encoding = inside.u8();
      else if (letter === 'L') inside.u8();
      else if (letter === 'P') encoded(inside, inside.u8() & 0x0f, 0);
      else if (letter !== 'S') break;
  } else if (augmentation !== '') return null;
  return {
    codeAlign,
    dataAlign,
    encoding,
    augmented: augmentation.startsWith('z'),
    instructions: reader.rest(),
  };
}

function runTo(
  { begin, codeAlign, dataAlign, common, instructions }: Entry,
  address: number,
): Row | null {
  const row: Row = { cfaRegister: RSP, cfaOffset: 8, saved: new Map() };
  if (!run(common, row, null, begin, address, codeAlign, dataAlign)) return null;
  const initial = new Map(row.saved);
  return run(instructions, row, initial, begin, address, codeAlign, dataAlign) ? row : null;
}

/** Runs DW_CFA_* instructions up to `address`; false where one of them is not understood. */
function run(
  code: Uint8Array,
  row: Row,
  initial: ReadonlyMap<number, number> | null,
  begin: number,
  address: number,
  codeAlign: number,
  dataAlign: number,
): boolean {
  const reader = cursor(code);
  const remembered: { cfaRegister: number; cfaOffset: number; saved: Map<number, number> }[] = [];
  let location = begin;
  const restore = (register: number): void => {
    const offset = initial?.get(register);
    if (offset === undefined) row.saved.delete(register);
    else row.saved.set(register, offset);
  };
  while (!reader.atEnd()) {
    const byte = reader.u8();
    const low = byte & 0x3f;
    if (byte >= 0xc0) restore(low);
    else if (byte >= 0x80) row.saved.set(low, reader.uleb() * dataAlign);
    else if (byte >= 0x40) location += low * codeAlign;
    else
      switch (byte) {
        case 0x00:
          break;
        case 0x02:
          location += reader.u8() * codeAlign;
          break;
        case 0x03:
          location += (reader.u8() | (reader.u8() << 8)) * codeAlign;
          break;
        case 0x04:
          location +=
            (reader.u8() | (reader.u8() << 8) | (reader.u8() << 16) | (reader.u8() << 24)) *
            codeAlign;
          break;
        case 0x05:
          row.saved.set(reader.uleb(), reader.uleb() * dataAlign);
          break;
        case 0x06:
          restore(reader.uleb());
          break;
        case 0x07:
        case 0x08:
          row.saved.delete(reader.uleb());
          break;
        case 0x0a:
          if (remembered.length > 64) return false;
          remembered.push({ ...row, saved: new Map(row.saved) });
          break;
        case 0x0b: {
          const state = remembered.pop();
          if (state === undefined) return false;
          row.cfaRegister = state.cfaRegister;
          row.cfaOffset = state.cfaOffset;
          row.saved.clear();
          for (const [register, offset] of state.saved) row.saved.set(register, offset);
          break;
        }
        case 0x0c:
          row.cfaRegister = reader.uleb();
          row.cfaOffset = reader.uleb();
          break;
        case 0x0d:
          row.cfaRegister = reader.uleb();
          break;
        case 0x0e:
          row.cfaOffset = reader.uleb();
          break;
        case 0x11:
          row.saved.set(reader.uleb(), reader.sleb() * dataAlign);
          break;
        case 0x12:
          row.cfaRegister = reader.uleb();
          row.cfaOffset = reader.sleb() * dataAlign;
          break;
        case 0x13:
          row.cfaOffset = reader.sleb() * dataAlign;
          break;
        // A saved register by expression: only the CFA itself must be known.
        case 0x10: {
          row.saved.delete(reader.uleb());
          reader.skip(reader.uleb());
          break;
        }
        case 0x2e:
          reader.uleb();
          break;
        default:
          return false;
      }
    if (location > address) return true;
    if (row.cfaRegister >= RA) return false;
  }
  return !reader.overran();
}

/** DW_EH_PE_*: absolute or relative to where it stands. Indirect and exotic ones give null. */
function encoded(reader: Cursor, encoding: number, bodyAddress: number): number | null {
  const at = bodyAddress + reader.position();
  const format = encoding & 0x0f;
  const value =
    format === 0x0b
      ? reader.i32()
      : format === 0x03
        ? reader.u32()
        : format === 0x00 || format === 0x04 || format === 0x0c
          ? reader.u64()
          : null;
  if (value === null) return null;
  const relation = encoding & 0x70;
  return relation === 0x10 ? value + at : relation === 0 ? value : null;
}

type Cursor = ReturnType<typeof cursor>;

/** Reads on past the end as zeros, and remembers that it did. */
function cursor(bytes: Uint8Array) {
  let at = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u8 = (): number => bytes[at++] ?? 0;
  const fixed = (size: number, read: () => number): number => {
    const value = at + size <= bytes.length ? read() : 0;
    at += size;
    return value;
  };
  const leb = (signed: boolean): number => {
    let value = 0;
    for (let shift = 0; shift < 56; shift += 7) {
      const byte = u8();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0)
        return signed && (byte & 0x40) !== 0 ? value - 2 ** (shift + 7) : value;
    }
    return value;
  };
  return {
    u8,
    u32: () => fixed(4, () => view.getUint32(at, true)),
    i32: () => fixed(4, () => view.getInt32(at, true)),
    u64: () => fixed(8, () => view.getUint32(at + 4, true) * 4294967296 + view.getUint32(at, true)),
    uleb: () => leb(false),
    sleb: () => leb(true),
    skip: (count: number) => {
      at += count;
    },
    take: (count: number) => {
      const part = bytes.subarray(at, at + count);
      at += count;
      return part;
    },
    rest: () => bytes.subarray(at),
    position: () => at,
    atEnd: () => at >= bytes.length,
    overran: () => at > bytes.length,
  };
}

function signed32(words: Words, address: number): number | null {
  const value = words.u32(address);
  return value === null ? null : value | 0;
}
