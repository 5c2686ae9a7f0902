// Who uses the package or passes a page on finds the licences of everything that is built into it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from './fixtures.ts';

const built = existsSync(join(root, 'dist/sbom.cdx.json')) ? null : 'needs npm run build';
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const listed = (path: string) =>
  [...read(path).matchAll(/^## (\S+) - (\S+) \(/gm)].map(
    ([, name, version]) => `${name}@${version}`,
  );
const flat = (text: string) => text.replaceAll(/[\s*-]+/g, ' ');

describe.skipIf(built !== null)(`licences${built === null ? '' : ` (${built})`}`, () => {
  test('stand in the page itself, word by word', () => {
    const page = flat(read('dist/report/index.html'));
    expect(listed('dist/report/licenses.md').length).toBeGreaterThan(1);
    for (const each of listed('dist/report/licenses.md')) {
      const name = each.replace(/@[^@]*$/, '');
      expect(page).toContain(flat(read(`node_modules/${name}/LICENSE`)).trim());
    }
    // Nothing in them ends the comment early: the page ends with it.
    expect(read('dist/report/index.html').trimEnd().endsWith('-->')).toBe(true);
  });

  test('stand in the package, for the command and for the page', () => {
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    expect(files).toEqual(
      expect.arrayContaining(['dist/bundle', 'dist/report', 'dist/sbom.cdx.json']),
    );
    expect(listed('dist/bundle/licenses.md').some((each) => each.startsWith('commander@'))).toBe(
      true,
    );
  });

  test('are those of the software bill of materials, with the versions that are installed', () => {
    const { components } = JSON.parse(read('dist/sbom.cdx.json')) as {
      components: { name: string; version: string; licenses: unknown[] }[];
    };
    expect(components.map(({ name, version }) => `${name}@${version}`).toSorted()).toEqual(
      [
        ...new Set(['dist/bundle/licenses.md', 'dist/report/licenses.md'].flatMap(listed)),
      ].toSorted(),
    );
    for (const { name, version, licenses } of components) {
      expect(JSON.parse(read(`node_modules/${name}/package.json`))).toMatchObject({ version });
      expect(licenses).not.toEqual([]);
    }
  });
});
