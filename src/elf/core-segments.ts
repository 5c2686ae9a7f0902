/** The program headers of a core: which memory it holds, where in the file, and where its notes lie. */
import { programHeadersOf, PT_LOAD, PT_NOTE, type ElfHeader } from './elf.ts';
import type { ReadAt } from './read-at.ts';

const maxNoteSegments = 16;

/** In columns: a core may have a million mappings. */
interface Columns {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly offsets: Float64Array;
  readonly fileBytes: Float64Array;
  readonly flags: Uint8Array;
}
/** Sorted by address, without overlaps. */
export interface Segments extends Columns {
  readonly count: number;
  readonly notes: readonly { readonly offset: number; readonly bytes: number }[];
  readonly mapCount: number;
  readonly totalVmBytes: number;
  readonly dumpedBytes: number;
  readonly expectedBytes: number;
}

export function readSegments(readAt: ReadAt, header: ElfHeader): Segments {
  const columns = emptyColumns(header.programHeaders.count);
  const notes: { offset: number; bytes: number }[] = [];
  let count = 0;
  let totalVmBytes = 0;
  let dumpedBytes = 0;
  let expectedBytes = 0;
  let sorted = true;
  for (const segment of programHeadersOf(readAt, header)) {
    const { type, offset, address, memoryBytes } = segment;
    if (type === PT_NOTE && notes.length < maxNoteSegments)
      notes.push({ offset, bytes: segment.fileBytes });
    const end = address + memoryBytes;
    // The vsyscall page (0xffffffffff600000) is the kernel's: it counts for no limit.
    const userSpace = Number.isSafeInteger(end);
    const fileEnd = offset + segment.fileBytes;
    if (Number.isSafeInteger(fileEnd) && (type !== PT_LOAD || userSpace))
      expectedBytes = Math.max(expectedBytes, fileEnd);
    if (type !== PT_LOAD || !userSpace || memoryBytes === 0) continue;
    if (count > 0 && address < columns.ends[count - 1]!) sorted = false;
    const fileBytes = Math.min(segment.fileBytes, memoryBytes);
    columns.starts[count] = address;
    columns.ends[count] = end;
    columns.offsets[count] = offset;
    columns.fileBytes[count] = fileBytes;
    columns.flags[count] = segment.flags & 7;
    count += 1;
    totalVmBytes += memoryBytes;
    dumpedBytes += fileBytes;
  }
  const kept = sorted ? { ...columns, count } : sortedWithoutOverlaps(columns, count);
  return { ...kept, notes, mapCount: count, totalVmBytes, dumpedBytes, expectedBytes };
}

const emptyColumns = (capacity: number): Columns => ({
  starts: new Float64Array(capacity),
  ends: new Float64Array(capacity),
  offsets: new Float64Array(capacity),
  fileBytes: new Float64Array(capacity),
  flags: new Uint8Array(capacity),
});

/** Of segments that overlap, the one that begins first stays. */
function sortedWithoutOverlaps(
  { starts, ends, offsets, fileBytes, flags }: Columns,
  count: number,
): Columns & { readonly count: number } {
  const order = Array.from({ length: count }, (_, index) => index).sort(
    (a, b) => starts[a]! - starts[b]!,
  );
  let previousEnd = 0;
  const kept = order.filter((index) => {
    const fits = starts[index]! >= previousEnd;
    if (fits) previousEnd = ends[index]!;
    return fits;
  });
  return {
    count: kept.length,
    starts: Float64Array.from(kept, (index) => starts[index]!),
    ends: Float64Array.from(kept, (index) => ends[index]!),
    offsets: Float64Array.from(kept, (index) => offsets[index]!),
    fileBytes: Float64Array.from(kept, (index) => fileBytes[index]!),
    flags: Uint8Array.from(kept, (index) => flags[index]!),
  };
}
