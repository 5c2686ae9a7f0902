import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Folders of src/python, lowest first: each may import from itself and from those before it. '' is src/python itself. */
const rooms = ['process', 'layouts', 'interpreter', 'objects', 'heap', 'holders', 'smells', ''];

const roomOf = (file: string): string => {
  const folder = dirname(file);
  return folder === '.' ? '' : folder;
};

test('folders import only from those below them, types included', () => {
  const files = readdirSync(here, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
  expect([...new Set(files.map(roomOf))].sort()).toEqual(rooms.toSorted());
  const upwards = files.flatMap((file) =>
    [...readFileSync(join(here, file), 'utf8').matchAll(/from '(\.[^']+)'/g)]
      .map(([, path = '']) => relative(here, join(here, dirname(file), path)))
      .filter((target) => !target.startsWith('..'))
      .filter((target) => rooms.indexOf(roomOf(target)) > rooms.indexOf(roomOf(file)))
      .map((target) => `${file} imports ${target}`),
  );
  expect(upwards).toEqual([]);
});
