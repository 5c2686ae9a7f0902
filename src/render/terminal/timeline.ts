import type { Recording } from '../../model/recording.ts';
import type { Incident } from '../../model/report.ts';
import { formatBytes, formatPeak, formatDuration } from '../../model/units.ts';
import { drawChart, informativeCurve, type Curve } from './chart.ts';

import type { Span } from './layout.ts';
import type { Page } from './page.ts';

/** The curve that tells the story, against its limit. */
export function timeline(page: Page, incident: Incident, recording: Recording): void {
  const curve = informativeCurve(incident, recording);
  if (curve === undefined) return;
  drawCurve(page, curve, incident.death !== 'slow' && incident.outOfMemory !== false);
}

/** `died`: its end is marked. */
export function drawCurve(page: Page, curve: Curve, died: boolean): void {
  const margin = 13;
  const columns = Math.min(page.width - margin, 72);
  const chart = drawChart(
    curve,
    { columns, rows: page.options.verbose ? 6 : 3 },
    { unicode: page.options.unicode, endMark: died },
  );
  const peak = Math.max(curve.peak?.bytes ?? 0, ...curve.points.map(({ bytes }) => bytes));
  const most = `peak ${formatPeak(peak, curve.peak?.isLeast)}`;
  const limit =
    curve.limitBytes === null
      ? most
      : `${most}, limit ${formatBytes(curve.limitBytes)}${curve.limitNote === undefined ? '' : ` ${curve.limitNote}`}`;
  page.gap();
  page.text([{ text: curve.title }, { text: ` (${limit})`, style: ['dim'] }]);
  const { length } = chart.rows;
  chart.rows.forEach(({ cells }, row) => {
    const label = row === 0 ? formatBytes(chart.topBytes) : row === length - 1 ? '0' : '';
    page.add([
      { text: `  ${label.padStart(9)} ${page.signs.axis}`, style: ['dim'] },
      ...cells.map(({ sign, kind }): Span => ({
        text: sign,
        style:
          kind === 'end'
            ? ['bold', 'red']
            : kind === 'limit'
              ? ['dim']
              : kind === 'memory'
                ? ['cyan']
                : [],
      })),
    ]);
  });
  const end = formatDuration(curve.endMs);
  page.add([
    {
      text: `${' '.repeat(margin)}0 s${' '.repeat(Math.max(1, columns - 3 - end.length))}${end}`,
      style: ['dim'],
    },
  ]);
}
