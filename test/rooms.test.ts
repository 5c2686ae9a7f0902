/** A rule or a parser is found by its id: the file has its name, and the index has every one of them. */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parsers } from '../src/parsers/index.ts';
import { rules } from '../src/rules/index.ts';

interface Room {
  readonly file: string;
  /** What it exports that looks like an entry of the index. */
  readonly ids: readonly string[];
}

async function roomsOf(folder: string, mark: 'judge' | 'parse'): Promise<readonly Room[]> {
  const root = fileURLToPath(new URL(`../src/${folder}/`, import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.includes('/') && file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .toSorted();
  return Promise.all(
    files.map(async (file) => {
      const exported: readonly unknown[] = Object.values(
        (await import(`${root}${file}`)) as object,
      );
      const ids = exported.flatMap((value) =>
        typeof value === 'object' && value !== null && mark in value && 'id' in value
          ? [String(value.id)]
          : [],
      );
      return { file, ids };
    }),
  );
}
const entries = (rooms: readonly Room[]): readonly Room[] =>
  rooms.filter(({ ids }) => ids.length > 0);
const sorted = (ids: readonly string[]): readonly string[] => ids.toSorted();

describe('rules', async () => {
  const rooms = await roomsOf('rules', 'judge');

  it('each has a file of its own, named after its id', () => {
    expect(entries(rooms).map(({ file, ids }) => [basename(file, '.ts'), ids])).toEqual(
      entries(rooms).map(({ ids }) => [ids[0], [ids[0]]]),
    );
  });
  it('no file beside them but in shared/', () => {
    expect(
      rooms.filter(({ file, ids }) => file.startsWith('shared/') !== (ids.length === 0)),
    ).toEqual([]);
  });
  it('every one is in the index, once', () => {
    expect(sorted(rules.map(({ id }) => id))).toEqual(
      sorted(entries(rooms).flatMap(({ ids }) => ids)),
    );
  });
});

describe('parsers', async () => {
  const rooms = await roomsOf('parsers', 'parse');

  it('each has a file of its own in formats/, named after its id, or a folder of that name', () => {
    for (const { file, ids } of entries(rooms)) {
      const [id] = ids;
      expect([`formats/${id}.ts`, `formats/${id}/${id}.ts`]).toContain(file);
      expect(ids).toEqual([id]);
    }
  });
  it('every one is in the index, once', () => {
    expect(sorted(parsers.map(({ id }) => id))).toEqual(
      sorted(entries(rooms).flatMap(({ ids }) => ids)),
    );
  });
});
