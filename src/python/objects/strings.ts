import type { Bytes } from '../../model/units.ts';
import type { Visitor } from './visitor.ts';
import type { TypeInfo } from './types.ts';

/** Bytes of an int of 30-bit digits; since 3.12 their number stands above 3 flag bits of `lv_tag`. */
export function integerSize({ memory, python }: Visitor, object: number, type: TypeInfo): Bytes {
  const extra = type.isAtomic ? 0 : type.preBytes + type.basicBytes - type.baseBasicBytes;
  if (python.minor >= 12)
    return 24 + 4 * Math.max(1, Math.floor(memory.word(object + 16) / 8)) + extra;
  const digits = Math.abs(memory.signedWord(object + 16));
  return 24 + 4 * (python.minor >= 11 ? Math.max(1, digits) : digits) + extra;
}

/** Bytes of a str in all its forms: compact ASCII, compact, old-style with data elsewhere; cached UTF-8, and wchar_t up to 3.11. */
export function stringSize({ memory, python }: Visitor, object: number, type: TypeInfo): Bytes {
  const layout = python.layout.string!;
  const length = memory.word(object + layout.length);
  const state = memory.u32(object + layout.state);
  const width = (state >> 2) & 7;
  const isCompact = (state & 32) !== 0;
  const isAscii = (state & 64) !== 0;
  let bytes: number;
  let data: number;
  if (isCompact && isAscii) {
    data = object + layout.asciiSize;
    bytes = layout.asciiSize + length + 1;
  } else if (isCompact) {
    data = object + layout.compactSize;
    bytes = layout.compactSize + (length + 1) * width;
  } else {
    data = memory.word(object + layout.data);
    bytes = layout.size + (data === 0 ? 0 : (length + 1) * width);
  }
  if (!(isCompact && isAscii)) {
    const utf8 = memory.word(object + layout.utf8);
    if (utf8 !== 0 && utf8 !== data) bytes += memory.word(object + layout.utf8Length) + 1;
  }
  if (layout.wstr !== undefined) {
    const wide = memory.word(object + layout.wstr);
    if (wide !== 0 && wide !== data)
      bytes += ((isCompact && isAscii ? length : memory.word(object + layout.wstrLength!)) + 1) * 4;
  }
  const extra =
    type.isAtomic || type.isExact ? 0 : type.preBytes + type.basicBytes - type.baseBasicBytes;
  return bytes + extra;
}
