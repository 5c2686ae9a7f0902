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
  return stacks
    .map(({ frames, bytes }) => `${frames.map(frameText).join(';')} ${bytes}\n`)
    .join('');
}

const frameText = ({ function: name, file, line }: StackFrame): string =>
  safeText(
    file === null ? name : `${name} (${line === null ? file : `${file}:${line}`})`,
  ).replaceAll(';', ',');
