/** Builds small ELF cores byte by byte, so that every damage can be had at will. */

export interface SyntheticSegment {
  readonly address: number;
  /** What is dumped; the rest up to `memoryBytes` is not. */
  readonly content?: Uint8Array;
  readonly memoryBytes?: number;
  /** 4 read, 2 write, 1 execute. */
  readonly flags?: number;
}
export interface SyntheticNote {
  readonly owner: string;
  readonly type: number;
  readonly description: Uint8Array;
}
export interface SyntheticCore {
  readonly bits?: 32 | 64;
  readonly machine?: number;
  readonly segments?: readonly SyntheticSegment[];
  readonly notes?: readonly SyntheticNote[];
  /** PN_XNUM: the count of program headers stands in section 0. */
  readonly extendedNumbering?: boolean;
}

export function syntheticCore({
  bits = 64,
  machine = 62,
  segments = [],
  notes = [],
  extendedNumbering = false,
}: SyntheticCore): Uint8Array {
  const wide = bits === 64;
  const headerBytes = wide ? 64 : 52;
  const entryBytes = wide ? 56 : 32;
  const sectionBytes = wide ? 64 : 40;
  const count = segments.length + 1;
  const noteBytes = concat(notes.map(noteOf));
  let offset = headerBytes + (extendedNumbering ? sectionBytes : 0) + count * entryBytes;
  const noteOffset = offset;
  offset += noteBytes.length;
  const placed = segments.map((segment) => {
    const at = offset;
    offset += segment.content?.length ?? 0;
    return { ...segment, offset: at };
  });
  const bytes = new Uint8Array(offset);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number) => {
    if (!wide) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
  };
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, machine, true);
  const phoff = headerBytes + (extendedNumbering ? sectionBytes : 0);
  word(wide ? 32 : 28, phoff);
  if (extendedNumbering) word(wide ? 40 : 32, headerBytes);
  const tail = wide ? 54 : 42;
  view.setUint16(tail, entryBytes, true);
  view.setUint16(tail + 2, extendedNumbering ? 0xffff : count, true);
  view.setUint16(tail + 4, sectionBytes, true);
  if (extendedNumbering) {
    view.setUint16(tail + 6, 1, true);
    view.setUint32(headerBytes + (wide ? 44 : 28), count, true);
  }
  const header = (
    index: number,
    fields: {
      type: number;
      flags: number;
      offset: number;
      address: number;
      fileBytes: number;
      memoryBytes: number;
    },
  ) => {
    const at = phoff + index * entryBytes;
    view.setUint32(at, fields.type, true);
    view.setUint32(at + (wide ? 4 : 24), fields.flags, true);
    word(at + (wide ? 8 : 4), fields.offset);
    word(at + (wide ? 16 : 8), fields.address);
    word(at + (wide ? 32 : 16), fields.fileBytes);
    word(at + (wide ? 40 : 20), fields.memoryBytes);
  };
  header(0, {
    type: 4,
    flags: 0,
    offset: noteOffset,
    address: 0,
    fileBytes: noteBytes.length,
    memoryBytes: 0,
  });
  bytes.set(noteBytes, noteOffset);
  placed.forEach(
    (
      { address, content = new Uint8Array(), memoryBytes = content.length, flags = 6, offset: at },
      index,
    ) => {
      header(index + 1, {
        type: 1,
        flags,
        offset: at,
        address,
        fileBytes: content.length,
        memoryBytes,
      });
      bytes.set(content, at);
    },
  );
  return bytes;
}

function noteOf({ owner, type, description }: SyntheticNote): Uint8Array {
  const pad = (length: number) => Math.ceil(length / 4) * 4;
  const bytes = new Uint8Array(12 + pad(owner.length + 1) + pad(description.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, owner.length + 1, true);
  view.setUint32(4, description.length, true);
  view.setUint32(8, type, true);
  bytes.set(new TextEncoder().encode(owner), 12);
  bytes.set(description, 12 + pad(owner.length + 1));
  return bytes;
}

export interface SyntheticThread {
  readonly id: number;
  readonly signal: number;
  /** By index of NT_PRSTATUS: 16 is rip, 19 rsp, 21 fs_base. */
  readonly registers?: Readonly<Record<number, bigint>>;
}

export function prstatus({ id, signal, registers = {} }: SyntheticThread): SyntheticNote {
  const description = new Uint8Array(336);
  const view = new DataView(description.buffer);
  view.setInt32(0, signal, true);
  view.setInt16(12, signal, true);
  view.setInt32(32, id, true);
  for (const [index, value] of Object.entries(registers))
    view.setBigUint64(112 + Number(index) * 8, value, true);
  return { owner: 'CORE', type: 1, description };
}

export function prpsinfo(pid: number, name: string, command: string): SyntheticNote {
  const description = new Uint8Array(136);
  const view = new DataView(description.buffer);
  view.setUint32(16, 1000, true);
  view.setInt32(24, pid, true);
  description.set(new TextEncoder().encode(name.slice(0, 15)), 40);
  description.set(new TextEncoder().encode(command.slice(0, 79)), 56);
  return { owner: 'CORE', type: 3, description };
}

export function siginfo(signal: number, code: number, address: bigint): SyntheticNote {
  const description = new Uint8Array(128);
  const view = new DataView(description.buffer);
  view.setInt32(0, signal, true);
  view.setInt32(8, code, true);
  view.setBigUint64(16, address, true);
  return { owner: 'CORE', type: 0x53494749, description };
}

export function mappedFiles(
  files: readonly { start: number; end: number; page: number; path: string }[],
): SyntheticNote {
  const names = new TextEncoder().encode(files.map(({ path }) => `${path}\0`).join(''));
  const description = new Uint8Array(16 + files.length * 24 + names.length);
  const view = new DataView(description.buffer);
  view.setBigUint64(0, BigInt(files.length), true);
  view.setBigUint64(8, 4096n, true);
  files.forEach(({ start, end, page }, index) => {
    view.setBigUint64(16 + index * 24, BigInt(start), true);
    view.setBigUint64(24 + index * 24, BigInt(end), true);
    view.setBigUint64(32 + index * 24, BigInt(page), true);
  });
  description.set(names, 16 + files.length * 24);
  return { owner: 'CORE', type: 0x46494c45, description };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A crash on a NULL pointer with everything that belongs to it, as small as can be: about 20 KiB. */
export function nullCrash(): Uint8Array {
  const code = new Uint8Array(4096);
  // movb $0x4f,(%rax)
  code.set([0xc6, 0x00, 0x4f], 0x19f);
  return syntheticCore({
    notes: [
      prstatus({ id: 4711, signal: 11, registers: { 16: 0x40019fn, 19: 0x7ffc00000800n, 10: 0n } }),
      prpsinfo(4711, 'naive', './naive 1000000000000'),
      siginfo(11, 1, 0n),
      mappedFiles([{ start: 0x400000, end: 0x401000, page: 0, path: '/srv/naive' }]),
    ],
    segments: [
      { address: 0x400000, content: code, flags: 5 },
      { address: 0x600000, content: new Uint8Array(4096).fill(7), flags: 6 },
      { address: 0x700000, memoryBytes: 1 << 20, flags: 6 },
      { address: 0x7ffc00000000, content: new Uint8Array(8192), flags: 6 },
    ],
  });
}
