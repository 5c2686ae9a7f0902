/** `free`, in any unit. */
import { defined } from '../../../model/defined.ts';
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { elsewhere, lineAt } from '../../text/lines.ts';
import { sizeBytes } from '../../text/sizes.ts';
import { window } from './window.ts';

export function* free(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const text = lineAt(input, at);
    if (!/^\s*Mem:/.test(text)) continue;
    const header = lineAt(input, at - 1)
      .trim()
      .split(/\s+/);
    const cells = text.trim().split(/\s+/).slice(1);
    const scale = /[KMGT]i?B?$/i.test(cells[0] ?? '') ? undefined : 'KiB';
    const value = (name: string): number | undefined => {
      const cell = cells[header.indexOf(name)];
      return cell === undefined || header.indexOf(name) === -1
        ? undefined
        : sizeBytes(scale === undefined ? cell : `${cell} ${scale}`);
    };
    const total = value('total');
    const available = value('available');
    if (total === undefined || total === 0) continue;
    const swap =
      /^\s*Swap:\s+(\S+)\s+(\S+)/.exec(lineAt(input, at + 1)) ??
      /^\s*Swap:\s+(\S+)\s+(\S+)/.exec(lineAt(input, at + 2));
    const swapSize = (cell: string | undefined): number | undefined =>
      cell === undefined ? undefined : sizeBytes(scale === undefined ? cell : `${cell} ${scale}`);
    const swapTotal = swapSize(swap?.[1]);
    const swapUsed = swapSize(swap?.[2]);
    const low = available !== undefined && available < total * 0.03;
    const swapFull =
      swapTotal !== undefined &&
      swapTotal > 0 &&
      swapUsed !== undefined &&
      swapUsed > swapTotal * 0.9;
    const load = elsewhere(input, /load averages?: {0,3}(\d{1,5}\.\d)/);
    const crowded = load !== null && Number(load[1]) >= 16;
    yield window(input, Math.max(0, at - 1), at + (swap === null ? 0 : 1), {
      tool: 'free',
      totalBytes: total,
      ...defined({ availableBytes: available, swapTotalBytes: swapTotal, swapUsedBytes: swapUsed }),
      samples: 1,
      reading: low && swapFull && crowded ? 'thrashing' : low ? 'full' : swapFull ? 'high' : 'calm',
      message:
        low && swapFull && crowded
          ? 'free shows next to no memory available and swap full, while many tasks wait (load average)'
          : low
            ? 'free shows less than 3 % of the memory available'
            : 'free shows memory available',
    });
  }
}
