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
  while (count < 14 && legacyPrefixes.has(code[count] ?? 0)) count += 1;
  const byte = code[count] ?? 0;
  return byte >= 0x40 && byte <= 0x4f ? count + 1 : count;
}

const legacyPrefixes = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65]);

function firstOperand(code: Uint8Array): MemoryOperand | null {
  let at = 0;
  let segment: 'fs' | 'gs' | null = null;
  let mandatory: number | null = null;
  let rex = 0;
  const next = (): number => code[at++] ?? -1;

  for (; at < 14; at += 1) {
    const byte = code[at];
    if (byte === 0x64) segment = 'fs';
    else if (byte === 0x65) segment = 'gs';
    else if (byte === 0x66 || byte === 0xf2 || byte === 0xf3) mandatory = byte;
    else if (
      byte !== 0x67 &&
      byte !== 0xf0 &&
      byte !== 0x2e &&
      byte !== 0x36 &&
      byte !== 0x3e &&
      byte !== 0x26
    )
      break;
  }
  let opcode = next();
  let map: 1 | 2 | 3 | 4 = 1;
  let disp8Scale = 1;
  if (opcode === 0xc5) {
    const second = next();
    // Two-byte VEX: only R, inverted; B and X are 0.
    rex = (second & 0x80) === 0 ? 4 : 0;
    mandatory = vexPrefix(second & 3);
    map = 2;
    opcode = next();
  } else if (opcode === 0xc4) {
    const second = next();
    const third = next();
    rex = (~second >> 5) & 7;
    mandatory = vexPrefix(third & 3);
    map = ([1, 2, 3, 4] as const)[second & 3] ?? 2;
    opcode = next();
  } else if (opcode === 0x62) {
    const p0 = next();
    const p1 = next();
    const p2 = next();
    rex = (~p0 >> 5) & 7;
    mandatory = vexPrefix(p1 & 3);
    map = ([1, 2, 3, 4] as const)[p0 & 3] ?? 2;
    opcode = next();
    // disp8*N: N is the vector's length (full-vector forms) unless it broadcasts one element.
    disp8Scale = (p2 & 0x10) === 0 ? 16 << ((p2 >> 5) & 3) : (p1 & 0x80) === 0 ? 4 : 8;
  } else {
    if (opcode >= 0x40 && opcode <= 0x4f) {
      rex = opcode & 15;
      opcode = next();
    }
    if (opcode === 0x0f) {
      opcode = next();
      map = opcode === 0x38 ? 3 : opcode === 0x3a ? 4 : 2;
      if (map !== 2) opcode = next();
    }
  }
  if (opcode < 0) return null;
  if (map === 1) {
    const implied = impliedOperand(opcode);
    if (implied !== undefined) return implied === null ? null : { ...implied, segment };
  }
  if (!hasModRm(map, opcode)) return null;

  const modRm = next();
  if (modRm < 0) return null;
  const mod = modRm >> 6;
  const reg = (modRm >> 3) & 7;
  const rm = modRm & 7;
  if (mod === 3) {
    // `call *%rax`, `push` forms and the like touch the stack through rsp.
    return map === 1 && opcode === 0xff && reg === 2 ? { ...stack(-8, 'write'), segment } : null;
  }
  let base: Register | 'rip' | null = null;
  let index: Register | null = null;
  let scale: 1 | 2 | 4 | 8 = 1;
  let wide = mod === 2;
  if (rm === 4) {
    const sib = next();
    if (sib < 0) return null;
    scale = ([1, 2, 4, 8] as const)[sib >> 6] ?? 1;
    const indexNumber = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (indexNumber !== 4) index = registerNames[indexNumber] ?? null;
    if ((sib & 7) === 5 && mod === 0) wide = true;
    else base = registerNames[(sib & 7) | ((rex & 1) << 3)] ?? null;
  } else if (rm === 5 && mod === 0) {
    base = 'rip';
    wide = true;
  } else base = registerNames[rm | ((rex & 1) << 3)] ?? null;
  let displacement = 0;
  if (wide) {
    if (at + 4 > code.length) return null;
    displacement = new DataView(code.buffer, code.byteOffset, code.byteLength).getInt32(at, true);
  } else if (mod === 1) {
    const byte = next();
    if (byte < 0) return null;
    displacement = ((byte << 24) >> 24) * disp8Scale;
  }
  return {
    base,
    index,
    scale,
    displacement,
    segment,
    access: accessOf(map, opcode, reg, mandatory),
  };
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
