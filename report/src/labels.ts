import type { Allocation, StackFrame } from '../../src/model/report.ts';

export const placeOf = ({
  file,
  line,
}: {
  readonly file: string | null;
  readonly line: number | null;
}): string => (file === null ? '' : line === null ? file : `${file}:${line}`);

/** The last two parts of a path: enough to recognise a file. */
export const shortPlace = (place: {
  readonly file: string | null;
  readonly line: number | null;
}): string => {
  const parts = placeOf(place).split('/');
  return parts.length <= 3 ? parts.join('/') : `…/${parts.slice(-2).join('/')}`;
};

export const isLibrary = ({ file }: StackFrame): boolean =>
  file === null ||
  file.startsWith('<frozen') ||
  /[/\\](?:site-packages|dist-packages)[/\\]|[/\\]lib(?:64)?[/\\]python\d/.test(file);

/** `(Python itself and its start-up)`: a sum without a line, in brackets as no function's name is. */
export const isSum = ({ file, function: name }: Allocation): boolean =>
  file === null && name?.startsWith('(') === true;

export const percent = (share: number): string =>
  share > 0 && share < 0.01 ? '< 1 %' : `${Math.round(share * 100)} %`;

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

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
