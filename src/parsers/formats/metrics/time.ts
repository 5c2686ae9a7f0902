/** `/usr/bin/time -v` (`-l` on macOS): the peak of what was resident. */
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { lineAt } from '../../text/lines.ts';
import { window } from './window.ts';

export function* timeVerbose(input: Input): Iterable<MetricsWindow> {
  for (let at = 0; at < input.lines.length; at += 1) {
    const match = /Maximum resident set size \(kbytes\): (\d{1,15})/.exec(lineAt(input, at));
    const mac = /^\s*(\d{4,18})\s+maximum resident set size/.exec(lineAt(input, at));
    if (match === null && mac === null) continue;
    const bytes = match === null ? Number(mac![1]) : Number(match[1]) * 1024;
    yield window(input, at, at, {
      tool: 'time',
      peakRssBytes: bytes,
      samples: 1,
      reading: 'calm',
      message: `time shows a peak of ${bytes} bytes resident`,
    });
  }
}
