/** No verdict hangs on a sentence: the compiler refuses to search one, and this finds where one is compared. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaints, decisionsOnProse } from './decisions-on-prose.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-prose-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A project of one file, with an incident, a finding's advice and an event at hand. */
function projectWith(name: string, code: string): string {
  writeFileSync(
    join(folder, `${name}.mts`),
    `import type { Incident } from '${root}src/model/report.ts';
import type { RecordedEvent } from '${root}src/model/recording.ts';
import { inWords } from '${root}src/model/prose.ts';
export const look = (incident: Incident, event: RecordedEvent, words: (text: string) => string): unknown => {
  void [incident, event, words, inWords];
  ${code}
};
`,
  );
  const tsconfig = join(folder, `${name}.json`);
  writeFileSync(
    tsconfig,
    JSON.stringify({
      extends: `${root}tsconfig.json`,
      compilerOptions: {
        rootDir: '/',
        noEmit: true,
        types: [],
        allowImportingTsExtensions: true,
        rewriteRelativeImportExtensions: false,
      },
      include: [`${name}.mts`],
      exclude: [],
    }),
  );
  return tsconfig;
}

test.each(['tsconfig.json', 'report/tsconfig.json'])(
  '%s: nothing is decided on a sentence',
  (name) => {
    expect(decisionsOnProse(join(root, name), root)).toEqual([]);
  },
);

describe('the compiler refuses', () => {
  test.each([
    ['includes', "return incident.headline.includes('KeyboardInterrupt');"],
    ['startsWith', "return incident.unknown.some(({ what }) => what.startsWith('Which'));"],
    ['a pattern', 'return incident.remedies.some(({ title }) => /run/.test(title));'],
    ['match', 'return incident.because[0]!.says.match(/killed/);'],
    ['a set of strings', 'return new Set<string>().has(incident.remedies[0]!.detail);'],
    ['a list of strings', 'return ["x"].includes(event.text);'],
    ['a variable of it', 'const text: string = incident.headline; return text;'],
    ['what looks at words', 'return words(incident.ruledOut[0]!.because);'],
  ])('%s', (name, code) => {
    expect(complaints(projectWith(`refused-${name.replaceAll(' ', '-')}`, code), root)).toEqual([
      expect.stringMatching(/'Prose'/),
    ]);
  });
  test('and nothing that only shows it', () => {
    const shown = projectWith('shown', 'return words(`${incident.headline}: ${event.text}`);');
    expect(complaints(shown, root)).toEqual([]);
    expect(decisionsOnProse(shown, root)).toEqual([]);
  });
});

describe('this test refuses', () => {
  test.each([
    ['an equal sentence', "return incident.headline === 'x';"],
    ['another sentence', 'return incident.headline !== incident.unknown[0]?.what;'],
    [
      'one that has a name of its own',
      "const { title } = incident.remedies[0]!; return title === 'x';",
    ],
    ['a switch', "switch (incident.headline) { case 'x': return 1; default: return 2; }"],
    ['words in a template', "return `${incident.headline}`.includes('x');"],
    ['words behind String()', 'return /x/.test(String(event.text));'],
    ['words by toString()', "return incident.headline.toString() === 'x';"],
    ['a cast', "return (incident.headline as string).includes('x');"],
    ['words outside of a renderer', 'return words(inWords(incident.headline));'],
    ['words that are searched', "return inWords(incident.headline).startsWith('x');"],
    ['a set of sentences', 'return new Set(incident.remedies.map(({ title }) => title)).size;'],
    [
      'a map by sentence',
      'return new Map(incident.remedies.map((one) => [one.title, one] as const));',
    ],
    ['the length of it', 'return incident.headline.length > 7;'],
  ])('%s', (name, code) => {
    const project = projectWith(`compared-${name.replaceAll(/\W/g, '-')}`, code);
    expect(complaints(project, root)).toEqual([]);
    expect(decisionsOnProse(project, root)).not.toEqual([]);
  });
  test('and not whether there is one', () => {
    const project = projectWith('present', 'return incident.unknown[0]?.what === undefined;');
    expect(decisionsOnProse(project, root)).toEqual([]);
  });
});
