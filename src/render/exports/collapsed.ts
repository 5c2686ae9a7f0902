import type { Report, StackFrame } from '../../model/report.ts';
import { safeText } from '../safe-text.ts';
import { stacksAt, type Moment } from './stacks.ts';

/**
 * Collapsed stacks, as flamegraph.pl and its kin read them: frames separated by `;`, outermost first, then a space and the bytes.
 * Without a moment: the peak, or where no peak was recorded the death.
 */
export function renderCollapsed(report: Report, moment?: Moment): string {
  const peak = stacksAt(report, moment ?? 'peak');
  const stacks = peak.length > 0 || moment !== undefined ? peak : stacksAt(report, 'death');
  return (
    collapsedMark +
    stacks.map(({ frames, bytes }) => `${frames.map(frameText).join(';')} ${bytes}\n`).join('')
  );
}

/** A stack of no weight: draws nothing, and tells that the file is ours and may be written again. */
export const collapsedMark = 'coroner 0\n';

const frameText = ({ function: name, file, line }: StackFrame): string =>
  safeText(
    file === null ? name : `${name} (${line === null ? file : `${file}:${line}`})`,
  ).replaceAll(';', ',');
