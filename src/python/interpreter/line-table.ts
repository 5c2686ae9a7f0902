/**
 * The form of a code object's line table. Three generations:
 * - up to 3.9 `co_lnotab`: pairs (bytes of code, signed lines); `offset` in bytes
 * - 3.10 `co_linetable`: pairs (bytes of code, signed lines or -128 for none) (PEP 626); `offset` in bytes
 * - 3.11 and later: location table of variable-length entries; `offset` in code units of 2 bytes
 */
export type LineTableKind = 'lnotab' | 'pep626' | 'locations';

/** Line of the instruction at an offset; the last line before it where the instruction has none of its own. */
export function lineOf(
  kind: LineTableKind,
  table: Uint8Array,
  firstLine: number,
  offset: number,
): number {
  if (kind === 'lnotab') return lineInLnotab(table, firstLine, offset);
  return kind === 'pep626'
    ? lineInPep626(table, firstLine, offset)
    : lineInLocations(table, firstLine, offset);
}

const signed = (byte: number): number => (byte << 24) >> 24;

function lineInLnotab(table: Uint8Array, firstLine: number, offset: number): number {
  let line = firstLine;
  let start = 0;
  for (let i = 0; i + 1 < table.length; i += 2) {
    start += table[i]!;
    if (start > offset) break;
    line += signed(table[i + 1]!);
  }
  return line;
}

function lineInPep626(table: Uint8Array, firstLine: number, offset: number): number {
  let line = firstLine;
  let end = 0;
  for (let i = 0; i + 1 < table.length; i += 2) {
    const delta = signed(table[i + 1]!);
    if (delta !== -128) line += delta;
    end += table[i]!;
    if (offset < end) break;
  }
  return line;
}

function lineInLocations(table: Uint8Array, firstLine: number, offset: number): number {
  let at = 0;
  const varint = () => {
    let byte = table[at++] ?? 0;
    let value = byte & 63;
    for (let shift = 6; (byte & 64) !== 0 && shift < 30; shift += 6) {
      byte = table[at++] ?? 0;
      value |= (byte & 63) << shift;
    }
    return value;
  };
  const signedVarint = () => {
    const value = varint();
    return (value & 1) === 0 ? value >>> 1 : -(value >>> 1);
  };
  let line = firstLine;
  let end = 0;
  while (at < table.length) {
    const head = table[at++]!;
    const code = (head >> 3) & 15;
    if (code === 14) {
      line += signedVarint();
      varint();
      varint();
      varint();
    } else if (code === 13) line += signedVarint();
    else if (code >= 10 && code <= 12) {
      line += code - 10;
      at += 2;
    } else if (code < 10) at += 1;
    end += (head & 7) + 1;
    if (offset < end) break;
  }
  return line;
}
