import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const scripts = Object.keys(
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts,
);
const built = existsSync(join(root, 'dist/cli/main.js'));
const help = (): string =>
  spawnSync(process.execPath, [join(root, 'bin/coroner.js'), '--help'], { encoding: 'utf8' })
    .stdout;

describe('README.md', () => {
  test('its two commands are made of what there is', () => {
    const commands = readme.split('\n').filter((line) => line.startsWith('npm install && '));
    expect(commands).toHaveLength(2);
    for (const command of commands)
      for (const [, name = ''] of command.matchAll(/npm run (\S+)/g))
        expect(scripts).toContain(name);
    expect(scripts).toContain('test');
  });
  test.skipIf(!built)(`names commands that exist${built ? '' : ' (needs npm run build)'}`, () => {
    const known = help();
    for (const [, name = ''] of readme.matchAll(/^(?:.*\| )?coroner (\w+)/gm))
      expect(known).toMatch(new RegExp(`^  ${name} `, 'm'));
  });
  test.skipIf(!built)(
    `every generated part of the documents is up to date${built ? '' : ' (needs npm run build)'}`,
    () => {
      const { status, stderr } = spawnSync(
        process.execPath,
        [join(root, 'scripts/docs.mjs'), '--check'],
        { encoding: 'utf8' },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );
  test('fits a terminal of 80 columns where it shows one', () => {
    const shown = readme.split('```').filter((_, index) => index % 2 === 1);
    for (const line of shown.flatMap((block) => block.split('\n')))
      expect([...line].length, line).toBeLessThanOrEqual(80);
  });
  test('links to files that exist', () => {
    for (const [, target = ''] of readme.matchAll(/\]\(([^)#:]+)\)/g))
      expect(existsSync(join(root, target)), target).toBe(true);
  });
});

test('what was measured has no "certain" that was wrong', () => {
  const { phases, texts } = JSON.parse(
    readFileSync(join(root, 'docs/calibration.json'), 'utf8'),
  ) as {
    phases: Record<string, Record<string, { right: number; wrong: number }>>;
    texts: { tally: Record<string, { right: number; wrong: number }> } | null;
  };
  for (const tally of [...Object.values(phases), ...(texts ? [texts.tally] : [])])
    expect(tally['certain']?.wrong).toBe(0);
});
