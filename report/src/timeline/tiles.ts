/**
 * Curves as pictures. At one zoom every stretch of the time axis is drawn once, in tiles; panning only moves the tiles, so its cost
 * does not depend on how many curves there are. A tile has at most two points a pixel and curve: the least and the greatest reading.
 */
import { thin } from './decimate.ts';

export interface TileCurve {
  readonly atMs: Float64Array;
  /** NaN: nothing; the line goes over it. */
  readonly values: Float64Array;
  readonly stroke: string;
  /** Of the line, in CSS pixels. */
  readonly width: number;
  /** Colour of the area below, if any. */
  readonly fill: string | null;
}
/** Where to draw, in device pixels of the target. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}
export interface Tiles {
  /** Draws what lies between both times into the box. */
  draw(
    target: CanvasRenderingContext2D,
    box: Box,
    range: { readonly fromMs: number; readonly toMs: number },
  ): void;
  /** Draws one tile that the range will need next, if there is one: called when nothing else is to do. */
  ahead(): boolean;
}

/** Device pixels. Small enough that the tiles which come into view in one frame are drawn within it. */
export const tileWidth = 128;
/** A screen of 4,000 pixels three times over. */
const mostTiles = 96;

export function makeTiles(
  curves: readonly TileCurve[],
  { top, ratio }: { readonly top: number; readonly ratio: number },
): Tiles {
  const drawn = new RecentTiles();
  let msPerPixel = 0;
  let height = 0;
  let wanted: readonly number[] = [];
  const tile = (number: number): HTMLCanvasElement =>
    drawn.get(number) ??
    drawTile(drawn.add(number, height), curves, { number, msPerPixel, top, ratio });
  return {
    draw(target, box, { fromMs, toMs }) {
      const now = (toMs - fromMs) / box.width;
      // The same zoom to the last bits: a range that was moved is not exactly as wide as it was.
      if (Math.abs(now - msPerPixel) > msPerPixel * 1e-6 || height !== box.height) {
        drawn.clear();
        msPerPixel = now;
        height = box.height;
      }
      // Whole pixels: between two of them every tile would be blurred.
      const offset = Math.round(fromMs / msPerPixel);
      const first = Math.floor(offset / tileWidth);
      const last = Math.floor((offset + box.width - 1) / tileWidth);
      target.save();
      target.beginPath();
      target.rect(box.left, box.top, box.width, box.height);
      target.clip();
      for (let number = first; number <= last; number += 1)
        target.drawImage(tile(number), box.left + number * tileWidth - offset, box.top);
      target.restore();
      wanted = [last + 1, first - 1, last + 2, first - 2].filter((number) => number >= 0);
    },
    ahead() {
      const next = wanted.find((number) => !drawn.has(number));
      if (next === undefined || msPerPixel === 0) return false;
      tile(next);
      return true;
    },
  };
}

/** As many tiles as there is room for; the canvas of the least recently used is used again. */
class RecentTiles {
  readonly #tiles = new Map<number, HTMLCanvasElement>();

  has(number: number): boolean {
    return this.#tiles.has(number);
  }
  get(number: number): HTMLCanvasElement | undefined {
    const known = this.#tiles.get(number);
    // The least recently used stands first.
    if (known !== undefined && this.#tiles.delete(number)) this.#tiles.set(number, known);
    return known;
  }
  /** An empty one. */
  add(number: number, height: number): HTMLCanvasElement {
    const [oldest] = this.#tiles.size < mostTiles ? [] : this.#tiles;
    if (oldest !== undefined) this.#tiles.delete(oldest[0]);
    const canvas = oldest?.[1] ?? document.createElement('canvas');
    // Setting the size clears it, too.
    canvas.width = tileWidth;
    canvas.height = height;
    this.#tiles.set(number, canvas);
    return canvas;
  }
  clear(): void {
    this.#tiles.clear();
  }
}

interface Stretch {
  /** Of the tile, counted from time 0. */
  readonly number: number;
  readonly msPerPixel: number;
  /** The value at the upper edge. */
  readonly top: number;
  readonly ratio: number;
}

function drawTile(
  canvas: HTMLCanvasElement,
  curves: readonly TileCurve[],
  stretch: Stretch,
): HTMLCanvasElement {
  const context = canvas.getContext('2d');
  if (context === null) return canvas;
  context.lineJoin = 'bevel';
  for (const curve of curves) drawCurve(context, curve, stretch);
  return canvas;
}

function drawCurve(
  context: CanvasRenderingContext2D,
  { atMs, values, stroke, width, fill }: TileCurve,
  { number, msPerPixel, top, ratio }: Stretch,
): void {
  const { height } = context.canvas;
  const points = thin(atMs, values, number * tileWidth * msPerPixel, msPerPixel, tileWidth);
  if (points.length < 2) return;
  const y = (value: number): number => height - (value * height) / top;
  context.beginPath();
  if (points.length === 2) {
    // One reading alone has no line: a dot.
    context.arc(points[0] ?? 0, y(points[1] ?? 0), 3 * ratio, 0, 2 * Math.PI);
    context.fillStyle = stroke;
    context.fill();
    return;
  }
  context.moveTo(points[0] ?? 0, y(points[1] ?? 0));
  for (let at = 2; at < points.length; at += 2)
    context.lineTo(points[at] ?? 0, y(points[at + 1] ?? 0));
  context.strokeStyle = stroke;
  context.lineWidth = width * ratio;
  context.stroke();
  if (fill === null) return;
  context.lineTo(points.at(-2) ?? 0, height);
  context.lineTo(points[0] ?? 0, height);
  context.closePath();
  context.fillStyle = fill;
  context.fill();
}
