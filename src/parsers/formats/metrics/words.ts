/** A machine that stood still for want of memory, as people tell it: nothing was killed, so no log has it. */
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { maxPasted, wholeText } from '../../text/lines.ts';
import { window } from './window.ts';

/** One of these stands in every such letter. */
export const wordsOfSlowness = [
  'thrashing',
  'thrashed',
  'memory thrash',
  'unresponsive',
  'swap was ',
  'swap is ',
  'swap ist ',
  ' of swap',
  'swap and ',
  'and swap',
  'swap at ',
  ' GB swap',
  'Swap ist ',
];

/** It no longer answered, in the words of whoever sat before it. */
const stoodStill =
  /\b(?:freez(?:e|es|ing)|froze(?:n)?|unresponsive|(?:locks?|locked|locking)[ -]?up|thrash(?:es|ed|ing)?|hangs?|hung|grinds? to a halt|ground to a halt|crawls?|becomes? unusable|hard reset|hard shutdown|power button)\b|friert|eingefroren|hängt sich auf|reagiert nicht|\bse (?:congela|cuelga|bloquea)|\b(?:gèle|fige|freeze)\b/i;
const full = String.raw`(?:(?:completely|entirely|totally|almost|nearly|\w{1,12}) )?(?:full|exhausted|used up|maxed(?: out)?|filled(?: up)?|voll|belegt|lleno?a?|pleine?)|(?:at |to |zu |à |al )?(?:9[5-9]|100)(?:[.,]\d{1,2})? ?%`;
const ramFull = new RegExp(
  String.raw`\b(?:RAM|(?:physical |main )?memory|Arbeitsspeicher|memoria|mémoire)\b[^.!?\n]{0,40}?\b(?:is|was|were|gets?|got|hits?|reache[sd]|runs?|ist|war|wird|está|est|at)?\b[^.!?\n]{0,20}?(?:${full})`,
  'i',
);
const swapFull = new RegExp(
  String.raw`\b(?:swap|swapfile|swap ?file|page ?file|paging file|zram)\b[^.!?\n]{0,60}?(?:${full})|(?:${full})[^.!?\n]{0,20}\b(?:swap)\b`,
  'i',
);
/** Counters of a cgroup that was at its limit and went round in circles. */
const circles =
  /\b(?:memory thrash\w{0,3}|thrash\w{0,3})\b[^]{0,400}?\b(?:refaults?|limit hits|0 oom[_ -]?kills?)\b/i;
/** Not what happened to the one who writes. */
const supposed =
  /\b(?:if (?:you|your|the|my)|how (?:much|do|can|to)|should I|would|could|might|to avoid|prevent\w{0,4}|in theory|for example|so that|alerts?|curious|unused|plenty of|not (?:the )?(?:memory|RAM|swap))\b/i;

/** People write so long a letter, and no longer. */
const longestLetter = 8192;

export function* slowInWords(input: Input): Iterable<MetricsWindow> {
  const whole = wholeText(input);
  if (
    whole.length > Math.min(longestLetter, maxPasted) ||
    !/swap|thrash|zram|page ?file/i.test(whole)
  )
    return;
  for (const [at, { text }] of input.lines.entries()) {
    const around = `${input.lines[at - 1]?.text ?? ''}\n${text}\n${input.lines[at + 1]?.text ?? ''}`;
    const isCircle = circles.test(text);
    if (!isCircle && !(swapFull.test(text) && ramFull.test(around) && stoodStill.test(whole)))
      continue;
    if (supposed.test(text)) continue;
    yield window(input, at, at, {
      tool: 'words',
      samples: 1,
      reading: 'thrashing',
      message: isCircle
        ? 'somebody tells that it read the same pages again and again, at its limit, and nothing was killed'
        : 'somebody tells that RAM and swap were full and that it stood still',
    });
    return;
  }
}
