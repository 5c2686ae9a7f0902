/**
 * Which memory one x86-64 instruction touches: enough of a decoder to tell a NULL base register from a wild pointer.
 * Source: Intel SDM volume 2, chapter 2 (prefixes, ModRM, SIB, VEX, EVEX) and appendix A (opcode maps).
 */

/** General registers by their encoding. */
export const registerNames = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;
export type Register = (typeof registerNames)[number];

export interface MemoryOperand {
  readonly base: Register | 'rip' | null;
  readonly index: Register | null;
  readonly scale: 1 | 2 | 4 | 8;
  readonly displacement: number;
  readonly segment: 'fs' | 'gs' | null;
  /** `both`: read-modify-write, or an instruction of two memory operands. */
  readonly access: 'read' | 'write' | 'both';
}

/**
 * The memory operands of the instruction that begins `code`: two for string moves and for `call *mem`, none where it
 * touches no memory or is not known.
 */
export function memoryOperands(code: Uint8Array): readonly MemoryOperand[] {
  const first = firstOperand(code);
  if (first === null) return [];
  const opcode = code[prefixBytes(code)];
  const second =
    opcode === 0xa4 || opcode === 0xa5 || opcode === 0xa6 || opcode === 0xa7
      ? { ...at('rsi', 0, 'read'), segment: first.segment }
      : opcode === 0xff && first.base !== 'rsp'
        ? { ...stack(-8, 'write'), segment: null }
        : null;
  return second === null ? [first] : [first, second];
}

/** Legacy prefixes and REX before a one-byte opcode. */
function prefixBytes(code: Uint8Array): number {
  let count = 0;
  while (count < longestPrefixes && legacyPrefixes.has(code[count] ?? 0)) count += 1;
  const byte = code[count] ?? 0;
  return byte >= 0x40 && byte <= 0x4f ? count + 1 : count;
}

const longestPrefixes = 14;
const legacyPrefixes = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65]);
/** Those that choose between instructions of one opcode. */
const mandatoryPrefixes = new Set([0x66, 0xf2, 0xf3]);

/** How far an instruction has been read, and what its prefixes said. */
interface Decoder {
  readonly code: Uint8Array;
  at: number;
  segment: 'fs' | 'gs' | null;
  mandatory: number | null;
  /** W, R, X and B as in a REX prefix; of VEX and EVEX too, which hold them inverted. */
  rex: number;
  map: OpcodeMap;
  /** -1: the code ends before it. */
  opcode: number;
  /** What EVEX multiplies a displacement of one byte with. */
  disp8Scale: number;
}
/** 1: one byte; 2: 0f; 3: 0f 38; 4: 0f 3a. */
type OpcodeMap = 1 | 2 | 3 | 4;

function firstOperand(code: Uint8Array): MemoryOperand | null {
  const decoder: Decoder = {
    code,
    at: 0,
    segment: null,
    mandatory: null,
    rex: 0,
    map: 1,
    opcode: -1,
    disp8Scale: 1,
  };
  readLegacyPrefixes(decoder);
  readOpcode(decoder);
  const { opcode, map, segment } = decoder;
  if (opcode < 0) return null;
  if (map === 1) {
    const implied = impliedOperand(opcode);
    if (implied !== undefined) return implied === null ? null : { ...implied, segment };
  }
  return hasModRm(map, opcode) ? modRmOperand(decoder) : null;
}

/** -1: the code ends here. */
const next = (decoder: Decoder): number => decoder.code[decoder.at++] ?? -1;

function readLegacyPrefixes(decoder: Decoder): void {
  for (; decoder.at < longestPrefixes; decoder.at += 1) {
    const byte = decoder.code[decoder.at] ?? -1;
    if (!legacyPrefixes.has(byte)) return;
    if (byte === 0x64) decoder.segment = 'fs';
    else if (byte === 0x65) decoder.segment = 'gs';
    else if (mandatoryPrefixes.has(byte)) decoder.mandatory = byte;
  }
}

