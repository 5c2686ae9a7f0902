/**
 * `Mem-Info:`, the kernel's account of the whole machine's memory (show_mem), where nothing else is left of a report. It prints one
 * when the OOM killer runs, when an allocation of its own failed, and on SysRq-m. One that shows the machine exhausted is the killer's.
 */
import type { KernelOomWithoutKill } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { logLines } from '../../text/log-lines.ts';
import { wholeText } from '../../text/lines.ts';
import type { KernelLog } from './log.ts';

export const memoryInfoLiterals = ['total pagecache pages', 'all_unreclaimable? yes', 'Mem-Info:'];

/** Of the machine's pages: below it the cache has been squeezed out. */
const squeezedShare = 0.02;

export function memoryInfo(log: KernelLog, input: Input): KernelOomWithoutKill[] {
  const whole = wholeText(input);
  if (!memoryInfoLiterals.some((literal) => whole.includes(literal))) return [];
  if (/page allocation (?:failure|stall)|[Ss]ys[Rr]q ?: ?Show Memory/.test(whole)) return [];
  const figures = figuresIn(input);
  if (figures === undefined || !isExhausted(figures)) return [];
  const { line } = figures;
  return [
    {
      kind: 'kernel-oom-without-kill',
      origin: log.origin(line),
      ...(line.when === undefined ? {} : { when: line.when }),
      constraint: 'none',
      report: null,
      why: 'figures-alone',
    },
  ];
}

interface Figures {
  /** The line that tells most. */
  readonly line: ReturnType<typeof logLines>[number];
  readonly freeSwap?: number;
  readonly totalSwap?: number;
  readonly cachePages?: number;
  readonly ramPages?: number;
  readonly isUnreclaimable?: true;
  /** Lines of the account; one alone may be quoted in a sentence. */
  readonly count: number;
}

function figuresIn(input: Input): Figures | undefined {
  let figures: Omit<Figures, 'line'> = { count: 0 };
  let told: Figures['line'] | undefined;
  for (const line of logLines(input)) {
    const more = figuresOf(line.text);
    if (more === undefined) continue;
    figures = { ...figures, ...more, count: figures.count + 1 };
    if (told === undefined || more.isUnreclaimable === true || more.freeSwap !== undefined)
      told = line;
  }
  return told === undefined ? undefined : { ...figures, line: told };
}

function figuresOf(text: string): Partial<Figures> | undefined {
  const swap = /^(Free|Total) swap\s+= (\d{1,15})kB$/.exec(text);
  if (swap !== null)
    return swap[1] === 'Free' ? { freeSwap: Number(swap[2]) } : { totalSwap: Number(swap[2]) };
  const pages = /^(\d{1,12}) (total pagecache pages|pages RAM)$/.exec(text);
  if (pages !== null)
    return pages[2] === 'pages RAM'
      ? { ramPages: Number(pages[1]) }
      : { cachePages: Number(pages[1]) };
  const zone =
    /^Node \d+ (?!DMA )\w+ free:(\d{1,12})kB (?:boost:\d{1,12}kB )?min:(\d{1,12})kB /.exec(text);
  if (zone !== null)
    return Number(zone[1]) < Number(zone[2]) * 1.1 ? { isUnreclaimable: true } : {};
  return /^(?:Node \d+ \w+: \d+\*4kB|lowmem_reserve\[\]:|(?:in)?active_(?:anon|file):\d)/.test(text)
    ? {}
    : undefined;
}

/** No swap left and no cache to give up, or a zone below the least that must stay free. */
const isExhausted = ({
  count,
  freeSwap,
  totalSwap,
  cachePages,
  ramPages,
  isUnreclaimable,
}: Figures): boolean =>
  count >= 3 &&
  (isUnreclaimable === true ||
    (freeSwap !== undefined &&
      freeSwap <= (totalSwap ?? 0) / 100 &&
      cachePages !== undefined &&
      ramPages !== undefined &&
      cachePages <= ramPages * squeezedShare));
