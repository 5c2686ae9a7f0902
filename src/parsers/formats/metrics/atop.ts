/** atop: pages swapped in an interval. */
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { lineAt } from '../../text/lines.ts';
import { window } from './window.ts';

/** `PAG | scan 812345 | … | swin 312345 | swout 281234 |`: pages in an interval of ten seconds and more. */
export function* atop(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const row = /^\s*PAG \|.{0,200}\bswin {1,8}(\d{1,9}) \|.{0,40}\bswout {1,8}(\d{1,9}) \|/.exec(
      lineAt(input, at).slice(0, 400),
    );
    if (row === null) continue;
    const [read, written] = [Number(row[1]), Number(row[2])];
    yield window(input, at, at, {
      tool: 'atop',
      samples: 1,
      reading:
        read > 25_000 && written > 25_000 ? 'thrashing' : read + written > 2500 ? 'high' : 'calm',
      message: `atop shows ${read} pages read from swap and ${written} written to it in one interval`,
    });
  }
}
