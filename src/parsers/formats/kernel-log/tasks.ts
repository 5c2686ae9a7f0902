import type { Task } from '../../../model/report.ts';

/** The kernel's table of tasks, in pages, as it was printed. */
export interface TaskTable {
  columns: readonly string[] | null;
  readonly rows: Map<number, TaskRow>;
}
interface TaskRow {
  readonly pid: number;
  readonly name: string;
  readonly uid: number;
  readonly totalVmPages: number;
  readonly rssPages: number;
  readonly anonPages?: number;
  readonly filePages?: number;
  readonly shmemPages?: number;
  readonly swapPages?: number;
  readonly pageTablesBytes?: number;
  readonly oomScoreAdj?: number;
}

const maxRows = 100_000;

export const emptyTable = (): TaskTable => ({ columns: null, rows: new Map() });

/** The columns by their names: they changed in 3.x, 4.4, 4.15 and 6.8. */
export function readTableHeader(text: string): readonly string[] | null {
  const match = /^\[\s*pid\s*\]\s+(uid\s+tgid\s+total_vm\s.*)$/.exec(text);
  return match?.[1] === undefined ? null : match[1].trim().split(/\s+/);
}

/** Without a header (its head was cut off) the number of columns tells which they are. */
const columnsByCount: Readonly<Record<number, readonly string[]>> = {
  10: 'uid tgid total_vm rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name'.split(
    ' ',
  ),
  8: 'uid tgid total_vm rss nr_ptes nr_pmds swapents oom_score_adj name'.split(' '),
  // nr_ptes, pgtables_bytes or cpu and oom_adj: only what all three share.
  7: 'uid tgid total_vm rss - - oom_score_adj name'.split(' '),
};

export function readTaskRow(table: TaskTable, text: string): boolean {
  const match = /^\[\s*(\d{1,10})\]\s+(.*)$/.exec(text);
  if (match === null || table.rows.size >= maxRows) return false;
  const words = (match[2] ?? '').split(/\s+/);
  const numbers = words.findIndex((word) => !/^-?\d+$/.test(word));
  const columns = table.columns ?? columnsByCount[numbers < 0 ? words.length - 1 : numbers] ?? null;
  if (columns === null) return false;
  const figures = columns.length - 1;
  if (words.length <= figures || !words.slice(0, figures).every((word) => /^-?\d+$/.test(word)))
    return false;
  const value = (name: string): number | undefined => {
    const index = columns.indexOf(name);
    return index < 0 ? undefined : Number(words[index]);
  };
  const pid = Number(match[1]);
  const optional = {
    anonPages: value('rss_anon'),
    filePages: value('rss_file'),
    shmemPages: value('rss_shmem'),
    swapPages: value('swapents'),
    pageTablesBytes: value('pgtables_bytes'),
    oomScoreAdj: value('oom_score_adj') ?? value('oom_adj'),
  };
  table.rows.set(pid, {
    pid,
    name: nameIn(match[2] ?? '', figures),
    uid: value('uid') ?? 0,
    totalVmPages: value('total_vm') ?? 0,
    rssPages: value('rss') ?? 0,
    ...Object.fromEntries(Object.entries(optional).filter(([, figure]) => figure !== undefined)),
  });
  return true;
}

/** Names contain spaces: everything behind the last figure. */
function nameIn(text: string, figures: number): string {
  const match = new RegExp(`^(?:\\S+\\s+){${figures}}(.*)$`).exec(text);
  return (match?.[1] ?? '').trimEnd();
}

/** The table in bytes; figures in pages are left out where the size of a page is not known. */
export function tasksOf(table: TaskTable, pageSizeBytes: number | undefined): Task[] {
  return [...table.rows.values()].map((row) => {
    const bytes = (pages: number | undefined): number | undefined =>
      pages === undefined || pageSizeBytes === undefined ? undefined : pages * pageSizeBytes;
    const figures = {
      totalVmBytes: bytes(row.totalVmPages),
      rssBytes: bytes(row.rssPages),
      anonRssBytes: bytes(row.anonPages),
      fileRssBytes: bytes(row.filePages),
      shmemRssBytes: bytes(row.shmemPages),
      swapBytes: bytes(row.swapPages),
      pageTablesBytes: row.pageTablesBytes,
      oomScoreAdj: row.oomScoreAdj,
    };
    return {
      pid: row.pid,
      name: row.name,
      uid: row.uid,
      ...Object.fromEntries(Object.entries(figures).filter(([, figure]) => figure !== undefined)),
    };
  });
}
