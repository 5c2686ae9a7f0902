/** One note of a PT_NOTE segment: owner, type and the bytes of its description. */
export interface Note {
  readonly owner: string;
  readonly type: number;
  readonly description: Uint8Array;
}

/** Notes in `bytes`, up to the first that does not fit. Names and descriptions are padded to 4 bytes, in 64-bit files too. */
export function* notesIn(bytes: Uint8Array, littleEndian: boolean): Generator<Note> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 12 <= bytes.length) {
    const nameBytes = view.getUint32(at, littleEndian);
    const descriptionBytes = view.getUint32(at + 4, littleEndian);
    const type = view.getUint32(at + 8, littleEndian);
    const description = at + 12 + padded(nameBytes);
    if (nameBytes > 256 || description + descriptionBytes > bytes.length) return;
    yield {
      owner: ownerOf(bytes.subarray(at + 12, at + 12 + nameBytes)),
      type,
      description: bytes.subarray(description, description + descriptionBytes),
    };
    at = description + padded(descriptionBytes);
  }
}

export const padded = (length: number): number => Math.ceil(length / 4) * 4;

export const ownerOf = (bytes: Uint8Array): string =>
  String.fromCharCode(...(bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes));
