/** `vmstat 1`: swap traffic in KiB a second. */
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { lineAt } from '../../text/lines.ts';
import { window } from './window.ts';

export function* vmstat(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const header = lineAt(input, at).trim().split(/\s+/);
    // A log may have put anything in front: columns are told from where the table begins.
    const names = header.slice(Math.max(0, header.indexOf('r')));
    const si = names.indexOf('si');
    const so = names.indexOf('so');
    if (si === -1 || so !== si + 1 || !names.includes('free')) continue;
    const wa = names.indexOf('wa');
    const rows: number[][] = [];
    let last = at;
    for (let next = at + 1; next < Math.min(at + 2000, input.lines.length); next += 1) {
      const row = lineAt(input, next).trim().split(/\s+/).slice(-names.length).map(Number);
      if (row.length < names.length - 1 || row.slice(0, so + 1).some(Number.isNaN)) {
        if (/procs|\bsi\b/.test(lineAt(input, next))) continue;
        break;
      }
      rows.push(row);
      last = next;
    }
    // The first row is the average since boot, unless it is the only one.
    const samples = rows.length > 1 ? rows.slice(1) : rows;
    if (samples.length === 0) continue;
    // KiB/s: both directions at once, or in and waiting for the disk
    const hot = samples.filter(
      (row) =>
        (row[si]! > 1000 && row[so]! > 1000) ||
        (row[si]! > 2000 && wa !== -1 && (row[wa] ?? 0) > 25),
    );
    const mean = (column: number): number =>
      samples.reduce((sum, row) => sum + (row[column] ?? 0), 0) / samples.length;
    yield window(input, at, last, {
      tool: 'vmstat',
      swapInPagesPerSecond: Math.round(mean(si) / 4),
      swapOutPagesPerSecond: Math.round(mean(so) / 4),
      ...(wa === -1 ? {} : { ioWaitPercent: Math.round(mean(wa)) }),
      samples: samples.length,
      reading:
        hot.length >= 2 || (hot.length === 1 && samples.length === 1)
          ? 'thrashing'
          : mean(si) + mean(so) > 200
            ? 'high'
            : 'calm',
      message: `vmstat shows ${Math.round(mean(si))} KiB/s read from swap and ${Math.round(mean(so))} KiB/s written to it, on the average of ${samples.length} samples`,
    });
    at = last;
  }
}
