import type { Smell } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { readText } from '../process/live-process.ts';
import type { CheckContext, SmellRule } from './smell.ts';

/** A forked interpreter that does nothing copies 1 to 1.5 MiB of what it was started with (3.13, 6.18). */
const leastBytes = 4 * 2 ** 20;

interface Area {
  readonly range: string;
  readonly privateDirtyBytes: number;
}

/**
 * A forked worker's own copies of pages that it got from its parent: reference counts are written at every use, so that
 * sharing does not last.
 */
export const forkCopies: SmellRule = {
  id: 'fork-copies',
  title: 'Copies of the parent in a forked process',
  check: ({ heap }: CheckContext) => {
    const { kind, pid } = heap.census.memory.source;
    if (kind !== 'process' || pid === null) return [];
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1] ?? 0);
    if (parent <= 1) return [];
    const theirs = new Set(anonymousAreas(parent).map(({ range }) => range));
    const mine = anonymousAreas(pid).filter(({ range }) => theirs.has(range));
    // A program that was started afresh has its areas elsewhere (address space randomisation).
    const copied = mine.reduce((sum, { privateDirtyBytes }) => sum + privateDirtyBytes, 0);
    if (mine.length < 3 || copied < leastBytes) return [];
    const smell: Smell = {
      id: 'fork-copies',
      holder: null,
      savesBytes: copied,
      says: `this process was forked from process ${parent} and has ${formatBytes(copied)} of private copies of memory that was its parent's: fork before loading, gc.freeze() before forking, or shared memory`,
    };
    return [smell];
  },
};

function anonymousAreas(pid: number): readonly Area[] {
  const areas: Area[] = [];
  let range: string | null = null;
  for (const line of (readText(`/proc/${pid}/smaps`) ?? '').split('\n')) {
    const head = /^([0-9a-f]+-[0-9a-f]+) rw.p \S+ \S+ 0\s*(\[heap\])?$/.exec(line);
    if (head !== null) range = head[1]!;
    else if (/^[0-9a-f]+-/.test(line)) range = null;
    const dirty = /^Private_Dirty:\s+(\d+) kB/.exec(line);
    if (range !== null && dirty !== null)
      areas.push({ range, privateDirtyBytes: Number(dirty[1]) * 1024 });
  }
  return areas;
}