/** The opcode and its map, behind REX, VEX or EVEX. */
function readOpcode(decoder: Decoder): void {
  const first = next(decoder);
  if (first === 0xc5) readShortVex(decoder);
  else if (first === 0xc4) readVex(decoder);
  else if (first === 0x62) readEvex(decoder);
  else readPlainOpcode(decoder, first);
}

function readShortVex(decoder: Decoder): void {
  const second = next(decoder);
  // Two-byte VEX: only R, inverted; B and X are 0.
  decoder.rex = (second & 0x80) === 0 ? 4 : 0;
  decoder.mandatory = vexPrefix(second & 3);
  decoder.map = 2;
  decoder.opcode = next(decoder);
}

function readVex(decoder: Decoder): void {
  const second = next(decoder);
  const third = next(decoder);
  decoder.rex = (~second >> 5) & 7;
  decoder.mandatory = vexPrefix(third & 3);
  decoder.map = vexMap(second);
  decoder.opcode = next(decoder);
}

function readEvex(decoder: Decoder): void {
  const p0 = next(decoder);
  const p1 = next(decoder);
  const p2 = next(decoder);
  decoder.rex = (~p0 >> 5) & 7;
  decoder.mandatory = vexPrefix(p1 & 3);
  decoder.map = vexMap(p0);
  decoder.opcode = next(decoder);
  // disp8*N: N is the vector's length (full-vector forms) unless it broadcasts one element.
  const broadcasts = (p2 & 0x10) !== 0;
  decoder.disp8Scale = broadcasts ? ((p1 & 0x80) === 0 ? 4 : 8) : 16 << ((p2 >> 5) & 3);
}

const vexMap = (byte: number): OpcodeMap => ([1, 2, 3, 4] as const)[byte & 3] ?? 2;

function readPlainOpcode(decoder: Decoder, first: number): void {
  decoder.opcode = first;
  if (first >= 0x40 && first <= 0x4f) {
    decoder.rex = first & 15;
    decoder.opcode = next(decoder);
  }
  if (decoder.opcode !== 0x0f) return;
  decoder.opcode = next(decoder);
  decoder.map = decoder.opcode === 0x38 ? 3 : decoder.opcode === 0x3a ? 4 : 2;
  if (decoder.map !== 2) decoder.opcode = next(decoder);
}

/** What ModRM, SIB and displacement name; null: a register, or the code ends before it. */
function modRmOperand(decoder: Decoder): MemoryOperand | null {
  const { map, opcode, segment, mandatory } = decoder;
  const modRm = next(decoder);
  if (modRm < 0) return null;
  const mod = modRm >> 6;
  const reg = (modRm >> 3) & 7;
  // `call *%rax`, `push` forms and the like touch the stack through rsp.
  if (mod === 3)
    return map === 1 && opcode === 0xff && reg === 2 ? { ...stack(-8, 'write'), segment } : null;
  const address = addressOf(decoder, mod, modRm & 7);
  if (address === null) return null;
  const displacement = displacementOf(decoder, address.wide ? 4 : mod === 1 ? 1 : 0);
  if (displacement === null) return null;
  const { base, index, scale } = address;
  const access = accessOf(map, opcode, reg, mandatory);
  return { base, index, scale, displacement, segment, access };
}

interface Address extends Pick<MemoryOperand, 'base' | 'index' | 'scale'> {
  /** A displacement of four bytes follows. */
  readonly wide: boolean;
}

/** Which registers make the address; null: the code ends before that is said. */
function addressOf(decoder: Decoder, mod: number, rm: number): Address | null {
  const wide = mod === 2;
  if (rm === 4) return scaledAddress(decoder, mod);
  if (rm === 5 && mod === 0) return { base: 'rip', index: null, scale: 1, wide: true };
  return { base: extended(rm, decoder.rex & 1), index: null, scale: 1, wide };
}

