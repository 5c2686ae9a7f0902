import { isPlausible } from '../process/memory.ts';
import type { Code, Interpreter } from './interpreter.ts';
import { opcodesOf, type Opcodes, type Role } from './opcodes.ts';
import type { Frame } from './stacks.ts';

/** Where the value goes that an instruction makes: to a name, to whoever called, or nobody knows. */
export type Destination =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'return' }
  | { readonly kind: 'unknown' };

/** Instructions that are looked at: an assignment follows soon. */
const mostInstructions = 400;
const maxBytes = 1 << 20;
const unknown: Destination = { kind: 'unknown' };

interface Instruction {
  readonly role: Role | undefined;
  readonly argument: number;
}

/** Where the value goes that the instruction under way in a call makes, by the code that follows. */
export function destinationOf(python: Interpreter, frame: Frame): Destination {
  const opcodes = opcodesOf(python.minor);
  const at = opcodes === null ? null : placeIn(python, frame);
  if (opcodes === null || at === null) return unknown;
  const following = instructionsFrom(opcodes, at.bytes, at.index);
  return destination(python, frame.code, following);
}

/** Whether the call is in a function that it has called: C code may be at work for it. */
export function isCalling(python: Interpreter, frame: Frame): boolean {
  const opcodes = opcodesOf(python.minor);
  const at = opcodes === null ? null : placeIn(python, frame);
  return opcodes !== null && at !== null && opcodes.roles[at.bytes[at.index * 2]!] === 'call';
}

function destination(
  python: Interpreter,
  code: Code,
  [current, ...following]: readonly Instruction[],
): Destination {
  /** Assignments that do not count: the targets of a loop, what a comprehension had put aside. */
  let passed = current?.role === 'iterate' ? 1 : 0;
  for (const [index, { role, argument }] of following.entries()) {
    if (role === 'swap') passed = argument - 1;
    else if (role === 'return') return { kind: 'return' };
    else if (role === 'end') {
      if (following[index - 1]?.role !== 'endFor') return unknown;
    } else if (role === 'iterate') {
      if (passed === 0) return unknown;
      passed = argument;
    } else if (role?.startsWith('store') === true) {
      if (passed > 0) passed -= role === 'storeFastTwice' ? 2 : 1;
      else return named(python, code, following, index);
    }
  }
  return unknown;
}

function named(
  python: Interpreter,
  code: Code,
  following: readonly Instruction[],
  index: number,
): Destination {
  const { role, argument } = following[index]!;
  if (role !== 'storeAttribute') return nameOf(nameIn(python, code, role, argument));
  const owner = following[index - 1];
  const before = owner === undefined ? '' : nameIn(python, code, owner.role, owner.argument);
  const name = globalName(python, code, argument);
  return nameOf(before === '' || name === '' ? '' : `${before}.${name}`);
}

const nameOf = (name: string): Destination => (name === '' ? unknown : { kind: 'name', name });

/** The name that an instruction loads or stores; '': none. */
function nameIn(python: Interpreter, code: Code, role: Role | undefined, argument: number): string {
  const isSince311 = python.minor >= 11;
  switch (role) {
    case 'storeFast':
    case 'loadFast':
      return code.names[argument] ?? '';
    case 'storeFastTwice':
    case 'storeFastAndLoad':
      return code.names[argument >> 4] ?? '';
    case 'storeDeref':
    case 'loadDeref': {
      // Before 3.11 cells are counted for themselves.
      const locals = isSince311 ? 0 : code.kinds.filter((kind) => kind === 0x20).length;
      return code.names[locals + argument] ?? '';
    }
    case 'storeName':
    case 'storeGlobal':
    case 'loadName':
      return globalName(python, code, argument);
    case 'loadGlobal':
      return globalName(python, code, isSince311 ? argument >> 1 : argument);
    default:
      return '';
  }
}

/** A name of `co_names`. */
function globalName(python: Interpreter, code: Code, index: number): string {
  const { memory, minor } = python;
  const names = memory.word(code.address + (minor >= 11 ? 32 : minor >= 8 ? 64 : 56));
  if (!isPlausible(names) || !(index < memory.word(names + 16))) return '';
  return python.string(memory.word(python.tupleItems(names) + 8 * index), 128);
}

/** The code of a call from its instruction under way on; `index` in code units. null: it has not begun. */
function placeIn(
  python: Interpreter,
  frame: Frame,
): { readonly bytes: Uint8Array; readonly index: number } | null {
  const { memory, layout, minor } = python;
  const { code, address } = frame;
  if (layout.frame !== undefined) {
    const start = code.address + layout.code.bytecode!;
    const at = memory.word(address + layout.frame.instruction);
    const units = Math.min(Math.abs(memory.signedWord(code.address + 16)), maxBytes / 2);
    const index = (at - start) / 2;
    if (!(index >= 0 && index < units) || !Number.isInteger(index)) return null;
    return { bytes: memory.bytes(start, units * 2), index };
  }
  const object = memory.word(code.address + (minor >= 8 ? 48 : 40));
  const last = memory.i32(address + layout.frameObject.lasti!);
  const index = minor === 10 ? last : last / 2;
  if (!isPlausible(object) || index < 0 || !Number.isInteger(index)) return null;
  const bytes = memory.bytes(object + 32, Math.min(memory.word(object + 16), maxBytes));
  return index * 2 < bytes.length ? { bytes, index } : null;
}

function instructionsFrom(
  { roles, caches }: Opcodes,
  bytes: Uint8Array,
  from: number,
): readonly Instruction[] {
  const found: Instruction[] = [];
  let extended = 0;
  for (let at = from; at * 2 + 1 < bytes.length && found.length < mostInstructions;) {
    const opcode = bytes[at * 2]!;
    const role = roles[opcode];
    const argument = extended * 256 + bytes[at * 2 + 1]!;
    extended = role === 'extend' ? argument : 0;
    if (role !== 'extend') found.push({ role, argument });
    at += 1 + caches[opcode]!;
  }
  return found;
}
