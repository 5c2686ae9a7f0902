/** PSI: `/proc/pressure/memory`, `memory.pressure` of a cgroup, as files and as people quote them. */
import { defined } from '../../../model/defined.ts';
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { lineAt } from '../../text/lines.ts';
import { window } from './window.ts';

/** `avg10=91.14`, `avg10: 91`, `| full avg10 | 91 |`, `avg10 of 91 %`. */
export const average = /avg10["'`*]{0,2}\s{0,3}(?:[=:|≈~]|of\b|at\b|was\b|hit\b|reached\b)/;

const averageOf = (which: string): RegExp =>
  new RegExp(`\\b${which}\\b[^=\\d]{0,20}${average.source}\\s{0,4}(\\d{1,16}(?:\\.\\d{1,4})?)`);

const fullAverage = averageOf('full');

const someAverage = averageOf('some');

/** The lab's border: above it, together with a full cgroup, work stands still (two samples in a row). */
const thrashingFull = 10;

export function* pressure(input: Input): Iterable<MetricsWindow> {
  let last: MetricsWindow | undefined;
  for (let at = 0; at < input.lines.length; at += 1) {
    const text = lineAt(input, at);
    if (!average.test(text)) continue;
    // `cpu.pressure`, `io.pressure` have the same shape
    const about = resourceOf(input, at);
    if (about !== 'memory') continue;
    const next = lineAt(input, at + 1);
    const both =
      /\bfull\b/.test(text) ||
      /\b(?:some|cpu|io)\b/.test(next) ||
      !(/\bfull\b/.test(next) && average.test(next))
        ? text
        : `${text} ${next}`;
    const full = fullAverage.exec(both);
    const some = someAverage.exec(both);
    const fullAvg = full === null ? undefined : Number(full[1]);
    const someAvg = some === null ? undefined : Number(some[1]);
    // More than 100 % cannot be (a kernel bug of 6.0-rc).
    if ([fullAvg, someAvg].some((value) => value !== undefined && value > 100)) continue;
    const thrashing =
      fullAvg !== undefined ? fullAvg > thrashingFull : someAvg !== undefined && someAvg > 60;
    const fact = window(input, at, both === text ? at : at + 1, {
      tool: 'PSI',
      ...defined({ psiMemoryFullAvg10: fullAvg, psiMemorySomeAvg10: someAvg }),
      samples: 1,
      reading: thrashing ? 'thrashing' : (someAvg ?? 0) > 10 ? 'high' : 'calm',
      message:
        fullAvg === undefined
          ? `some tasks waited for memory ${someAvg} % of the time`
          : `all tasks at once waited for memory ${fullAvg} % of the time (last 10 s)`,
    });
    if (last === undefined || last.reading !== fact.reading || fact.reading === 'thrashing')
      yield fact;
    last = fact;
  }
}

/** Which resource a line of PSI is about: its own words, else the file that was named above it. */
function resourceOf(input: Input, at: number): 'memory' | 'other' | undefined {
  for (let back = 0; back <= 4; back += 1) {
    const text = lineAt(input, at - back);
    const before = back === 0 ? text.slice(0, text.search(average)) : text;
    const named = [
      ...before.matchAll(/\b(memory|mem|cpu|io|irq)(?:\.pressure|\b)|pressure\/(memory|cpu|io)/gi),
    ].at(-1);
    if (named !== undefined) return /mem/i.test(named[0]) ? 'memory' : 'other';
    if (back > 0 && text.trim() === '') break;
  }
  return undefined;
}