/** By a SIB byte. */
function scaledAddress(decoder: Decoder, mod: number): Address | null {
  const sib = next(decoder);
  if (sib < 0) return null;
  const indexBits = (sib >> 3) & 7;
  const extension = (decoder.rex & 2) >> 1;
  const noBase = (sib & 7) === 5 && mod === 0;
  return {
    base: noBase ? null : extended(sib & 7, decoder.rex & 1),
    // rsp cannot be an index: its number says that there is none.
    index: indexBits === 4 && extension === 0 ? null : extended(indexBits, extension),
    scale: ([1, 2, 4, 8] as const)[sib >> 6] ?? 1,
    wide: noBase || mod === 2,
  };
}

/** The register of three bits and the fourth from a prefix. */
const extended = (bits: number, fourth: number): Register | null =>
  registerNames[bits | (fourth << 3)] ?? null;

/** null: the code ends before it. */
function displacementOf(decoder: Decoder, length: 0 | 1 | 4): number | null {
  if (length === 0) return 0;
  const { code, at, disp8Scale } = decoder;
  if (at + length > code.length) return null;
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  return length === 4 ? view.getInt32(at, true) : view.getInt8(at) * disp8Scale;
}

/** `(%rdi)`, `0x20(%rax,%r15,1)`: as GNU tools write it. */
export function formatOperand({
  base,
  index,
  scale,
  displacement,
  segment,
}: MemoryOperand): string {
  const offset =
    displacement === 0
      ? ''
      : `${displacement < 0 ? '-' : ''}0x${Math.abs(displacement).toString(16)}`;
  const registers = [
    base === null ? '' : `%${base}`,
    ...(index === null ? [] : [`%${index}`, String(scale)]),
  ];
  return `${segment === null ? '' : `%${segment}:`}${offset}(${registers.join(',')})`;
}

function vexPrefix(pp: number): number | null {
  return [null, 0x66, 0xf3, 0xf2][pp] ?? null;
}

const at = (
  base: Register,
  displacement: number,
  access: MemoryOperand['access'],
): Omit<MemoryOperand, 'segment'> => ({ base, index: null, scale: 1, displacement, access });
const stack = (displacement: number, access: 'read' | 'write') => at('rsp', displacement, access);

/** One-byte opcodes without ModRM that touch memory; null: this one touches none; undefined: look at its ModRM. */
function impliedOperand(opcode: number): Omit<MemoryOperand, 'segment'> | null | undefined {
  if (opcode >= 0x50 && opcode <= 0x57) return stack(-8, 'write');
  if (opcode >= 0x58 && opcode <= 0x5f) return stack(0, 'read');
  switch (opcode) {
    case 0x68:
    case 0x6a:
    case 0x9c:
    case 0xe8:
      return stack(-8, 'write');
    case 0x9d:
    case 0xc2:
    case 0xc3:
      return stack(0, 'read');
    case 0xc9:
      return at('rbp', 0, 'read');
    case 0xaa:
    case 0xab:
      return at('rdi', 0, 'write');
    case 0xae:
    case 0xaf:
      return at('rdi', 0, 'read');
    case 0xac:
    case 0xad:
      return at('rsi', 0, 'read');
    // movs and cmps have two operands: which one faulted is told by the fault address.
    case 0xa4:
    case 0xa5:
      return at('rdi', 0, 'write');
    case 0xa6:
    case 0xa7:
      return at('rdi', 0, 'read');
    case 0xd7:
      return at('rbx', 0, 'read');
    case 0x90:
      return null;
    default:
      return undefined;
  }
}

