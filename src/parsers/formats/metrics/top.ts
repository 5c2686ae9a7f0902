/** top: its head, and kswapd near the top of the list. */
import { defined } from '../../../model/defined.ts';
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { clean, lineAt } from '../../text/lines.ts';
import { sizeBytes } from '../../text/sizes.ts';
import { window } from './window.ts';

/** The head of top: `KiB Mem : 33554432 total, 40 free, …` and, in the line of the swap, `40 avail Mem` (procps-ng since 3.3.10). */
export function* topHead(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const memory =
      /^\s*([KMG]iB) Mem ?: {0,12}([\d.]{1,15}) total, {0,12}([\d.]{1,15})[ +]free,/.exec(
        lineAt(input, at),
      );
    if (memory === null) continue;
    const swap =
      /^\s*[KMG]iB Swap: {0,12}([\d.]{1,15}) total, .{0,60}?([\d.]{1,15})[ +]used\. {0,12}([\d.]{1,15})[ +]avail Mem/.exec(
        lineAt(input, at + 1),
      );
    const size = (text: string | undefined): number | undefined =>
      text === undefined ? undefined : sizeBytes(`${text} ${memory[1]}`);
    const [total, available] = [size(memory[2]), size(swap?.[3])];
    const [swapTotal, swapUsed] = [size(swap?.[1]), size(swap?.[2])];
    if (total === undefined || total === 0 || available === undefined) continue;
    const low = available < total * 0.03;
    yield window(input, at, at + 1, {
      tool: 'top',
      totalBytes: total,
      availableBytes: available,
      ...defined({ swapTotalBytes: swapTotal, swapUsedBytes: swapUsed }),
      samples: 1,
      reading: low ? 'full' : 'calm',
      message: low
        ? 'top shows less than 3 % of the memory available'
        : 'top shows memory available',
    });
  }
}

/** kswapd near the top of `top`: the machine is looking for pages instead of working. */
export function* kswapd(input: Input): Iterable<MetricsWindow> {
  for (const [at, { text }] of input.lines.entries()) {
    if (!text.includes('kswapd')) continue;
    const row =
      /(?:^|\s)\d{1,9}\s+\S{1,32}\s+.{0,60}?\s([\d.,]{2,6})\s+[\d.,]{1,5}\s+[\d:.,]{4,12}\s+\[?kswapd\d/.exec(
        clean(text.slice(0, 400)),
      ) ??
      // `ps aux`: root 98 95.0 0.0 0 0 ? R 10:11 21:10 [kswapd0]
      /(?:^|\s)\S{1,32}\s+\d{1,9}\s+([\d.,]{2,6})\s+[\d.,]{1,5}\s+0\s+0\s+\?\s+\S{1,6}\s+\S{1,8}\s+[\d:]{4,12}\s+\[kswapd\d/.exec(
        clean(text.slice(0, 400)),
      );
    const words = /kswapd\d?.{0,40}?(\d{2,3}(?:\.\d)?) ?%/.exec(text.slice(0, 400));
    const percent = Number((row?.[1] ?? words?.[1])?.replace(',', '.'));
    if (!(percent >= 40)) continue;
    yield window(input, at, at, {
      tool: 'top',
      samples: 1,
      // In words it may be a kernel that looks for pages for nothing: only top shows it among the rest.
      reading: row === null ? 'high' : 'thrashing',
      message: `kswapd used ${percent} % of a CPU: the kernel was busy looking for free pages`,
    });
    return;
  }
}
