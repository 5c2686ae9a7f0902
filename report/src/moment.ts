/** What was seen at a moment that the reader chose. */
import type { PageData } from '../../src/model/page.ts';
import type { Incident, MemoryPicture } from '../../src/model/report.ts';
import type { Unpacked } from './unpack.ts';

/** The look nearest to the chosen moment; null without a moment or a look. */
export function lookAt(
  recording: PageData['recording'],
  incident: Incident | undefined,
  chosenMs: number | null,
): { readonly atMs: number; readonly picture: MemoryPicture } | null {
  if (recording === null || chosenMs === null || recording.looks.length === 0) return null;
  const pid = incident?.victim?.pid;
  const own = recording.looks.filter((look) => look.pid === pid);
  const [first, ...others] = own.length > 0 ? own : recording.looks;
  if (first === undefined) return null;
  return others.reduce(
    (best, look) => (Math.abs(look.atMs - chosenMs) < Math.abs(best.atMs - chosenMs) ? look : best),
    first,
  );
}

/** Lines are known of two moments: which of them the chosen one is nearer to. */
export function nearerTo(
  chosenMs: number,
  recording: PageData['recording'],
  unpacked: Unpacked | null,
  incident: Incident | undefined,
): 'peak' | 'death' | null {
  const index = recording?.processes.findIndex(({ pid }) => pid === incident?.victim?.pid) ?? -1;
  const series = unpacked?.processes[index];
  const values = series?.columns['rssBytes'];
  if (series === undefined || values === undefined || values.length === 0) return null;
  let peak = 0;
  for (let row = 1; row < values.length; row += 1)
    if ((values[row] ?? 0) > (values[peak] ?? 0)) peak = row;
  const [peakMs, deathMs] = [series.atMs[peak] ?? 0, series.atMs.at(-1) ?? 0];
  return Math.abs(chosenMs - peakMs) <= Math.abs(chosenMs - deathMs) ? 'peak' : 'death';
}
