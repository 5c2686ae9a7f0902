// Mutations of every fixture: cut, splice, flip, repeat, interleave, huge lines, NULs, invalid UTF-8. None may throw, take
// longer than a second, quote what does not stand there, or give a certain memory verdict without a witness of one.
//   CORONER_FUZZ_CASES   how many (default: 1,000,000)
//   CORONER_FUZZ_SECONDS for how long at most (default: 600); the number of cases that fitted in is printed
//   CORONER_FUZZ_SEED    where to start (default: 1); a failure names its seed
// A program of its own, started by fuzz-parsers.test.ts: as a test of vitest's it would make a quarter as many cases in its time.
import assert from 'node:assert/strict';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { gatherText } from '../../src/gather/text.ts';
import { fixtures, random, type Fixture } from '../fixtures.ts';
import { hearFaults } from '../../src/model/faults.ts';

// A contained fault is one all the same.
hearFaults((_fault, error) => {
  throw error;
});

const wanted = Number(process.env['CORONER_FUZZ_CASES'] ?? 1_000_000);
const seconds = Number(process.env['CORONER_FUZZ_SECONDS'] ?? 600);
const firstSeed = Number(process.env['CORONER_FUZZ_SEED'] ?? 1);
/** Beyond this a case takes long by its size alone: big fixtures are mutated in a window. */
const windowBytes = 12_000;

type Next = () => number;
const pick = <T>(list: readonly T[], next: Next): T => list[Math.floor(next() * list.length)] as T;
/**
 * Fixtures that tell of no memory death at all: whatever is done to them, nothing certain may come of it. A text about
 * another memory (a GPU's, a runtime's heap) may lose the words that say so, and is not among them; nor is a refused request that
 * only its size excuses (40 bytes; a negative number read as a huge one): a digit more or less, and it is a death.
 */
const innocent = fixtures.filter(({ bytes }) => {
  const text = bytes.toString('utf8');
  const { incidents } = diagnose(gatherText('input', text));
  const hangsOnSize =
    /memory allocation of \d+ bytes failed/.test(text) ||
    incidents.some(({ variant }) => variant === 'impossible-size');
  return !hangsOnSize && incidents.every(({ cause }) => cause === 'not-memory');
});
let drawn: readonly Fixture[] = fixtures;
const bytesOf = (next: Next): Buffer => {
  const { bytes } = pick(drawn, next);
  if (bytes.length <= windowBytes) return Buffer.from(bytes);
  const at = Math.floor(next() * (bytes.length - windowBytes));
  return Buffer.from(bytes.subarray(at, at + windowBytes));
};
const somewhere = (bytes: Buffer, next: Next) => Math.floor(next() * (bytes.length + 1));

const range = (bytes: Buffer, next: Next): readonly [number, number] => {
  const a = somewhere(bytes, next);
  const b = somewhere(bytes, next);
  return a < b ? [a, b] : [b, a];
};

const mutations: Readonly<Record<string, (bytes: Buffer, next: Next) => Buffer>> = {
  cutHead: (bytes, next) => bytes.subarray(somewhere(bytes, next)),
  cutTail: (bytes, next) => bytes.subarray(0, somewhere(bytes, next)),
  cutOut: (bytes, next) => {
    const [from, to] = range(bytes, next);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  splice: (bytes, next) => {
    const other = bytesOf(next);
    return Buffer.concat([
      bytes.subarray(0, somewhere(bytes, next)),
      other.subarray(somewhere(other, next)),
    ]);
  },
  flip: (bytes, next) => {
    const flipped = Buffer.from(bytes);
    for (let count = 1 + Math.floor(next() * 20); count > 0 && flipped.length > 0; count -= 1)
      flipped[Math.floor(next() * flipped.length)] = Math.floor(next() * 256);
    return flipped;
  },
  repeat: (bytes, next) => {
    const [from, to] = range(bytes, next);
    const part = bytes.subarray(from, Math.min(to, from + 4000));
    return Buffer.concat([bytes.subarray(0, to), part, part, part, bytes.subarray(to)]);
  },
  interleave: (bytes, next) => {
    const a = bytes.toString('latin1').split('\n');
    const b = bytesOf(next).toString('latin1').split('\n');
    const woven: string[] = [];
    while (a.length > 0 || b.length > 0) {
      const from = next() < 0.5 && a.length > 0 ? a : b.length > 0 ? b : a;
      woven.push(from.shift() as string);
    }
    return Buffer.from(woven.join('\n'), 'latin1');
  },
  shuffle: (bytes, next) =>
    Buffer.from(
      bytes
        .toString('latin1')
        .split('\n')
        .map((line) => ({ line, key: next() }))
        .sort((a, b) => a.key - b.key)
        .map(({ line }) => line)
        .join('\n'),
      'latin1',
    ),
  oneLine: (bytes, next) =>
    Buffer.from(bytes.toString('latin1').replaceAll('\n', next() < 0.5 ? ' ' : ''), 'latin1'),
  hugeLine: (bytes, next) => {
    const at = somewhere(bytes, next);
    const filler = Buffer.alloc(
      50_000,
      pick(['x', ' ', '(', '[', '=', '>', 'kB, ', 'a: ', '\\'], next),
    );
    return Buffer.concat([bytes.subarray(0, at), filler, bytes.subarray(at)]);
  },
  nuls: (bytes, next) => {
    const at = somewhere(bytes, next);
    return Buffer.concat([
      bytes.subarray(0, at),
      Buffer.alloc(1 + Math.floor(next() * 50)),
      bytes.subarray(at),
    ]);
  },
  badUtf8: (bytes, next) => {
    const at = somewhere(bytes, next);
    return Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from([0xff, 0xc0, 0xed, 0xa0, 0x80, 0xf5]),
      bytes.subarray(at),
    ]);
  },
  numbers: (bytes, next) =>
    Buffer.from(
      bytes
        .toString('latin1')
        .replace(/\d+/g, (digits) =>
          next() < 0.05
            ? pick(['0', '-1', '99999999999999999999999', '', '1e9', 'NaN'], next)
            : digits,
        ),
      'latin1',
    ),
};

