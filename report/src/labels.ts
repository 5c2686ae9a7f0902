/** How the page writes places, counts and moments. */
import type { StackFrame } from '../../src/model/report.ts';
import { placeOf } from '../../src/model/stack.ts';

/** The last two parts of a path: enough to recognise a file. */
export const shortPlace = (place: Pick<StackFrame, 'file' | 'line'>): string => {
  const parts = placeOf(place).split('/');
  return parts.length <= 3 ? parts.join('/') : `…/${parts.slice(-2).join('/')}`;
};

/** `1 task`, `1,204 tasks`. */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

/** `12.3 s` on axes and read-outs: never rounded to a minute where seconds matter. */
export function clock(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 100) return `${Number(seconds.toFixed(seconds < 10 ? 2 : 1))} s`;
  const h = Math.floor(seconds / 3600);
  const m = Math.floor((seconds % 3600) / 60);
  const s = Math.floor(seconds % 60);
  const two = (n: number): string => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
