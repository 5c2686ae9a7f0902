/** Who holds the memory as a flame graph: file, call, variable, then the types on the way to the bytes. */
import type { Holder, MemoryPicture } from '../../model/report.ts';
import { safeText } from '../safe-text.ts';
import { collapsedMark } from './collapsed.ts';

export interface HeldStack {
  /** Outermost first. Never empty. */
  readonly frames: readonly string[];
  readonly bytes: number;
}

/** One stack a holder, weighed by what it alone keeps. */
export const holderStacks = ({ holders = [] }: MemoryPicture): readonly HeldStack[] =>
  holders
    .filter(({ retainedBytes }) => retainedBytes >= 1)
    .map((holder) => ({ frames: framesOf(holder), bytes: Math.round(holder.retainedBytes) }));

function framesOf({ file, function: call, line, name, path }: Holder): readonly string[] {
  const [, ...below] = path.split(' -> ');
  return [
    ...(file === null ? [] : [file]),
    ...(call === null ? [] : [`${call}()${line === null ? '' : `:${line}`}`]),
    name,
    ...below,
  ].map((frame) => safeText(frame).replaceAll(';', ','));
}

/** For flamegraph.pl and its kin. */
export const renderHoldersCollapsed = (memory: MemoryPicture): string =>
  collapsedMark +
  holderStacks(memory)
    .map(({ frames, bytes }) => `${frames.join(';')} ${bytes}\n`)
    .join('');

/** https://www.speedscope.app/file-format-schema.json */
export function renderHoldersSpeedscope(
  memory: MemoryPicture,
  { name, version }: { readonly name: string; readonly version: string },
): string {
  const stacks = holderStacks(memory);
  const names = [...new Set(stacks.flatMap(({ frames }) => frames))];
  const numbers = new Map(names.map((frame, i) => [frame, i]));
  return JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    exporter: `coroner@${version}`,
    name,
    activeProfileIndex: 0,
    shared: { frames: names.map((frame) => ({ name: frame })) },
    profiles: [
      {
        type: 'sampled',
        name: 'held',
        unit: 'bytes',
        startValue: 0,
        endValue: stacks.reduce((sum, { bytes }) => sum + bytes, 0),
        samples: stacks.map(({ frames }) => frames.map((frame) => numbers.get(frame)!)),
        weights: stacks.map(({ bytes }) => bytes),
      },
    ],
  });
}