/** Words one of which stands in every record that can prove a memory death. */
const witnesses =
  /kill|oom|memory|alloc|exceed|evict|jetsam|memorystatus|limit|R1[45]|ENOMEM|errno|Errno|segfault|quota|MEMLIMIT|TERM_|thrash|swap|pressure|to the victim|badness|OUT_OF_ME|reserve enough space|shortage|corrective action|operator new|EVIL RELOAD|highwater|mach_vm_map|\bRSS\b/i;

/** Of a processor: on a machine that others load the clock on the wall tells nothing. */
const cpuMs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
};

const flat = (text: string) => text.replace(/\s+/g, ' ').trim();
const deadline = Date.now() + seconds * 1000;
let cases = 0;
let slowest = { ms: 0, seed: 0 };
for (; cases < wanted && Date.now() < deadline; cases += 1) {
  const seed = firstSeed + cases;
  const next = random(seed);
  drawn = seed % 3 === 0 ? innocent : fixtures;
  let bytes = bytesOf(next);
  const names: string[] = [];
  for (let count = 1 + Math.floor(next() * 3); count > 0; count -= 1) {
    const name = pick(Object.keys(mutations), next);
    names.push(name);
    bytes = (mutations[name] as (typeof mutations)[string])(bytes, next);
  }
  const text = bytes.toString('utf8');
  const about = `seed ${seed} (${names.join(', ')})`;
  const started = process.cpuUsage();
  let report;
  try {
    report = diagnose(gatherText('input', text));
  } catch (error) {
    throw new Error(`${about} throws`, { cause: error });
  }
  const ms = cpuMs(started);
  if (ms > slowest.ms) slowest = { ms, seed };
  // A case that was slow once may only have met the collector or the compiler: it must be slow again.
  if (ms > 1000) {
    const again = process.cpuUsage();
    diagnose(gatherText('input', text));
    assert.ok(cpuMs(again) < 1000, `${about} hangs`);
  }
  const quotes = report.incidents.flatMap(({ because }) => because.map(({ quote }) => quote));
  if (seed % 8 === 0) {
    const whole = flat(text);
    for (const quote of quotes)
      if (quote !== undefined)
        assert.ok(whole.includes(flat(quote)), `${about} misquotes: ${quote}`);
  }
  const lines = text.split(/\r?\n/);
  /** A quote of a huge line is a stretch of it: the witness may stand elsewhere in the lines that it names. */
  const atPlace = (place: string): string => {
    const [, from, to = from] = /:(\d+)(?:-(\d+))?$/.exec(place) ?? [];
    return from === undefined ? '' : lines.slice(Number(from) - 1, Number(to)).join('\n');
  };
  for (const { outOfMemory, confidence, because, headline } of report.incidents)
    if (outOfMemory === true && confidence === 'certain') {
      assert.ok(drawn === fixtures, `${about}: certain from look-alikes alone: ${headline}`);
      assert.ok(
        because.some(
          ({ quote = '', place }) => witnesses.test(quote) || witnesses.test(atPlace(place)),
        ),
        `${about}: certain without a witness: ${headline}: ${JSON.stringify(because.map(({ quote }) => quote))}`,
      );
    }
}
console.log(
  `fuzz: ${cases} of ${wanted} cases, the slowest ${Math.round(slowest.ms)} ms (seed ${slowest.seed})`,
);