function hasModRm(map: number, opcode: number): boolean {
  if (map >= 3) return true;
  if (map === 2)
    return !(
      (opcode >= 0x05 && opcode <= 0x0c) ||
      (opcode >= 0x30 && opcode <= 0x37) ||
      opcode === 0x77 ||
      (opcode >= 0x80 && opcode <= 0x8f) ||
      (opcode >= 0xa0 && opcode <= 0xa2) ||
      (opcode >= 0xa8 && opcode <= 0xaa) ||
      (opcode >= 0xc8 && opcode <= 0xcf)
    );
  if (opcode < 0x40) return (opcode & 7) < 4;
  return (
    opcode === 0x63 ||
    opcode === 0x69 ||
    opcode === 0x6b ||
    // lea (8d) computes an address and touches nothing.
    (opcode >= 0x80 && opcode <= 0x8f && opcode !== 0x8d) ||
    opcode === 0xc0 ||
    opcode === 0xc1 ||
    opcode === 0xc6 ||
    opcode === 0xc7 ||
    (opcode >= 0xd0 && opcode <= 0xd3) ||
    (opcode >= 0xd8 && opcode <= 0xdf) ||
    opcode === 0xf6 ||
    opcode === 0xf7 ||
    opcode === 0xfe ||
    opcode === 0xff
  );
}

function accessOf(
  map: number,
  opcode: number,
  reg: number,
  mandatory: number | null,
): MemoryOperand['access'] {
  if (map === 1) {
    if (opcode < 0x40) return (opcode & 7) >= 2 ? 'read' : opcode >= 0x38 ? 'read' : 'both';
    if (opcode >= 0x80 && opcode <= 0x83) return reg === 7 ? 'read' : 'both';
    if (opcode === 0x86 || opcode === 0x87) return 'both';
    if (opcode === 0x88 || opcode === 0x89 || opcode === 0x8c || opcode === 0x8f) return 'write';
    if (opcode === 0xc6 || opcode === 0xc7) return 'write';
    if (opcode === 0xc0 || opcode === 0xc1 || (opcode >= 0xd0 && opcode <= 0xd3)) return 'both';
    if (opcode === 0xf6 || opcode === 0xf7) return reg === 2 || reg === 3 ? 'both' : 'read';
    if (opcode === 0xfe || opcode === 0xff) return reg <= 1 ? 'both' : 'read';
    if (opcode === 0xd9) return reg === 2 || reg === 3 || reg >= 6 ? 'write' : 'read';
    if (opcode === 0xdb || opcode === 0xdd || opcode === 0xdf)
      return (reg >= 1 && reg <= 3) || reg >= 6 ? 'write' : 'read';
    return 'read';
  }
  if (map === 2) {
    if (
      opcode === 0x11 ||
      opcode === 0x13 ||
      opcode === 0x17 ||
      opcode === 0x29 ||
      opcode === 0x2b ||
      opcode === 0x7f ||
      opcode === 0xd6 ||
      opcode === 0xe7 ||
      opcode === 0xc3
    )
      return 'write';
    if (opcode === 0x7e) return mandatory === 0xf3 ? 'read' : 'write';
    if (opcode >= 0x90 && opcode <= 0x9f) return 'write';
    if (opcode === 0xb0 || opcode === 0xb1 || opcode === 0xc0 || opcode === 0xc1 || opcode === 0xc7)
      return 'both';
    if (opcode === 0xab || opcode === 0xb3 || opcode === 0xbb) return 'both';
    if (opcode === 0xba) return reg === 4 ? 'read' : 'both';
    if (opcode === 0xa4 || opcode === 0xa5 || opcode === 0xac || opcode === 0xad) return 'both';
    if (opcode === 0xae) return reg === 0 || reg === 3 || reg === 4 ? 'write' : 'read';
    return 'read';
  }
  if (map === 4)
    return (opcode >= 0x14 && opcode <= 0x17) || opcode === 0x39 || opcode === 0x19
      ? 'write'
      : 'read';
  return opcode === 0x8e || opcode === 0x2e || opcode === 0x2f || opcode === 0xf1
    ? 'write'
    : 'read';
}
