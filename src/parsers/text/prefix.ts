import { defined } from '../../model/defined.ts';
import type { When } from '../../model/evidence.ts';
import { isoTime, isoTimeIn } from '../../model/units.ts';

export interface Stripped {
  readonly text: string;
  readonly when?: When;
  readonly stream: string;
  readonly prefixed: boolean;
}

interface State {
  wall?: string;
  uptimeSeconds?: number;
  printed?: string;
  host?: string;
  caller?: string;
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

type Strip = readonly [pattern: RegExp, take: (match: RegExpExecArray, state: State) => void];

/** What loggers put in front of a kernel's message, in any order and nesting. Every pattern is anchored and short. */
const strips: readonly Strip[] = [
  // Mail quoting, byte order mark, list marks of a page.
  [/^(?:\uFEFF|\s*(?:>\s?)+|\s+)/, () => {}],
  // RFC 5424: `<6>1 2026-01-31T12:00:00Z host kernel - - - `
  [/^<\d{1,3}>(?:1 (?=\d{4}-))?/, () => {}],
  // /dev/kmsg: priority, sequence number, microseconds since boot, flags.
  [
    /^\d{1,3},\d{1,20},(\d{1,17}),[-c+](?:,[^;]{0,80})?;/,
    ([, micros], state) => {
      state.uptimeSeconds = Number(micros) / 1e6;
    },
  ],
  // ISO 8601 and RFC 3339, with day name, comma fraction, zone or none.
  [
    /^\[?(?:[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[A-Z]{3,5}(?=\s)|[+-]\d\d:?\d\d)?\]?(?:\s+|$)/,
    ([, day, time, fraction, zone], state) => {
      const offset =
        zone === undefined || /^[A-Z]/.test(zone)
          ? 'Z'
          : zone.replace(/^(.\d\d):?(\d\d)$/, '$1:$2');
      setWall(state, `${day}T${time}.${(fraction ?? '0').slice(0, 3).padEnd(3, '0')}${offset}`);
    },
  ],
  // Classic syslog has no year: the time is kept as printed.
  [
    /^([A-Z][a-z]{2})\s+(\d{1,2})\s+(?:(\d{4})\s+)?(\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?(?:\s+|$)/,
    ([printed, month, day, year, time], state) => {
      const index = months.indexOf(month ?? '');
      if (index < 0) return;
      state.printed = printed.trim();
      if (year !== undefined) setWall(state, isoOf(year, index, day, time));
    },
  ],
  // dmesg -T, also localised (`[Di Aug 12 14:20:10 2025]`, `[月 1月 26 …]`).
  [
    /^\[([^\][]{0,24}?)(\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?\s?([^\][]{0,24})\](?:\[\s*([TC]\d+)\])?(?:\s|$)/,
    ([printed, before = '', time, after = '', caller], state) => {
      state.printed = printed.slice(1).replace(/\].*/, '');
      if (caller !== undefined) state.caller = caller;
      const english = /([A-Z][a-z]{2})\s+(\d{1,2})\s*$/.exec(before);
      const index = months.indexOf(english?.[1] ?? '');
      const year = /\b(\d{4})\b/.exec(after)?.[1];
      if (index >= 0 && year !== undefined) setWall(state, isoOf(year, index, english?.[2], time));
    },
  ],
  // Seconds since boot, with the thread or CPU of CONFIG_PRINTK_CALLER.
  [
    /^\[\s*(\d{1,9}\.\d{1,9})\s*\](?:\[\s*([TC]\d{1,10})\])?/,
    ([, seconds, caller], state) => {
      state.uptimeSeconds = Number(seconds);
      if (caller !== undefined) state.caller = caller;
    },
  ],
  [
    /^\[\s*([TC]\d{1,10})\]/,
    ([, caller], state) => {
      if (caller !== undefined) state.caller = caller;
    },
  ],
  // `host kernel: `, `kernel: `, `host kern.warning kernel: `, `host kernel - - - `, `host kernel[0]: `
  [
    /^(?:([^\s:[\]=()]{1,64}|<[^>]{1,40}>)\s+)?(?:kern\.\w{3,7}\s+)?kernel(?:\[\d*\])?(?::| - - -)(?:\s|$)/,
    ([, host], state) => {
      if (host !== undefined && host !== '-') state.host = host;
    },
  ],
  // What a serial console, netconsole or a hypervisor's log of its guest writes before the kernel's own level and time.
  [/^(?:[^<[]{1,120}[:\s])<[0-7]>(?=\[\s{0,8}\d{1,9}\.\d{1,9}\])/, () => {}],
  // CRI logs, docker compose, grep -n and grep -C.
  [/^(?:stdout|stderr) [FP] /, () => {}],
  [/^[A-Za-z0-9_.-]{1,64}\s+\| /, () => {}],
  [
    /^(?:[A-Za-z0-9_./-]{1,80}[:-])?\d{1,9}[:-](?=\s{0,2}(?:[A-Z][a-z]{2}\s|\[|<\d|\d{4}-\d\d-))/,
    () => {},
  ],
  // journalctl -o short-unix
  [
    /^(\d{10})\.(\d{3,6}) (?=\S)/,
    ([, seconds, fraction = ''], state) => {
      const wall = isoTime(Number(`${seconds}${fraction.slice(0, 3)}`));
      if (wall !== undefined) state.wall = wall;
    },
  ],
  // journalctl -o export
  [/^MESSAGE=/, () => {}],
];

/** Takes off every known prefix, and tells the time and the source it named. */
export function stripPrefix(line: string): Stripped {
  const state: State = {};
  let text = line;
  let prefixed = false;
  for (let round = 0; round < 8; round += 1) {
    const before = text;
    for (const [index, [pattern, take]] of strips.entries()) {
      const match = pattern.exec(text);
      if (match === null || match[0] === '') continue;
      take(match, state);
      text = text.slice(match[0].length);
      if (index > 0) prefixed = true;
    }
    if (text === before) break;
  }
  const when: When | undefined =
    state.wall !== undefined || state.uptimeSeconds !== undefined || state.printed !== undefined
      ? {
          ...defined({
            wall: state.wall,
            uptimeSeconds: state.uptimeSeconds,
            printed: state.printed,
          }),
        }
      : undefined;
  return {
    text: text.trimEnd(),
    stream: `${state.host ?? ''}|${state.caller ?? ''}`,
    prefixed,
    ...defined({ when }),
  };
}

const isoOf = (year: string, month: number, day = '1', time = '00:00:00'): string =>
  `${year}-${String(month + 1).padStart(2, '0')}-${day.padStart(2, '0')}T${time}Z`;

function setWall(state: State, text: string): void {
  const wall = isoTimeIn(text);
  if (wall !== undefined) state.wall = wall;
}
