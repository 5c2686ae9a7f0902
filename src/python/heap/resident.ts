import { firstIndexWhere } from '../../model/binary-search.ts';
import { closeSync, openSync, readSync } from 'node:fs';
import type { Accounted } from '../../model/report.ts';
import type { Bytes } from '../../model/units.ts';
import type { Heap } from './heap.ts';
import { readText } from '../process/live-process.ts';
import type { MemorySource } from '../process/memory.ts';

const pageBytes = 4096;

/**
 * Where a living process's resident memory goes, page by page: pages with Python objects or their buffers, free space in
 * Python's arenas, native code's own memory, thread stacks, mapped files. Empty for a core, which has no resident set.
 */
export function accountFor(source: MemorySource, heap: Heap): { readonly accounted?: Accounted } {
  if (source.kind !== 'process' || source.pid === null) return {};
  const areas = parseSmaps(readText(`/proc/${source.pid}/smaps`) ?? '');
  if (areas.length === 0 || !source.isCurrent()) return {};
  const { census } = heap;
  const stacks = new Set<Area>();
  for (const { stackPointer } of source.threads()) {
    const area = areas.find(
      ({ start, end }) => stackPointer !== null && stackPointer >= start && stackPointer < end,
    );
    if (area !== undefined) stacks.add(area);
  }
  let rssBytes = 0;
  let fileBytes = 0;
  let sharedBytes = 0;
  let stackBytes = 0;
  let pythonPages = 0;
  let arenaFreePages = 0;
  let nativePages = 0;
  let swapBytes = 0;
  const ranges = bufferRanges(census.buffers);
  const pages = openPages(source.pid);
  for (const area of areas) {
    rssBytes += area.rssBytes;
    swapBytes += area.swapBytes;
    if (stacks.has(area) || area.path.startsWith('[stack')) stackBytes += area.rssBytes;
    else if (area.path.startsWith('/') && !area.isShared) {
      fileBytes += area.rssBytes;
    } else if (area.isShared) sharedBytes += area.rssBytes;
    else if (area.rssBytes > 0 && area.isWritable) {
      const counted = countPages(
        area,
        pages,
        (address) => census.hasObjectsInPage(address),
        ranges,
        census.python.minor >= 10 ? 1 << 20 : 1 << 18,
      );
      // Pages of zeros, which a read of untouched memory maps (ours too), are present and not resident: no object lies there.
      let absent = Math.max(
        0,
        counted.python + counted.arenaFree + counted.native - area.rssBytes / pageBytes,
      );
      for (const kind of ['native', 'arenaFree', 'python'] as const) {
        const less = Math.min(counted[kind], absent);
        counted[kind] -= less;
        absent -= less;
      }
      pythonPages += counted.python;
      arenaFreePages += counted.arenaFree;
      nativePages += counted.native;
    } else fileBytes += area.rssBytes;
  }
  pages?.close();
  let pythonBytes = 0;
  for (const { index } of census.types.types) pythonBytes += census.typeBytes[index]!;
  // Arrays that were allocated but never touched count in full for Python, not for the resident set.
  const pythonResident = Math.min(pythonBytes, pythonPages * pageBytes);
  const overhead = pythonPages * pageBytes - pythonResident;
  const arenaFree = arenaFreePages * pageBytes;
  const native = nativePages * pageBytes;
  const nativeBytes = native + fileBytes + sharedBytes + stackBytes;
  const parts = [
    { what: 'Python objects and their buffers', bytes: pythonResident },
    { what: "rounding and free space between Python's objects", bytes: overhead },
    { what: "free space in Python's arenas", bytes: arenaFree },
    { what: "native code's memory", bytes: native },
    { what: 'mapped files (libraries)', bytes: fileBytes },
    { what: 'shared memory', bytes: sharedBytes },
    { what: 'thread stacks', bytes: stackBytes },
    { what: 'swapped out (not in RSS)', bytes: swapBytes },
  ].filter(({ bytes }) => bytes > 0);
  return {
    accounted: {
      rssBytes,
      pythonBytes: pythonResident,
      nativeBytes,
      unexplainedBytes: rssBytes - pythonResident - nativeBytes,
      parts,
      ...(pythonBytes - pythonResident > 1 << 20
        ? { untouchedBytes: pythonBytes - pythonResident }
        : {}),
    },
  };
}

