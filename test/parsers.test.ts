// One test for all parsers: what holds for every format, on every fixture.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gatherChunks, gatherText } from '../src/gather/text.ts';
import type { Evidence } from '../src/model/evidence.ts';
import { parsers } from '../src/parsers/index.ts';
import { fixtures, random, verdicts, type Fixture } from './fixtures.ts';
import { deep } from './have.ts';

const flat = (text: string) => text.replace(/\s+/g, ' ').trim();

/** Quotes must stand in the input, white space aside (a wrapped record is quoted with its line ends). */
function expectQuotes(evidence: readonly Evidence[], text: string): void {
  const whole = flat(text);
  for (const { origin } of evidence)
    if (origin.quote !== undefined) expect(whole).toContain(flat(origin.quote));
}

async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Places without the name of the input. */
const anonymous = (evidence: readonly Evidence[], name: string) =>
  JSON.parse(JSON.stringify(evidence).replaceAll(`"${name}:`, '"input:')) as unknown;

const golden = ({ bytes, parser }: Fixture) => {
  const { evidence } = gatherText('input', bytes.toString('utf8'));
  return {
    evidence: evidence.filter(({ origin }) => origin.source === parser),
    incidents: verdicts(evidence),
  };
};

test('no two parsers share an id, and each says what it needs', () => {
  expect(new Set(parsers.map(({ id }) => id)).size).toBe(parsers.length);
  for (const { id, title, literals } of parsers) {
    expect(id).toMatch(/^[a-z0-9-]+$/);
    expect(title.length).toBeGreaterThan(3);
    for (const literal of literals) expect(literal).not.toBe('');
  }
});

describe.each(fixtures)('$title', (fixture) => {
  const text = fixture.bytes.toString('utf8');

  test('says what it is about, and gives the golden evidence and verdict', async () => {
    const about = join(fixture.folder, 'about.md');
    expect(existsSync(about), `${about} is missing: docs/adding-a-parser.md shows one`).toBe(true);
    await expect(`${JSON.stringify(golden(fixture), null, 2)}\n`).toMatchFileSnapshot(
      join(fixture.folder, 'expected.json'),
    );
  });

  test('gives no death that no rule judges', () => {
    const { evidence } = gatherText('input', text);
    const records = evidence.filter(
      (fact) => fact.kind === 'killer-record' && fact.origin.source === fixture.parser,
    );
    const judged = verdicts(evidence).map(({ cause }) => cause);
    expect(
      records.length === 0 ||
        records.some((fact) => fact.kind === 'killer-record' && judged.includes(fact.cause)),
      'somebody ended a process, and there is no verdict: no rule judges this cause, or it lacks what it needs (docs/adding-a-rule.md)',
    ).toBe(true);
  });

  test('gives the same moment wherever it is read', () => {
    const here = process.env['TZ'];
    const times = ['UTC', 'Asia/Tokyo'].map((zone) => {
      process.env['TZ'] = zone;
      return gatherText('input', text).evidence.map(({ when }) => when?.wall);
    });
    if (here === undefined) delete process.env['TZ'];
    else process.env['TZ'] = here;
    expect(
      times[1],
      'a time without a zone was taken for local time: docs/adding-a-parser.md',
    ).toEqual(times[0]);
  });

  test('is recognised by its content, whatever its name and however it comes in', async () => {
    const whole = anonymous(gatherText('kern.log', text).evidence, 'kern.log');
    expect(anonymous(gatherText('x', text).evidence, 'x')).toEqual(whole);
    // Reading a long text byte by byte takes seconds.
    for (const size of deep || text.length < 4000 ? [1, 7, 4096] : [997]) {
      const { evidence } = await gatherChunks(chunksOf(fixture.bytes, size), 'stdin');
      expect(anonymous(evidence, 'stdin')).toEqual(whole);
    }
    const crlf = text.replace(/\r?\n/g, '\r\n');
    expect(verdicts(gatherText('x', crlf).evidence).map(({ cause }) => cause)).toEqual(
      verdicts(gatherText('x', text).evidence).map(({ cause }) => cause),
    );
  });

  test('quotes only what stands in the input', () => {
    const { evidence } = gatherText('input', text);
    expect(
      evidence.some(({ origin }) => origin.source === fixture.parser),
      fixture.lookAlike
        ? 'about.md says that it is a look-alike: the parser may read nothing from it'
        : `the parser ${fixture.parser} reads nothing from it: do its literals stand in the input, does its pattern fit?`,
    ).toBe(!fixture.lookAlike);
    if (fixture.lookAlike)
      expect(
        verdicts(evidence).filter(({ outOfMemory }) => outOfMemory === true),
        'about.md says that it is a look-alike, and another parser takes it for a death',
      ).toEqual([]);
    expectQuotes(evidence, text);
  });

  test('survives being cut anywhere, flipped bytes, and being interleaved with another one', () => {
    let next = random(1);
    for (let round = 0; round < (deep ? 40 : 4); round += 1) {
      const cut = Math.floor(next() * text.length);
      const part = round % 2 === 0 ? text.slice(0, cut) : text.slice(cut);
      const { evidence } = gatherText('input', part);
      expectQuotes(evidence, part);
      verdicts(evidence);
    }
    next = random(2);
    for (let round = 0; round < (deep ? 25 : 3); round += 1) {
      const bytes = Buffer.from(fixture.bytes);
      for (let flips = 0; flips < 1 + bytes.length / 500; flips += 1)
        bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
      const damaged = bytes.toString('utf8');
      const { evidence } = gatherText('input', damaged);
      expectQuotes(evidence, damaged);
      verdicts(evidence);
    }
    const others = fixtures.filter(({ parser }) => parser === fixture.parser);
    const other = others[(others.indexOf(fixture) + 1) % others.length] ?? fixture;
    const a = text.split('\n');
    const b = other.bytes.toString('utf8').split('\n');
    const woven: string[] = [];
    for (let line = 0; line < Math.max(a.length, b.length); line += 1)
      for (const side of [a, b]) {
        const own = side[line];
        if (own !== undefined) woven.push(own);
      }
    const { evidence } = gatherText('input', woven.join('\n'));
    expectQuotes(evidence, woven.join('\n'));
    verdicts(evidence);
  });
});
