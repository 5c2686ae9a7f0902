/** macOS' vm_stat and memory_pressure. */
import type { MetricsWindow } from '../../../model/evidence.ts';
import { formatBytes } from '../../../model/units.ts';
import type { Input } from '../../parser.ts';
import { elsewhere, lineAt } from '../../text/lines.ts';
import { window } from './window.ts';

/** macOS' vm_stat: totals since boot, or one row an interval (`vm_stat 1`), the first of which is since boot too. In pages. */
export function* vmStat(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const head = /Mach Virtual Memory Statistics: \(page size of (\d{4,6}) bytes\)/.exec(
      lineAt(input, at),
    );
    if (head === null) continue;
    const page = Number(head[1]);
    const names = lineAt(input, at + 1)
      .trim()
      .split(/\s+/);
    const fact = names.includes('swapouts')
      ? vmStatRows(input, at, names, page)
      : vmStatTotals(input, at, page);
    if (fact !== undefined) yield fact;
  }
}

function vmStatRows(
  input: Input,
  at: number,
  names: readonly string[],
  page: number,
): MetricsWindow | undefined {
  const rows: (readonly number[])[] = [];
  let last = at + 1;
  for (let next = at + 2; next < Math.min(at + 3000, input.lines.length); next += 1) {
    const cells = lineAt(input, next).trim().split(/\s+/);
    // The header comes again every twenty rows.
    if (cells.includes('swapouts') || /Mach Virtual/.test(lineAt(input, next))) continue;
    // Numbers too wide for their column are in thousands.
    if (cells.length !== names.length || !cells.every((cell) => /^\d+K?$/.test(cell))) break;
    rows.push(cells.map((cell) => Number(cell.replace('K', '000'))));
    last = next;
  }
  const deltas = rows.slice(1);
  if (deltas.length === 0) return undefined;
  const [read, written] = [names.indexOf('swapins'), names.indexOf('swapouts')];
  // 4 MiB in each direction, an interval: the same border as sar's.
  const border = (4 * 2 ** 20) / page;
  const hot = deltas.filter((row) => row[read]! > border && row[written]! > border).length;
  const mean = (column: number) =>
    Math.round(deltas.reduce((sum, row) => sum + row[column]!, 0) / deltas.length);
  return window(input, at, last, {
    tool: 'vm_stat',
    swapInPagesPerSecond: mean(read),
    swapOutPagesPerSecond: mean(written),
    samples: deltas.length,
    reading: hot >= 2 ? 'thrashing' : mean(read) + mean(written) > border / 4 ? 'high' : 'calm',
    message: `vm_stat shows ${mean(read)} pages read from swap and ${mean(written)} written to it an interval, on the average of ${deltas.length} samples`,
  });
}

function vmStatTotals(input: Input, at: number, page: number): MetricsWindow | undefined {
  const pages = new Map<string, number>();
  let last = at;
  for (let next = at + 1; next < Math.min(at + 40, input.lines.length); next += 1) {
    const row = /^"?([A-Z][\w "-]{2,40}?)"?:\s{1,60}(\d{1,15})\.?\s*$/.exec(lineAt(input, next));
    if (row === null) break;
    pages.set(row[1]!, Number(row[2]));
    last = next;
  }
  const bytes = (name: string): number | undefined =>
    pages.has(name) ? pages.get(name)! * page : undefined;
  const [stored, occupied] = [
    bytes('Pages stored in compressor'),
    bytes('Pages occupied by compressor'),
  ];
  const parts = ['free', 'active', 'inactive', 'speculative', 'wired down'].map(
    (name) => bytes(`Pages ${name}`) ?? 0,
  );
  const total = parts.reduce((sum, part) => sum + part, 0) + (occupied ?? 0);
  if (stored === undefined || occupied === undefined || total === 0) return undefined;
  const share = (occupied / total) * 100;
  return window(input, at, last, {
    tool: 'vm_stat',
    samples: 1,
    reading: share > 50 ? 'full' : share > 25 ? 'high' : 'calm',
    message: `vm_stat shows ${share.toFixed(0)} % of the memory taken by the compressor, which holds ${formatBytes(stored)} in it`,
  });
}

/** macOS' memory_pressure: what the kernel counts as free, which is what jetsam goes by. */
export function* memoryPressure(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const match = /System-wide memory free percentage: {0,3}(\d{1,3})\s?%/.exec(lineAt(input, at));
    if (match === null) continue;
    const free = Number(match[1]);
    if (free > 100) continue;
    const total = elsewhere(input, /The system has (\d{9,15}) \(\d{1,12} pages/)?.[1];
    yield window(input, at, at, {
      tool: 'memory_pressure',
      ...(total === undefined ? {} : { totalBytes: Number(total) }),
      samples: 1,
      reading: free < 5 ? 'full' : free < 15 ? 'high' : 'calm',
      message: `memory_pressure shows ${free} % of the memory free`,
    });
  }
}
