// What coroner wrote is no evidence: read back, alone or in a folder, it adds no death and no certainty.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { gather, isUnreadable } from '../src/gather/gather.ts';
import { gatherChunks } from '../src/gather/text.ts';
import type { Report } from '../src/model/report.ts';
import { ownOutput } from '../src/model/own-outputs.ts';
import { renderCollapsed } from '../src/render/exports/collapsed.ts';
import { renderJunit } from '../src/render/exports/junit.ts';
import { renderMarkdownReport } from '../src/render/exports/markdown.ts';
import { renderSarif } from '../src/render/exports/sarif.ts';
import { renderSpeedscope } from '../src/render/exports/speedscope.ts';
import { renderTerminationLog } from '../src/render/exports/termination-log.ts';
import { pageIsBuilt, renderHtml } from '../src/render/html.ts';
import { renderJson } from '../src/render/json.ts';
import { renderTerminal } from '../src/render/terminal.ts';
import { fixtures, root } from './fixtures.ts';

const folder = join(root, 'fixtures/reports');
const reports = readdirSync(folder)
  .map((name) => join(folder, name, 'report.json'))
  .flatMap((path) => {
    try {
      return [
        [path.slice(folder.length + 1), JSON.parse(readFileSync(path, 'utf8')) as Report] as const,
      ];
    } catch {
      return [];
    }
  });
const terminal = {
  columns: 80,
  unicode: true,
  hyperlinks: false,
  verbose: true,
  quiet: false,
  recording: undefined,
};
const outputs = async (report: Report): Promise<Readonly<Record<string, string>>> => ({
  json: renderJson(report),
  speedscope: renderSpeedscope(report, { version: '1' }),
  collapsed: renderCollapsed(report),
  junit: renderJunit(report),
  sarif: renderSarif(report, { version: '1', directory: '/' }),
  ...(report.incidents.length === 0
    ? {}
    : {
        'termination-log': renderTerminationLog(report),
        markdown: renderMarkdownReport(report),
        plain: renderTerminal(report, { ...terminal, color: false }),
        colored: renderTerminal(report, { ...terminal, color: true, hyperlinks: true }),
        ascii: renderTerminal(report, { ...terminal, color: false, unicode: false }),
      }),
  ...(pageIsBuilt()
    ? { html: await renderHtml(report, { recording: undefined, version: '1' }) }
    : {}),
});

async function* inChunks(text: string, size: number) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe.each(reports)('%s', (_, report) => {
  test('is known as ours in every form, and is evidence of nothing', async () => {
    for (const [form, text] of Object.entries(await outputs(report))) {
      for (const size of [1 << 16, 1000]) {
        const { evidence, sources } = await gatherChunks(inChunks(text, size), form);
        expect([form, evidence]).toEqual([form, []]);
        expect([form, sources.map(({ id }) => id)]).toEqual([form, ['coroner-report']]);
      }
    }
  });
});

test('a log in which a verdict stands is a log', async () => {
  const log = readFileSync(join(root, 'fixtures/kernel-log/allocating-task/input.log'), 'utf8');
  for (const [, report] of reports)
    for (const [form, text] of Object.entries(await outputs(report))) {
      expect([form, ownOutput(`step 3: tests\n${text}`)]).toEqual([form, null]);
      const { evidence } = await gatherChunks(inChunks(`${log}\n${text}`, 1000), form);
      expect([form, evidence.length > 0]).toEqual([form, true]);
    }
});

test('no fixture of a parser is taken for ours', () => {
  for (const { title, bytes } of fixtures)
    expect([title, ownOutput(bytes.toString('utf8'))]).toEqual([title, null]);
});

describe('a folder', () => {
  let tree = '';
  beforeAll(() => {
    tree = mkdtempSync(join(tmpdir(), 'coroner-own-'));
    cpSync(join(root, 'fixtures/kernel-log/allocating-task/input.log'), join(tree, 'kern.log'));
  });
  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  test('with a log and our own outputs tells what the log tells', async () => {
    const judged = async () => {
      const gathered = await gather(tree, 'folder', () => {});
      if (isUnreadable(gathered)) throw new Error(String(gathered.why));
      return diagnose(gathered);
    };
    const alone = await judged();
    expect(alone.incidents).toHaveLength(1);
    for (const [form, text] of Object.entries(await outputs(alone)))
      writeFileSync(join(tree, `out.${form}`), text);
    mkdirSync(join(tree, 'sub'));
    for (const [name, report] of reports)
      writeFileSync(join(tree, 'sub', name.replaceAll('/', '-')), renderJson(report));
    expect((await judged()).incidents).toEqual(alone.incidents);
  });
});
