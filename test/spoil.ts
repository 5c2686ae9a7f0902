// What may happen to a file of an incident folder: a line replaced, a field replaced, the file itself replaced by something else.
import type { Entry } from './folders.ts';

export type Next = () => number;
export const pick = <T>(list: readonly T[], next: Next): T =>
  list[Math.floor(next() * list.length)] as T;

/** JSON.stringify has no way to say 1e999, which JSON.parse reads as Infinity. */
const infinity = '@1e999';
const asJson = (value: unknown): string =>
  JSON.stringify(value)
    .replaceAll(`"${infinity}"`, '1e999')
    .replaceAll(`"-${infinity}"`, '-1e999')
    .replaceAll('"__own__"', '"__proto__"');

const nasty: readonly unknown[] = [
  null,
  -1,
  0,
  1.5,
  1e300,
  -1e300,
  2 ** 53,
  2 ** 32,
  infinity,
  `-${infinity}`,
  '',
  '0',
  'x'.repeat(5000),
  '2026-91-31T12:00:00Z',
  '2026-02-31T12:00:00Z',
  '\u0000\u001B[2J\uD800',
  [],
  [null],
  [[]],
  [5, 'x', {}],
  {},
  { __own__: { pid: 1 } },
  { toString: 1, length: 1e9 },
  true,
  false,
];

/** A value of any JSON. */
export function anyJson(next: Next, depth = 3): unknown {
  const kind = next();
  if (depth === 0 || kind < 0.5) return pick(nasty, next);
  const count = Math.floor(next() * 4);
  if (kind < 0.7) return Array.from({ length: count }, () => anyJson(next, depth - 1));
  const keys = ['what', 'atMs', 'pid', 'processes', 'format', 'picture', 'stack', 'a', '__own__'];
  return Object.fromEntries(
    Array.from({ length: count }, () => [pick(keys, next), anyJson(next, depth - 1)]),
  );
}

/** Every place in a value, as the keys that lead there. */
function placesIn(value: unknown, at: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, own]) => placesIn(own, [...at, key]))];
}

function replaceAt(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy: unknown = structuredClone(value);
  let holder = copy as Record<string, unknown>;
  let last = key;
  for (const next of rest) {
    holder = holder[last] as Record<string, unknown>;
    last = next;
  }
  holder[last] = by;
  return copy;
}

export interface Spoilt {
  readonly how: string;
  readonly entry: Entry;
  /** Nothing that was put there could be taken for what a recorder writes: it must not prove more than was proven before. */
  readonly garbage: boolean;
}
/** `line` replaced by any JSON at all. */
export function spoilLine(bytes: Buffer, next: Next): Spoilt {
  const lines = bytes.toString('utf8').split('\n');
  const at = Math.floor(next() * lines.length);
  lines[at] = asJson(anyJson(next));
  return {
    how: `line ${at + 1} is ${lines[at].slice(0, 80)}`,
    entry: { kind: 'bytes', bytes: Buffer.from(lines.join('\n')) },
    garbage: true,
  };
}

/** One field of one JSON value replaced by a nasty one. */
export function spoilField(bytes: Buffer, next: Next): Spoilt {
  const text = bytes.toString('utf8');
  let [lines, whole] = [text.split('\n'), false];
  try {
    JSON.parse(text);
    [lines, whole] = [[text], true];
  } catch {
    // One value a line.
  }
  const at = Math.floor(next() * Math.max(1, lines.length - (whole ? 0 : 1)));
  let value: unknown;
  try {
    value = JSON.parse(lines[at] ?? '');
  } catch {
    return spoilLine(bytes, next);
  }
  const place = pick(placesIn(value), next);
  let own: unknown = value;
  for (const key of place) own = (own as Record<string, unknown>)[key];
  const by = pick(nasty, next);
  lines[at] = asJson(replaceAt(value, place, by));
  const sameType = typeof own === typeof by || own === null || by === null;
  return {
    how: `line ${at + 1} has ${place.join('.')} = ${asJson(by).slice(0, 40)}`,
    entry: { kind: 'bytes', bytes: Buffer.from(lines.join('\n')) },
    garbage: !sameType && typeof by !== 'number' && typeof by !== 'string',
  };
}

/** The file itself replaced, cut or flipped. */
export function spoilFile(bytes: Buffer, next: Next, withFifos: boolean): Spoilt {
  const kinds = ['folder', 'link', 'device', 'loop', 'absent', 'empty', 'random', 'cut', 'flip'];
  const how = pick(withFifos ? [...kinds, 'fifo'] : kinds, next);
  const random = () => Buffer.from(Array.from({ length: 300 }, () => Math.floor(next() * 256)));
  const as = (entry: Entry): Spoilt => ({
    how,
    entry,
    garbage: how !== 'flip',
  });
  const asBytes = (content: Buffer) => as({ kind: 'bytes', bytes: content });
  switch (how) {
    case 'folder':
    case 'fifo':
    case 'absent':
      return as({ kind: how });
    case 'link':
      return as({ kind: 'link', to: '/etc/passwd' });
    case 'device':
      return as({ kind: 'link', to: '/dev/zero' });
    case 'loop':
      return as({ kind: 'link', to: '.' });
    case 'empty':
      return asBytes(Buffer.alloc(0));
    case 'cut':
      return asBytes(bytes.subarray(0, Math.floor(next() * bytes.length)));
    case 'flip': {
      const flipped = Buffer.from(bytes);
      for (let count = 1 + Math.floor(next() * 10); count > 0 && flipped.length > 0; count -= 1)
        flipped[Math.floor(next() * flipped.length)] = Math.floor(next() * 256);
      return asBytes(flipped);
    }
    default:
      return asBytes(random());
  }
}
