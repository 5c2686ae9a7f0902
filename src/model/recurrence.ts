/** How often the same death has come: by its fingerprint, in the order of time. */

export interface Recurrence {
  /** 2 for the second time. */
  readonly times: number;
  /** When it came first, ISO 8601. */
  readonly since: string;
}

interface Death {
  readonly fingerprint: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Of one death among others, earlier and later ones; null: it came once. */
export function recurrenceOf(death: Death, all: readonly Death[]): Recurrence | null {
  const earlier = all
    .filter(({ fingerprint, at }) => fingerprint === death.fingerprint && at < death.at)
    .toSorted((a, b) => (a.at < b.at ? -1 : 1));
  const [first] = earlier;
  return first === undefined ? null : { times: earlier.length + 1, since: first.at };
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const dayMs = 86_400_000;

/** `the 7th time since Tuesday`; the hour within a day, the date after a week. `now`: ISO 8601. */
export function recurrenceText({ times, since }: Recurrence, now: string): string {
  const ageMs = Date.parse(now) - Date.parse(since);
  const when =
    since.slice(0, 10) === now.slice(0, 10)
      ? `${since.slice(11, 16)} UTC`
      : ageMs < 6 * dayMs
        ? (days[new Date(since).getUTCDay()] ?? since.slice(0, 10))
        : since.slice(0, 10);
  return `the ${ordinal(times)} time since ${when}`;
}

export function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teen ? 'th' : n % 10 === 1 ? 'st' : n % 10 === 2 ? 'nd' : n % 10 === 3 ? 'rd' : 'th'}`;
}