interface Area {
  readonly start: number;
  readonly end: number;
  readonly isWritable: boolean;
  readonly isShared: boolean;
  readonly path: string;
  rssBytes: Bytes;
  swapBytes: Bytes;
}

export function parseSmaps(text: string): readonly Area[] {
  const areas: Area[] = [];
  for (const line of text.split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) .(.).(.) \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (head !== null) {
      areas.push({
        start: Number.parseInt(head[1]!, 16),
        end: Number.parseInt(head[2]!, 16),
        isWritable: head[3] === 'w',
        isShared: head[4] === 's',
        path: head[5]!,
        rssBytes: 0,
        swapBytes: 0,
      });
      continue;
    }
    const area = areas.at(-1);
    if (area === undefined) continue;
    if (line.startsWith('Rss:')) area.rssBytes = kibOf(line);
    else if (line.startsWith('Swap:')) area.swapBytes = kibOf(line);
  }
  return areas;
}

const kibOf = (line: string): Bytes => Number(/(\d+) kB/.exec(line)?.[1] ?? 0) * 1024;

/** Start and end of large buffers, sorted. */
function bufferRanges(buffers: readonly number[]): Float64Array {
  const pairs = Array.from({ length: buffers.length / 2 }, (_, i) => [
    buffers[2 * i]!,
    buffers[2 * i]! + buffers[2 * i + 1]!,
  ]).sort((a, b) => a[0]! - b[0]!);
  return Float64Array.from(pairs.flat());
}

interface Pages {
  readonly read: (page: number, into: Uint32Array) => number;
  readonly close: () => void;
}

function openPages(pid: number): Pages | null {
  try {
    const descriptor = openSync(`/proc/${pid}/pagemap`, 'r');
    return {
      read: (page, into) => {
        try {
          return (
            readSync(descriptor, new Uint8Array(into.buffer), 0, into.byteLength, page * 8) / 8
          );
        } catch {
          return 0;
        }
      },
      close: () => closeSync(descriptor),
    };
  } catch {
    return null;
  }
}

/** Resident pages of an area by what lies in them. Bit 63 of a pagemap word: present. */
function countPages(
  area: Area,
  pages: Pages | null,
  hasObjects: (address: number) => boolean,
  ranges: Float64Array,
  arenaBytes: number,
): { python: number; arenaFree: number; native: number } {
  const entries = new Uint32Array(2 * 32_768);
  const counted = { python: 0, arenaFree: 0, native: 0 };
  let range = firstRangeAfter(ranges, area.start);
  let emptyInArena = 0;
  let usedInArena = false;
  const closeArena = () => {
    if (usedInArena && area.path === '') counted.arenaFree += emptyInArena;
    else counted.native += emptyInArena;
    emptyInArena = 0;
    usedInArena = false;
  };
  for (let at = area.start; at < area.end; at += 32_768 * pageBytes) {
    const want = Math.min(32_768, (area.end - at) / pageBytes);
    const got = pages === null ? 0 : pages.read(at / pageBytes, entries);
    for (let i = 0; i < want; i++) {
      const address = at + i * pageBytes;
      if (address % arenaBytes === 0) closeArena();
      if (i < got && (entries[2 * i + 1]! & 0x8000_0000) === 0) continue;
      while (range < ranges.length && ranges[range + 1]! <= address) range += 2;
      const inBuffer = range < ranges.length && ranges[range]! < address + pageBytes;
      if (inBuffer) counted.python += 1;
      else if (hasObjects(address)) {
        counted.python += 1;
        usedInArena = true;
      } else emptyInArena += 1;
    }
  }
  closeArena();
  return counted;
}

function firstRangeAfter(ranges: Float64Array, address: number): number {
  return 2 * firstIndexWhere(ranges.length / 2, (index) => ranges[2 * index + 1]! > address);
}
