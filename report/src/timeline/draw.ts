/** What is drawn over and under the curves of one chart. */
import type uPlot from 'uplot';
import type { Limit } from '../../../src/model/report.ts';
import { color } from '../theme.ts';
import { eventTone, type Shown } from './events.tsx';
import { limitLabel } from './limits.ts';

export const eventColors = (): ReadonlyMap<string, string> =>
  new Map(Object.values(eventTone).map((tone) => [tone, color(tone)]));

/** A tick on top for each event; a line through the picture for the deadly ones. */
export function drawEvents(
  self: uPlot,
  events: readonly Shown[],
  tones: ReadonlyMap<string, string>,
  first: boolean,
): void {
  const { ctx, bbox } = self;
  const ratio = devicePixelRatio;
  for (const { atMs, what } of events) {
    const tone = eventTone[what];
    if (tone === undefined) continue;
    const x = Math.round(self.valToPos(atMs / 1000, 'x', true)) + 0.5;
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    ctx.strokeStyle = tones.get(tone) ?? '';
    ctx.fillStyle = tones.get(tone) ?? '';
    ctx.lineWidth = ratio;
    if (tone === 'bad') {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    if (!first) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x - 4 * ratio, bbox.top - 7 * ratio);
    ctx.lineTo(x + 4 * ratio, bbox.top - 7 * ratio);
    ctx.fill();
  }
}

/** The chosen moment, under the curves. */
export function drawChoice(self: uPlot, atMs: number, tone: string): void {
  const x = self.valToPos(atMs / 1000, 'x', true);
  const { ctx, bbox } = self;
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.save();
  ctx.fillStyle = tone;
  ctx.fillRect(
    Math.round(x - devicePixelRatio),
    bbox.top,
    Math.max(2, 2 * devicePixelRatio),
    bbox.height,
  );
  ctx.restore();
}

/** Dashed lines with their names. Two limits close together: one label on each side. */
export function drawLimits(self: uPlot, limits: readonly Limit[], tone: string): void {
  const { ctx, bbox } = self;
  const ratio = devicePixelRatio;
  const yOf = ({ bytes }: Limit): number => self.valToPos(bytes ?? 0, 'y', true);
  let labelled = Number.NaN;
  for (const limit of limits) {
    const y = Math.round(yOf(limit)) + 0.5;
    ctx.strokeStyle = tone;
    ctx.lineWidth = ratio;
    ctx.setLineDash([5 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.fillStyle = tone;
    const isCrowded = Math.abs(y - labelled) < 16 * ratio;
    labelled = y;
    ctx.textAlign = isCrowded ? 'right' : 'left';
    const isShared = limits.some(
      (other) => other !== limit && Math.abs(yOf(other) - y) < 16 * ratio,
    );
    ctx.fillText(
      endFitting(ctx, limitLabel(limit), bbox.width * (isShared ? 0.48 : 0.96)),
      isCrowded ? bbox.left + bbox.width - 6 * ratio : bbox.left + 6 * ratio,
      y - 6 * ratio,
    );
  }
}

/** The end of a text, which of a path and its figure tells most, as far as there is room. */
function endFitting(ctx: CanvasRenderingContext2D, text: string, room: number): string {
  const characters = [...text];
  let from = 0;
  const shown = (): string => (from === 0 ? text : `…${characters.slice(from).join('')}`);
  // Names from outside can be long: in steps of a tenth, not of a letter.
  while (from < characters.length && ctx.measureText(shown()).width > room)
    from += Math.max(1, Math.ceil((characters.length - from) / 10));
  return shown();
}
