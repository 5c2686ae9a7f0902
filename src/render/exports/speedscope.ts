import type { Report, StackFrame } from '../../model/report.ts';
import { moments, stacksAt } from './stacks.ts';

/**
 * https://www.speedscope.app/file-format-schema.json (version 1.x): one sampled profile for each moment, weighed in bytes.
 * Opens in speedscope and in Perfetto.
 */
export function renderSpeedscope(
  report: Report,
  { version }: { readonly version: string },
): string {
  const frames: { name: string; file?: string; line?: number }[] = [];
  const numbers = new Map<string, number>();
  const numberOf = ({ function: name, file, line }: StackFrame): number => {
    const key = JSON.stringify([name, file, line]);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, frames.length);
    return (
      frames.push({
        name,
        ...(file === null ? {} : { file }),
        ...(line === null ? {} : { line }),
      }) - 1
    );
  };
  const profiles = moments.flatMap(([when, name]) => {
    const stacks = stacksAt(report, when);
    if (stacks.length === 0) return [];
    const weights = stacks.map(({ bytes }) => bytes);
    return [
      {
        type: 'sampled',
        name,
        unit: 'bytes',
        startValue: 0,
        endValue: weights.reduce((sum, bytes) => sum + bytes, 0),
        samples: stacks.map((stack) => stack.frames.map(numberOf)),
        weights,
      },
    ];
  });
  return JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    exporter: `coroner@${version}`,
    name: report.incidents.at(-1)?.headline ?? 'coroner',
    activeProfileIndex: 0,
    shared: { frames },
    profiles,
  });
}
