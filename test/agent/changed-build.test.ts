/** Interpreters that say of themselves that they are built otherwise, or another version: the agent does not guess, and they run on. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { newestPythons, testRoot } from '../have.ts';
import { noAgent, underAgent } from './under-agent.ts';

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const found = [...newestPythons()];
const reason =
  found.length === 0 ? 'needs the root folder of npm run pythons' : noAgent(found[0]![1]);
/** Words of the table at the start of `_PyRuntime`. */
const changes: readonly (readonly [string, Readonly<Record<string, number>>, number])[] = [
  ['a frame has its caller elsewhere', { '3.14': 32, '3.15': 40 }, 16],
  ['a frame has its code elsewhere', { '3.14': 33, '3.15': 41 }, 8],
  ['a code object has its name elsewhere', { '3.14': 41, '3.15': 49 }, 8],
];

describe.skipIf(reason)(
  `builds that are not as their version${reason ? ` (${reason})` : ''}`,
  () => {
    const program =
      'import os\nx = [str(i) for i in range(200000)]\nprint(sum(map(len, x)))\nos._exit(0)';
    test.each(
      found.flatMap(([version, python]) =>
        changes.map(([what, words, by]) => ({
          version,
          python,
          what,
          word: words[version.replace(/\.\d+$/, '')]!,
          by,
        })),
      ),
    )('$version: $what', async ({ version, python, word, by }) => {
      const name = `python${version.replace(/\.\d+$/, '')}`;
      const image = readFileSync(join(testRoot, 'usr/bin', name));
      // Code names it too; the table itself lies among the data, behind it.
      const at = image.lastIndexOf('xdebugpy') + word * 8;
      image.writeBigUInt64LE(image.readBigUInt64LE(at) + BigInt(by), at);
      const changed = join(folder, name);
      writeFileSync(changed, image);
      chmodSync(changed, 0o755);
      const { stdout, stderr, exitCode, files } = await underAgent([python, '-c', program], {
        env: { CORONER_TEST_PYTHON: changed },
      });
      expect({ stdout, stderr, exitCode }).toEqual({
        stdout: '1088890\n',
        stderr: '',
        exitCode: 0,
      });
      expect(files[0]?.python).toMatchObject({ version, stacks: false, objects: false });
      expect(files[0]?.notes.join()).toContain('is not known to the agent');
    });

    test.each(found)(
      '%s: left as it is, it is read from the same place',
      async (version, python) => {
        const name = `python${version.replace(/\.\d+$/, '')}`;
        const env = { CORONER_TEST_PYTHON: `/usr/bin/${name}` };
        const { files } = await underAgent([python, '-c', program], { env });
        expect(files[0]?.python).toMatchObject({ version, stacks: true, objects: true });
      },
    );
  },
);
