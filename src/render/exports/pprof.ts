import { gzipSync } from 'node:zlib';
import type { Report, StackFrame } from '../../model/report.ts';
import { moments, stacksAt } from './stacks.ts';
import { inWords } from '../../model/prose.ts';
import { parseTime } from '../../model/units.ts';

/**
 * A gzipped `perftools.profiles.Profile` (proto/profile.proto of google/pprof). Sample types are `inuse_space` at the peak and at
 * the death, so that `go tool pprof -sample_index=` chooses between them.
 */
export function renderPprof(report: Report): Uint8Array {
  const tables = new Tables();
  const { strings } = tables;
  const used = moments
    .map(([when, title]) => ({ title, stacks: stacksAt(report, when) }))
    .filter(({ stacks }) => stacks.length > 0);
  const samples = used.flatMap(({ stacks }, index) =>
    stacks.map(({ frames, bytes }) =>
      message([
        // Innermost first.
        [1, packed(frames.toReversed().map((frame) => tables.location(frame)))],
        [2, packed(used.map((_, other) => (other === index ? bytes : 0)))],
      ]),
    ),
  );
  const types = used.map(({ title }) =>
    message([
      [1, strings.number(`inuse_space ${title}`)],
      [2, strings.number('bytes')],
    ]),
  );
  const ours = strings.number('coroner');
  const last = report.incidents.at(-1);
  const comment = strings.number(inWords(last?.headline ?? ''));
  return gzipSync(
    message([
      ...types.map((type): Field => [1, type]),
      ...samples.map((sample): Field => [2, sample]),
      ...tables.locations.map((location): Field => [4, location]),
      ...tables.functions.map((each): Field => [5, each]),
      ...strings.all().map((text): Field => [6, new TextEncoder().encode(text)]),
      ...timeField(last?.at),
      // The first tells whose file it is.
      [13, packed([ours, comment])],
    ]),
  );
}

/** In nanoseconds since 1970, where it is known. */
function timeField(at: string | null | undefined): readonly Field[] {
  const ms = parseTime(at ?? '');
  return ms === undefined ? [] : [[9, whole(ms) * 1_000_000n]];
}

/** The profile's tables of strings, functions and locations. String 0 is empty, ids of the others begin at 1. */
class Tables {
  readonly strings = new Interner();
  readonly functions: Uint8Array[] = [];
  readonly locations: Uint8Array[] = [];
  readonly #functionIds = new Interner();
  readonly #locationIds = new Interner();

  constructor() {
    this.strings.number('');
  }
  /** The id of the frame's place. */
  location(frame: StackFrame): number {
    const { function: name, file, line } = frame;
    const functionId = this.#function(frame);
    const id = this.#locationIds.number(JSON.stringify([name, file, line])) + 1;
    if (this.locations.length < id) {
      const lineOf = message([
        [1, functionId],
        [2, line ?? 0],
      ]);
      this.locations.push(
        message([
          [1, id],
          [4, lineOf],
        ]),
      );
    }
    return id;
  }
  #function({ function: name, file }: StackFrame): number {
    const id = this.#functionIds.number(JSON.stringify([name, file])) + 1;
    if (this.functions.length < id)
      this.functions.push(
        message([
          [1, id],
          [2, this.strings.number(name)],
          [3, this.strings.number(name)],
          [4, this.strings.number(file ?? '')],
        ]),
      );
    return id;
  }
}

/** Field number and value: a number is a varint, bytes are length-delimited. */
type Field = readonly [number, number | bigint | Uint8Array];

function message(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [number, value] of fields) {
    if (value instanceof Uint8Array)
      parts.push(varint((number << 3) | 2), varint(value.length), value);
    // 0 is proto3's default and is left out.
    else if (value !== 0) parts.push(varint(number << 3), varint(value));
  }
  return Buffer.concat(parts);
}

const packed = (numbers: readonly number[]): Uint8Array => Buffer.concat(numbers.map(varint));

/** Of a stored report any number may come: the format has whole ones from 0 to 2^63 alone. */
const whole = (value: number): bigint =>
  BigInt(Math.floor(Math.min(Math.max(value || 0, 0), 2 ** 62)));

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = typeof value === 'bigint' ? value : whole(value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** Numbers things in the order in which they are first seen. */
class Interner {
  readonly #numbers = new Map<string, number>();

  number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#numbers.size);
    return this.#numbers.size - 1;
  }
  all(): readonly string[] {
    return [...this.#numbers.keys()];
  }
}
