import { describe, expect, test } from 'vitest';
import { fixtures } from '../../../test/fixtures.ts';
import { countLineFeeds, literalFinder, shortestLiteral } from './literals.ts';
import { allLiterals } from '../parse.ts';
import { fourByteFinder } from './four-byte-scanner.ts';
import { Scanner, wholeBytes, type Stretch } from './scan.ts';

const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return seed / 0x7fffffff;
};

const scan = (
  bytes: Uint8Array,
  chunkBytes: number,
  literals = ['Killed process', 'invoked oom-killer', 'segfault at '],
): Stretch[] => {
  const scanner = new Scanner(literals);
  const found: Stretch[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    // The chunk is overwritten afterwards, as a reader with one buffer does.
    const chunk = bytes.slice(at, at + chunkBytes);
    found.push(...scanner.push(chunk));
    chunk.fill(0x2a);
  }
  found.push(...scanner.finish());
  return found;
};

const log = (lines: number, hits: readonly number[], seed = 7): string => {
  const next = random(seed);
  const all: string[] = [];
  for (let line = 1; line <= lines; line += 1)
    all.push(
      hits.includes(line)
        ? `kernel: Killed process ${line} (python3) total-vm:1kB`
        : `Jan  1 host app[1]: ${'request served '.repeat(1 + Math.floor(next() * 8))}`,
    );
  return `${all.join('\n')}\n`;
};

describe('the scanner', () => {
  test('gives a small input as it is', () => {
    const bytes = new TextEncoder().encode('one\ntwo\n');
    expect(scan(bytes, 3)).toEqual([{ bytes, firstLine: 1 }]);
  });

  test.each([1 << 20, 65_536, 4093])(
    'finds every needle, with true line numbers, in chunks of %i bytes',
    (size) => {
      const hits = [3, 900, 901, 20_000, 20_500, 39_000, 39_999];
      const text = log(40_000, hits);
      const bytes = new TextEncoder().encode(text);
      expect(bytes.length).toBeGreaterThan(wholeBytes * 3);
      const lines = text.split('\n');
      const stretches = scan(bytes, size);
      const covered = new Map<number, string>();
      for (const stretch of stretches)
        for (const [index, line] of new TextDecoder().decode(stretch.bytes).split('\n').entries())
          covered.set(stretch.firstLine + index, line);
      for (const hit of hits) expect(covered.get(hit)).toBe(lines[hit - 1]);
      for (const { bytes: part, firstLine } of stretches) {
        const second = new TextDecoder().decode(part).split('\n')[1];
        expect(second).toBe(lines[firstLine]);
      }
      const total = stretches.reduce((sum, { bytes: part }) => sum + part.length, 0);
      expect(total).toBeLessThan(bytes.length / 3);
    },
  );

  test('stretches never overlap and keep their order', () => {
    const bytes = new TextEncoder().encode(
      log(
        60_000,
        Array.from({ length: 300 }, (_, index) => index * 200 + 1),
      ),
    );
    const stretches = scan(bytes, 100_000);
    const whole = new TextDecoder().decode(bytes);
    let from = 0;
    for (const { bytes: part } of stretches) {
      const at = whole.indexOf(new TextDecoder().decode(part), from);
      expect(at).toBeGreaterThanOrEqual(from);
      from = at + part.length;
    }
  });

  test('hands out a line of many megabytes in bounded pieces', () => {
    const filler = 'x'.repeat(3 * 1024 * 1024);
    const bytes = new TextEncoder().encode(
      `${filler} Killed process 7 (a) total-vm:1kB ${filler}\nend\n`,
    );
    const stretches = scan(bytes, 1 << 20);
    expect(Math.max(...stretches.map(({ bytes: part }) => part.length))).toBeLessThan(4.3e6);
    expect(
      stretches.some(({ bytes: part }) =>
        new TextDecoder().decode(part).includes('Killed process 7 (a)'),
      ),
    ).toBe(true);
  });

  test('reads the last words of a big input, where a needle would be too short', () => {
    const text = `${log(40_000, [])}Killed\n`;
    const last = scan(new TextEncoder().encode(text), 1 << 16).at(-1);
    expect(new TextDecoder().decode(last?.bytes).endsWith('Killed\n')).toBe(true);
    expect(
      (last?.firstLine ?? 0) + new TextDecoder().decode(last?.bytes).split('\n').length - 2,
    ).toBe(40_001);
  });

  test('keeps a long report together up to its kill', () => {
    const rows = Array.from(
      { length: 6000 },
      (_, pid) => `[ ${pid}]     0 ${pid}     1000      100    40960        0             0 sleep`,
    );
    const text = `${log(30_000, [])}python3 invoked oom-killer: gfp_mask=0x0\n${rows.join('\n')}\nKilled process 5 (sleep)\n${log(30_000, [])}`;
    const stretch = scan(new TextEncoder().encode(text), 1 << 16).find(({ bytes }) =>
      new TextDecoder().decode(bytes).includes('invoked'),
    );
    const words = new TextDecoder().decode(stretch?.bytes);
    expect(words).toContain('Killed process 5');
    expect(words.length).toBeLessThan(rows.join('\n').length + 100_000);
  });
});

