import type { Memory } from '../process/memory.ts';

/** struct pool_header of Objects/obmalloc.c (64 bits): count, freeblock, nextpool, prevpool, arenaindex, szidx, nextoffset, maxnextoffset. */
const headerBytes = 48;
const sizeIndexOffset = 36;
const nextOffset = 40;
const mostNextOffset = 44;
/** POOL_SIZE is a page up to 3.9 and four from 3.10 on: every pool of the latter, and every fourth of the former, begins at these. */
const alignment = 16_384;
const poolSizes: readonly number[] = [4096, 16_384];
const leastRegion = 1 << 20;
const samples = 128;

/** Whether a pool of pymalloc begins with these bytes: size and the last offset of a pool fit no other data by chance. */
function isPool(header: DataView): boolean {
  const index = header.getUint32(sizeIndexOffset, true);
  const next = header.getUint32(nextOffset, true);
  const most = header.getUint32(mostNextOffset, true);
  if (index > 63) return false;
  return poolSizes.some(
    (pool) =>
      next <= pool && [8, 16].some((step) => most === pool - (index + 1) * step && step > 0),
  );
}

/**
 * How much of the large anonymous memory of a process is Python's own small objects, from places here and there: 0 to 1; null where
 * there is nothing to sample. What is not is the memory of C code, large objects among it.
 */
export function shareOfPools(memory: Memory): number | null {
  const regions = memory.source.regions.filter(
    ({ start, end, writable, path }) =>
      writable && end - start >= leastRegion && (path === '' || path === '[heap]'),
  );
  const all = regions.reduce((sum, { start, end }) => sum + end - start, 0);
  const bytes = new Uint8Array(headerBytes);
  const header = new DataView(bytes.buffer);
  let touched = 0;
  let pools = 0;
  let region = 0;
  let before = 0;
  for (let sample = 0; sample < samples && regions.length > 0; sample += 1) {
    const at = ((sample + 0.5) / samples) * all;
    while (at - before >= regions[region]!.end - regions[region]!.start) {
      before += regions[region]!.end - regions[region]!.start;
      region += 1;
    }
    const place = Math.ceil((regions[region]!.start + at - before) / alignment) * alignment;
    if (place + headerBytes > regions[region]!.end) continue;
    if (memory.source.read(place, bytes) !== headerBytes || bytes.every((byte) => byte === 0))
      continue;
    touched += 1;
    if (isPool(header)) pools += 1;
  }
  return touched === 0 ? null : pools / touched;
}
