import { gzipSync } from 'node:zlib';
import type { Report, StackFrame } from '../../model/report.ts';
import { moments, stacksAt } from './stacks.ts';
import { inWords } from '../../model/prose.ts';

/**
 * A gzipped `perftools.profiles.Profile` (proto/profile.proto of google/pprof). Sample types are `inuse_space` at the peak and at
 * the death, so that `go tool pprof -sample_index=` chooses between them.
 */
export function renderPprof(report: Report): Uint8Array {
  const strings = new Interner();
  strings.number('');
  const functions = new Interner();
  const locations = new Interner();
  const functionMessages: Uint8Array[] = [];
  const locationMessages: Uint8Array[] = [];
  const locationOf = ({ function: name, file, line }: StackFrame): number => {
    const functionKey = JSON.stringify([name, file]);
    const functionId = functions.number(functionKey) + 1;
    if (functionMessages.length < functionId)
      functionMessages.push(
        message([
          [1, functionId],
          [2, strings.number(name)],
          [3, strings.number(name)],
          [4, strings.number(file ?? '')],
        ]),
      );
    const id = locations.number(JSON.stringify([name, file, line])) + 1;
    if (locationMessages.length < id)
      locationMessages.push(
        message([
          [1, id],
          [
            4,
            message([
              [1, functionId],
              [2, line ?? 0],
            ]),
          ],
        ]),
      );
    return id;
  };
  const used = moments
    .map(([when, title]) => ({ title, stacks: stacksAt(report, when) }))
    .filter(({ stacks }) => stacks.length > 0);
  const samples = used.flatMap(({ stacks }, index) =>
    stacks.map(({ frames, bytes }) =>
      message([
        // Innermost first.
        [1, packed(frames.toReversed().map(locationOf))],
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
  const at = report.incidents.at(-1)?.at;
  const comment = strings.number(inWords(report.incidents.at(-1)?.headline ?? ''));
  return gzipSync(
    message([
      ...types.map((type): Field => [1, type]),
      ...samples.map((sample): Field => [2, sample]),
      ...locationMessages.map((location): Field => [4, location]),
      ...functionMessages.map((each): Field => [5, each]),
      ...strings.all().map((text): Field => [6, new TextEncoder().encode(text)]),
      ...(at === null || at === undefined || Number.isNaN(Date.parse(at))
        ? []
        : [[9, BigInt(Date.parse(at)) * 1_000_000n] as Field]),
      [13, packed([comment])],
    ]),
  );
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

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(value);
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