/** The plain way. */
const occurrences = (text: string, literals: readonly string[]) => {
  const found: { at: number; literal: number }[] = [];
  for (let at = 0; at < text.length; at += 1)
    for (const [literal, words] of literals.entries())
      if (text.startsWith(words, at)) found.push({ at, literal });
  return found;
};

describe('the finder of needles', () => {
  test('finds every occurrence, overlapping ones too', () => {
    const next = random(3);
    const literals = [
      'Killed process',
      'illed process',
      'oom-kill',
      'oom-kill:',
      'abcabcab',
      'zzzzzzzz',
    ];
    const finders = [literalFinder(literals), fourByteFinder(literals)];
    const alphabet = 'abcKilled procsm-z';
    for (let round = 0; round < 200; round += 1) {
      let text = '';
      while (text.length < 400)
        text +=
          next() < 0.05
            ? (literals[Math.floor(next() * literals.length)] as string)
            : (alphabet[Math.floor(next() * alphabet.length)] as string);
      for (const finder of finders)
        expect(finder?.search(new TextEncoder().encode(text)).hits).toEqual(
          occurrences(text, literals),
        );
    }
  });

  test('finds the same with WebAssembly as without, in every fixture and over its inner borders', () => {
    const literals = allLiterals.filter(({ length }) => length >= shortestLiteral);
    const plain = literalFinder(literals);
    const fast = fourByteFinder(literals);
    const all = Buffer.concat(fixtures.map(({ bytes }) => bytes));
    const filler = Buffer.from('of the process that was started by a worker in time\n'.repeat(400));
    for (const text of [
      ...fixtures.map(({ bytes }) => bytes),
      all,
      // Longer than what WebAssembly takes at once, needles at every offset to its end.
      Buffer.concat([Buffer.alloc((1 << 20) - 7000, 0x61), all.subarray(0, 20_000), filler]),
      Buffer.from(literals.join('').repeat(300)),
    ]) {
      const expected = plain.search(text);
      const found = fast?.search(text);
      expect(found?.lineFeeds).toBe(expected.lineFeeds);
      expect(found?.hits.length).toBe(expected.hits.length);
      expect(JSON.stringify(found?.hits) === JSON.stringify(expected.hits)).toBe(true);
    }
  });

  test('finds all where there are more than WebAssembly reports at once', () => {
    const text = new TextEncoder().encode('oom-kill'.repeat(60_000));
    expect(fourByteFinder(['oom-kill'])?.search(text).hits.length).toBe(60_000);
  });

  test('counts line feeds at every offset', () => {
    const next = random(5);
    const bytes = Uint8Array.from({ length: 300 }, () =>
      next() < 0.2 ? 10 : Math.floor(next() * 256),
    );
    for (let from = 0; from < 40; from += 1)
      for (const to of [from, from + 1, 77, 300]) {
        const expected = bytes.slice(from, to).filter((byte) => byte === 10).length;
        expect(countLineFeeds(bytes, from, to)).toBe(expected);
      }
  });
});
