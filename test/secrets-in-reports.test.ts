/** A program's own words reach a report masked, whichever witness wrote them down; innocent words come through as they are. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { gatherChunks } from '../src/gather/text.ts';
import { maskEvery } from '../src/model/secrets.ts';
import { fixtures } from './fixtures.ts';
import { baseFolders, readBack, write, type Files } from './folders.ts';

const secret = 'S3cretValue9';
const words = `cannot connect to postgres://app:${secret}@db/shop with api_key=${secret}`;

async function read(text: string) {
  const chunks = (async function* () {
    yield Buffer.from(text);
  })();
  return gatherChunks(chunks, 'err.log', { onProgress: () => {} });
}

describe('in a log', () => {
  test.each([
    [
      'a traceback',
      `Traceback (most recent call last):\n  File "/app/a.py", line 4, in load\n    connect("${words}")\nMemoryError: ${words}\n`,
    ],
    [
      'another exception',
      `Traceback (most recent call last):\n  File "/app/a.py", line 4, in load\n    connect()\nValueError: ${words}\n`,
    ],
    [
      'a shell',
      `./job.sh: line 3:  4711 Killed                  ./app --password=${secret} --url ${words}\n`,
    ],
    ['a JVM', `java.lang.OutOfMemoryError: Java heap space: ${words}\n`],
  ])('%s', async (_, text) => {
    const gathered = await read(text);
    expect(JSON.stringify(gathered.evidence)).toContain(secret);
    const report = diagnose(gathered);
    expect(report.incidents.length).toBeGreaterThan(0);
    expect(JSON.stringify(report)).not.toContain(secret);
  });
});

describe('in an incident folder', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coroner-secrets-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  test.each(['strangled', 'buggy'])('%s', (name) => {
    const base = baseFolders().find((one) => one.name === name)?.files ?? {};
    const files: Files = Object.fromEntries(
      Object.entries(base).map(([path, bytes]) => [
        path,
        Buffer.from(
          bytes
            .toString('utf8')
            .replaceAll('"message":""', JSON.stringify({ message: words }).slice(1, -1))
            .replaceAll('no such column', words)
            .replaceAll('sampling fell behind', words)
            .replaceAll('figures are lower bounds', words)
            .replaceAll('python3 train.py', `python3 train.py --token ${secret}`)
            .replaceAll('MemoryError\n', `MemoryError: ${words}\n`),
        ),
      ]),
    );
    expect(Object.values(files).join('').split(secret).length).toBeGreaterThan(4);
    const own = join(folder, name);
    write(own, files);
    const whole = readBack(own);
    expect(whole).not.toBeNull();
    expect(JSON.stringify(whole)).not.toContain(secret);
  });
});

test.each(fixtures.map((fixture) => [fixture.title, fixture] as const))(
  'nothing is masked in %s',
  async (_, { bytes }) => {
    const { evidence } = await read(bytes.toString('latin1'));
    expect(maskEvery(evidence)).toBe(evidence);
  },
);
