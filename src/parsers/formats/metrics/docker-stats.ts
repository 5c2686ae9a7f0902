/** `docker stats`: use against limit. */
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { lineAt } from '../../text/lines.ts';
import { sizeBytes } from '../../text/sizes.ts';
import { window } from './window.ts';

/** `59.75MiB / 64MiB  93.36%`: the last row that has a limit. */
export function* dockerStats(input: Input): Iterable<MetricsWindow> {
  let peak: { readonly used: number; readonly limit: number; readonly at: number } | undefined;
  for (let at = 0; at < input.lines.length; at += 1) {
    const match =
      /(\d[\d.]{0,10} ?[KMG]?i?B) \/ (\d[\d.]{0,10} ?[KMG]i?B)\s{1,12}(\d{1,3}\.\d{1,2})%/.exec(
        lineAt(input, at),
      );
    if (match === null) continue;
    const used = sizeBytes(match[1]!);
    const limit = sizeBytes(match[2]!);
    if (used === undefined || limit === undefined || limit === 0) continue;
    if (peak === undefined || used / limit > peak.used / peak.limit) peak = { used, limit, at };
  }
  if (peak === undefined) return;
  const share = (peak.used / peak.limit) * 100;
  yield window(input, peak.at, peak.at, {
    tool: 'docker stats',
    usedBytes: peak.used,
    limitBytes: peak.limit,
    samples: 1,
    reading: share > 90 ? 'full' : share > 75 ? 'high' : 'calm',
    message: `docker stats shows ${share.toFixed(0)} % of the limit in use`,
  });
}
