/** sar of sysstat: swap traffic and major faults, `-r` (memory), `-S` (swap). */
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { lineAt } from '../../text/lines.ts';
import { window } from './window.ts';

export function* sar(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const names = lineAt(input, at).trim().split(/\s+/);
    const column = names.includes('pswpin/s') ? 'pswpin/s' : 'majflt/s';
    const index = names.indexOf(column);
    if (index === -1) continue;
    const fromEnd = names.length - index;
    const out = names.includes('pswpout/s') ? names.length - names.indexOf('pswpout/s') : undefined;
    const values: { readonly in: number; readonly out: number }[] = [];
    let last = at;
    for (let next = at + 1; next < Math.min(at + 3000, input.lines.length); next += 1) {
      const cells = lineAt(input, next).trim().split(/\s+/);
      const value = Number(cells.at(-fromEnd)?.replace(',', '.'));
      if (cells.length < fromEnd || Number.isNaN(value)) break;
      if (!cells[0]!.startsWith('Average'))
        values.push({
          in: value,
          out: out === undefined ? 0 : Number(cells.at(-out)?.replace(',', '.')),
        });
      last = next;
    }
    if (values.length === 0) continue;
    const swap = column === 'pswpin/s';
    // pages a second; major faults alone are a false friend: a cold mapped file makes thousands
    const hot = swap ? values.filter((row) => row.in > 250 && row.out > 250) : [];
    const mean = values.reduce((sum, row) => sum + row.in, 0) / values.length;
    yield window(input, at, last, {
      tool: 'sar',
      ...(swap
        ? {
            swapInPagesPerSecond: Math.round(mean),
            swapOutPagesPerSecond: Math.round(
              values.reduce((sum, row) => sum + row.out, 0) / values.length,
            ),
          }
        : { majorFaultsPerSecond: Math.round(mean) }),
      samples: values.length,
      reading: hot.length >= 2 ? 'thrashing' : mean > 100 ? 'high' : 'calm',
      message: swap
        ? `sar shows ${Math.round(mean)} pages a second read from swap`
        : `sar shows ${Math.round(mean)} major faults a second`,
    });
    at = last;
  }
}

/** The rows of a table of sar whose header names `column`: numbers by the header's names, without the averages. */
function* sarTables(
  input: Input,
  column: string,
): Iterable<{
  readonly from: number;
  readonly to: number;
  readonly rows: readonly ((name: string) => number | undefined)[];
}> {
  for (let at = 0; at < input.lines.length; at += 1) {
    if (!lineAt(input, at).includes(column)) continue;
    const names = lineAt(input, at).trim().split(/\s+/);
    // What stands in front (the time, with or without AM) is no column of its own in every locale: counted from the end.
    const fromEnd = new Map(names.map((name, index) => [name, names.length - index]));
    const columns = Math.max(
      ...[...fromEnd].filter(([name]) => /^[%k]/.test(name)).map(([, place]) => place),
      0,
    );
    const rows: ((name: string) => number | undefined)[] = [];
    let last = at;
    for (let next = at + 1; next < Math.min(at + 3000, input.lines.length); next += 1) {
      const cells = lineAt(input, next).trim().split(/\s+/);
      if (cells.length < columns || !/^\d+$/.test(cells.at(-columns) ?? '')) break;
      last = next;
      if (cells[0]!.startsWith('Average')) continue;
      rows.push((name) => {
        const place = fromEnd.get(name);
        const value = Number(
          (place === undefined ? '' : (cells.at(-place) ?? '')).replace(',', '.') || Number.NaN,
        );
        return Number.isNaN(value) ? undefined : value;
      });
    }
    if (rows.length > 0) yield { from: at, to: last, rows };
    at = last;
  }
}

/** `sar -r`: the moment with the least memory left. `kbavail` since sysstat 11.5.7; before, buffers and cache are taken for it. */
export function* sarMemory(input: Input): Iterable<MetricsWindow> {
  for (const { from, to, rows } of sarTables(input, 'kbmemused')) {
    let least: { readonly total: number; readonly available: number } | undefined;
    for (const value of rows) {
      const [free, used] = [value('kbmemfree'), value('kbmemused')];
      const available =
        value('kbavail') ??
        (free === undefined
          ? undefined
          : free + (value('kbbuffers') ?? 0) + (value('kbcached') ?? 0));
      if (free === undefined || used === undefined || available === undefined || free + used === 0)
        continue;
      const total = (free + used) * 1024;
      if (least === undefined || available * 1024 < least.available)
        least = { total, available: available * 1024 };
    }
    if (least === undefined) continue;
    const share = (least.available / least.total) * 100;
    yield window(input, from, to, {
      tool: 'sar',
      totalBytes: least.total,
      availableBytes: least.available,
      samples: rows.length,
      reading: share < 3 ? 'full' : share < 10 ? 'high' : 'calm',
      message: `sar shows ${share.toFixed(0)} % of the memory available at the worst of ${rows.length} samples`,
    });
  }
}

/** `sar -S`: the moment with the most swap in use. A full swap alone says what was put there once, not that anybody waits for it. */
export function* sarSwap(input: Input): Iterable<MetricsWindow> {
  for (const { from, to, rows } of sarTables(input, 'kbswpused')) {
    let most: { readonly total: number; readonly used: number } | undefined;
    for (const value of rows) {
      const [free, used] = [value('kbswpfree'), value('kbswpused')];
      // Without swap all of it is 0.
      if (free === undefined || used === undefined || free + used === 0) continue;
      if (most === undefined || used * 1024 > most.used)
        most = { total: (free + used) * 1024, used: used * 1024 };
    }
    if (most === undefined) continue;
    const share = (most.used / most.total) * 100;
    yield window(input, from, to, {
      tool: 'sar',
      swapTotalBytes: most.total,
      swapUsedBytes: most.used,
      samples: rows.length,
      reading: share > 90 ? 'high' : 'calm',
      message: `sar shows ${share.toFixed(0)} % of the swap in use at the worst of ${rows.length} samples`,
    });
  }
}
