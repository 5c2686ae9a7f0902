import { Problem } from './problem.ts';
import { parseTime } from '../model/units.ts';

const units: Readonly<Record<string, number>> = {
  s: 1,
  sec: 1,
  second: 1,
  m: 60,
  min: 60,
  minute: 60,
  h: 3600,
  hour: 3600,
  d: 86_400,
  day: 86_400,
  w: 604_800,
  week: 604_800,
};

/** A point in time as people type it: ISO 8601, `yesterday`, `10:30`, `2 hours ago`, `-15min`, `@1774958400`. */
export function pointInTime(text: string, now: Date): Date {
  const asked = text.trim();
  const ago = /^(?:-\s*(\d+)\s*([a-z]+?)s?|(\d+)\s*([a-z]+?)s?\s+ago)$/i.exec(asked);
  if (ago !== null) {
    const unit =
      units[(ago[2] ?? ago[4] ?? '').toLowerCase()] ?? (/^s$/i.test(ago[2] ?? '') ? 1 : undefined);
    const then = new Date(now.getTime() - Number(ago[1] ?? ago[3]) * (unit ?? Number.NaN) * 1000);
    if (!Number.isNaN(then.getTime())) return then;
  }
  if (/^@\d{1,12}$/.test(asked)) return new Date(Number(asked.slice(1)) * 1000);
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  if (asked === 'now') return now;
  if (asked === 'today') return midnight;
  if (asked === 'yesterday')
    return new Date(midnight.getFullYear(), midnight.getMonth(), midnight.getDate() - 1);
  const clock = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(asked);
  if (clock !== null)
    return new Date(
      now.getFullYear(),
      now.getMonth(),
      now.getDate(),
      Number(clock[1]),
      Number(clock[2]),
      Number(clock[3] ?? 0),
    );
  // A date alone is the day's beginning here, not in Greenwich.
  const date = /^(\d{4})-(\d\d)-(\d\d)$/.exec(asked);
  const parsed =
    date === null
      ? new Date(asked.replace(/^(\d{4}-\d\d-\d\d) /, '$1T'))
      : new Date(Number(date[1]), Number(date[2]) - 1, Number(date[3]));
  const isPossible = !/^\d{4}-\d\d-\d\d/.test(asked) || parseTime(asked.slice(0, 10)) !== undefined;
  if (isPossible && !Number.isNaN(parsed.getTime()) && /\d{4}/.test(asked)) return parsed;
  throw new Problem(
    `"${text}" is no point in time`,
    'for example: yesterday, "2 hours ago", 10:30, 2026-01-31T12:00:00Z',
  );
}
