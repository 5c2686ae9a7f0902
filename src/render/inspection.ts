import pc from 'picocolors';
import type { Inspection, StackFrame, Thread } from '../model/report.ts';

interface Options {
  readonly columns: number;
  readonly colors: boolean;
}

type Colors = ReturnType<typeof pc.createColors>;

/** What `coroner inspect` shows in a terminal. */
export function renderInspection(inspection: Inspection, { columns, colors }: Options): string {
  const paint = pc.createColors(colors);
  const width = Math.max(60, Math.min(columns, 110));
  const { process, threads } = inspection;
  const title = [
    process.name ?? 'process',
    process.pid === null ? '' : `(pid ${process.pid})`,
    process.python === null ? '' : `CPython ${process.python}`,
  ];
  const lines = [paint.bold(title.filter(Boolean).map(printable).join(' '))];
  if (process.command !== null) lines.push(paint.dim(clip(printable(process.command), width)));
  lines.push('', ...threads.flatMap((thread) => renderThread(thread, width, paint)));
  return `${lines.join('\n')}\n`;
}

const shownFrames = 25;

function renderThread(thread: Thread, width: number, paint: Colors): readonly string[] {
  const marks = [
    thread.holdsGil ? 'holds the GIL' : '',
    thread.collectingGarbage === true ? 'collecting garbage' : '',
  ].filter(Boolean);
  const name = thread.name === null ? '' : ` ${printable(thread.name)}`;
  const head = `${paint.bold(`Thread ${thread.id}${name}`)}${marks.length === 0 ? '' : paint.yellow(`  ${marks.join(', ')}`)}`;
  const { stack } = thread;
  const hidden = stack.length - shownFrames;
  const frames =
    hidden <= 5
      ? stack.map((frame) => renderFrame(frame, width, paint))
      : [
          ...stack.slice(0, shownFrames - 5).map((frame) => renderFrame(frame, width, paint)),
          paint.dim(`    … ${hidden.toLocaleString('en')} more calls …`),
          ...stack.slice(-5).map((frame) => renderFrame(frame, width, paint)),
        ];
  return [head, ...(frames.length === 0 ? [paint.dim('    (no Python code)')] : frames), ''];
}

function renderFrame(frame: StackFrame, width: number, paint: Colors): string {
  const place = `${shortPath(printable(frame.file ?? '?'), Math.floor(width * 0.5))}:${frame.line ?? '?'}`;
  const name = clip(printable(frame.function), Math.max(16, width - place.length - 8));
  return `    ${name}  ${paint.dim(place)}`;
}

/** The end of a path, where it is too long. */
export function shortPath(path: string, length: number): string {
  if (path.length <= length) return path;
  const parts = path.split('/');
  let short = parts.pop() ?? path;
  while (parts.length > 0 && short.length + parts.at(-1)!.length + 3 <= length)
    short = `${parts.pop()!}/${short}`;
  return `…/${short}`;
}

export const clip = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, Math.max(1, length - 1))}…`;

/** Text from outside without anything that a terminal would obey. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\uFFFD');
