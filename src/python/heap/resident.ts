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
  const pages = openPages(source.pid);
  try {
    return { accounted: accountedOf(residentOf(source, heap, areas, pages), heap) };
  } finally {
    pages?.close();
  }
}

/** Sums over all areas, in bytes. */
interface Resident {
  rss: Bytes;
  swap: Bytes;
  stacks: Bytes;
  files: Bytes;
  shared: Bytes;
  python: Bytes;
  arenaFree: Bytes;
  native: Bytes;
}

function residentOf(
  source: MemorySource,
  { census }: Heap,
  areas: readonly Area[],
  pages: Pages | null,
): Resident {
  const stacks = stackAreas(source, areas);
  const ranges = bufferRanges(census.buffers);
  const hasObjects = (address: number) => census.hasObjectsInPage(address);
  // ARENA_SIZE of obmalloc.c.
  const arenaBytes = census.python.minor >= 10 ? 1 << 20 : 1 << 18;
  const sum: Resident = {
    rss: 0,
    swap: 0,
    stacks: 0,
    files: 0,
    shared: 0,
    python: 0,
    arenaFree: 0,
    native: 0,
  };
  for (const area of areas) {
    sum.rss += area.rssBytes;
    sum.swap += area.swapBytes;
    if (stacks.has(area) || area.path.startsWith('[stack')) sum.stacks += area.rssBytes;
    else if (area.isShared) sum.shared += area.rssBytes;
    else if (area.path.startsWith('/') || area.rssBytes === 0 || !area.isWritable)
      sum.files += area.rssBytes;
    else {
      const counted = residentPages(area, countPages(area, pages, hasObjects, ranges, arenaBytes));
      sum.python += counted.python * pageBytes;
      sum.arenaFree += counted.arenaFree * pageBytes;
      sum.native += counted.native * pageBytes;
    }
  }
  return sum;
}

/** The areas in which threads have their stacks. */
function stackAreas(source: MemorySource, areas: readonly Area[]): ReadonlySet<Area> {
  const stacks = new Set<Area>();
  for (const { stackPointer } of source.threads()) {
    const area = areas.find(
      ({ start, end }) => stackPointer !== null && stackPointer >= start && stackPointer < end,
    );
    if (area !== undefined) stacks.add(area);
  }
  return stacks;
}

/**
 * Without the pages of zeros that a read of untouched memory maps (coroner's reads too): they are present and not resident, and no object
 * lies there.
 */
function residentPages({ rssBytes }: Area, counted: PageCounts): PageCounts {
  let absent = counted.python + counted.arenaFree + counted.native - rssBytes / pageBytes;
  const left = { ...counted };
  for (const kind of ['native', 'arenaFree', 'python'] as const) {
    const less = Math.min(left[kind], Math.max(0, absent));
    left[kind] -= less;
    absent -= less;
  }
  return left;
}

function accountedOf(sum: Resident, { census }: Heap): Accounted {
  let pythonBytes = 0;
  for (const { index } of census.types.types) pythonBytes += census.typeBytes[index]!;
  // Arrays that were allocated but never touched count in full for Python, not for the resident set.
  const pythonResident = Math.min(pythonBytes, sum.python);
  const nativeBytes = sum.native + sum.files + sum.shared + sum.stacks;
  const untouched = pythonBytes - pythonResident;
  const parts = [
    { what: 'Python objects and their buffers', bytes: pythonResident },
    {
      what: "rounding and free space between Python's objects",
      bytes: sum.python - pythonResident,
    },
    { what: "free space in Python's arenas", bytes: sum.arenaFree },
    { what: "native code's memory", bytes: sum.native },
    { what: 'mapped files (libraries)', bytes: sum.files },
    { what: 'shared memory', bytes: sum.shared },
    { what: 'thread stacks', bytes: sum.stacks },
    { what: 'swapped out (not in RSS)', bytes: sum.swap },
  ].filter(({ bytes }) => bytes > 0);
  return {
    rssBytes: sum.rss,
    pythonBytes: pythonResident,
    nativeBytes,
    unexplainedBytes: sum.rss - pythonResident - nativeBytes,
    parts,
    ...(untouched > 1 << 20 ? { untouchedBytes: untouched } : {}),
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

/** Areas of `/proc/PID/smaps` with their resident and swapped bytes. */
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

/** Starts and ends of large buffers, in the order of addresses: start, end, start, end, … */
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

/** Pages of one area by what lies in them. */
interface PageCounts {
  python: number;
  arenaFree: number;
  native: number;
}

/** Present pages of an area by what lies in them. Bit 63 of a pagemap word: present. Without a pagemap, all count as present. */
function countPages(
  area: Area,
  pages: Pages | null,
  hasObjects: (address: number) => boolean,
  ranges: Float64Array,
  arenaBytes: number,
): PageCounts {
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
