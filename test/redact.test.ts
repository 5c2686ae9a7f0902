/** `--redact`: nothing of the words of a recording's directories, users, hosts and messages is left in any output. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Recording } from '../src/model/recording.ts';
import type { Report } from '../src/model/report.ts';
import { renderCollapsed } from '../src/render/exports/collapsed.ts';
import { renderGithub } from '../src/render/exports/github.ts';
import { renderJunit } from '../src/render/exports/junit.ts';
import { renderMarkdownReport } from '../src/render/exports/markdown.ts';
import { renderPprof } from '../src/render/exports/pprof.ts';
import { renderSarif } from '../src/render/exports/sarif.ts';
import { renderSpeedscope } from '../src/render/exports/speedscope.ts';
import { renderTerminationLog } from '../src/render/exports/termination-log.ts';
import { pageIsBuilt, renderHtml } from '../src/render/html.ts';
import { renderJson } from '../src/render/json.ts';
import { redact, type Redactable } from '../src/render/redact.ts';
import { renderTerminal } from '../src/render/terminal.ts';
import { baseFolders, readBack, write } from './folders.ts';
import { root } from './fixtures.ts';

const pageData = (html: string): string =>
  /<script[^>]*id="data"[^>]*>([^]*?)<\/script>/.exec(html)?.[1] ?? html;

function outputs({ report, recording }: Redactable): Readonly<Record<string, string>> {
  const terminal = { columns: 120, color: false, unicode: true, hyperlinks: true, recording };
  return {
    terminal: renderTerminal(report, { ...terminal, quiet: false, verbose: true }),
    short: renderTerminal(report, { ...terminal, quiet: false, verbose: false }),
    quiet: renderTerminal(report, { ...terminal, quiet: true, verbose: false }),
    json: renderJson(report),
    recording: JSON.stringify(recording ?? null),
    collapsed: renderCollapsed(report),
    github: JSON.stringify(renderGithub(report, { directory: '/' })),
    junit: renderJunit(report),
    markdown: renderMarkdownReport(report),
    pprof: gunzipSync(renderPprof(report)).toString('latin1'),
    sarif: renderSarif(report, { version: '1', directory: '/' }),
    speedscope: renderSpeedscope(report, { version: '1' }),
    'termination log': renderTerminationLog(report),
    ...(pageIsBuilt() ? { page: pageData(renderHtml(report, { version: '1', recording })) } : {}),
  };
}

const read = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
const fixtureFolder = join(root, 'fixtures/reports');
const fixtures: readonly (readonly [string, Redactable])[] = readdirSync(fixtureFolder)
  .filter((name) => existsSync(join(fixtureFolder, name, 'report.json')))
  .map((name) => {
    const recording = join(fixtureFolder, name, 'recording.json');
    return [
      name,
      {
        report: read<Report>(join(fixtureFolder, name, 'report.json')),
        recording: existsSync(recording) ? read<Recording>(recording) : undefined,
      },
    ];
  });
let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'coroner-redact-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));
const folders = baseFolders().map(
  ({ name, files }) =>
    [
      name,
      (): Redactable => {
        write(join(work, name), files);
        const whole = readBack(join(work, name));
        if (whole === null) throw new Error(`${name} is no incident folder`);
        return whole;
      },
    ] as const,
);

/** Texts by the key they stand under. */
function* textsOf(part: unknown, key = ''): Generator<readonly [string, string]> {
  if (typeof part === 'string') yield [key, part];
  else if (Array.isArray(part)) for (const inner of part) yield* textsOf(inner, key);
  else if (typeof part === 'object' && part !== null)
    for (const [name, inner] of Object.entries(part)) yield* textsOf(inner, name);
}

/** Directories, and what programs said: whatever must be gone. */
function forbiddenIn(whole: Redactable): readonly string[] {
  const found = new Set<string>();
  for (const [key, text] of textsOf(whole)) {
    if (key === 'cwd' && text !== '/') found.add(text);
    if (key === 'file' && /[^/]\//.test(text)) found.add(text.slice(0, text.lastIndexOf('/') + 1));
    if (key === 'cgroup' && /[^/]\//.test(text))
      found.add(text.slice(0, text.lastIndexOf('/') + 1));
    if (key === 'quote')
      for (const line of text.split('\n'))
        if (/\s/.test(line.trim()) && !/^(?:signal|exit status|\w+) \w+$/.test(line.trim()))
          found.add(line.trim());
    // A script's base name stays, and so do figures.
    if (key === 'command' && / .* /.test(text)) found.add(text.slice(text.indexOf(' ') + 1));
  }
  const names = [...textsOf(whole)].filter(([key]) => key === 'name').map(([, name]) => name);
  return [...found].filter((text) => text.length > 4 && !names.some((name) => name.includes(text)));
}

const planted = {
  folder: '/home/zqbob/zqacme',
  line: 'Jan 31 12:00:00 zqhost app[7]: hello\nKeyError: no zqorder of zqcustomer',
  sentence:
    ' on zqhost by zqbob: no zqorder of zqcustomer, /home/zqbob/zqacme/x.py, https://zqweb/a?b=c, zq@zqmail.org',
};
const plantedWord = /zq(?:bob|acme|host|order|customer|web|mail|slice|pod|source|option)/;
/** The same with words that nobody else uses, wherever a text of the world outside may stand. */
function plant<T>(part: T, hasQuotes: boolean, key = '', owner: object = {}): T {
  if (typeof part === 'string') {
    if (key === 'cwd') return planted.folder as T;
    if (key === 'file' && part.startsWith('/')) return `${planted.folder}${part}` as T;
    if (key === 'cgroup') return `/zqslice/zqpod${part}` as T;
    if (key === 'quote') return `${part}\n${planted.line}` as T;
    if (/^(?:headline|says|because|why|detail|title|notes)$/.test(key))
      return (hasQuotes ? `${part}${planted.sentence}` : part) as T;
    if (key === 'text') return ('function' in owner ? 'zqsource()' : part) as T;
    if (key === 'command') return `${part} --zqoption` as T;
    return part;
  }
  if (Array.isArray(part)) {
    if (key === 'command') return [...part, '--zqoption'] as T;
    return part.map((inner) => plant(inner, hasQuotes, key, part)) as T;
  }
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, inner]) => [name, plant(inner, hasQuotes, name, part)]),
  ) as T;
}
/** coroner's own advice is no command of the user's. */
const withoutAdvice = ({ report, recording }: Redactable): Redactable => ({
  report: {
    ...report,
    sources: report.sources.map(({ id, place, status }) => ({ id, place, status })),
    incidents: report.incidents.map((incident) => ({
      ...incident,
      unknown: incident.unknown.map((one) => ({ ...one, command: null })),
      remedies: incident.remedies.map((one) => ({ ...one, command: null })),
    })),
  },
  recording,
});

const verdictOf = ({ report }: Redactable) =>
  report.incidents.map((one) => [
    one.outOfMemory,
    one.cause,
    one.confidence,
    one.at,
    one.limit?.bytes,
    one.victim?.pid,
    one.stack.map(({ function: name, line }) => `${name}:${line}`),
    one.memory.holders?.map(({ name, retainedBytes }) => `${name}: ${retainedBytes}`),
  ]);

function checkRedacted(whole: Redactable): void {
  const redacted = redact(whole);
  expect(redact(redacted)).toEqual(redacted);
  expect(verdictOf(redacted)).toEqual(verdictOf(whole));
  const forbidden = forbiddenIn(withoutAdvice(whole));
  for (const [output, text] of Object.entries(outputs(redacted)))
    expect(
      forbidden.filter((words) => text.includes(words)),
      output,
    ).toEqual([]);
}
function checkPlanted(whole: Redactable): void {
  // Whose words and whose host they are is told by a quote alone.
  const marked = plant(withoutAdvice(whole), JSON.stringify(whole.report).includes('"quote"'));
  if (whole.report.incidents.length > 0)
    expect(Object.values(outputs(marked)).join('\n')).toMatch(plantedWord);
  for (const [output, text] of Object.entries(outputs(redact(marked))))
    expect(
      text.match(new RegExp(`.{0,80}${plantedWord.source}.{0,40}`))?.[0],
      output,
    ).toBeUndefined();
}

describe(`a report that was kept${pageIsBuilt() ? '' : ' (the page needs npm run build)'}`, () => {
  test.each(fixtures)('%s: its own words', (_, whole) => checkRedacted(whole));
  test.each(fixtures)('%s: words that were planted', (_, whole) => checkPlanted(whole));
});
describe('an incident folder', () => {
  test.each(folders)('%s: its own words', (_, make) => checkRedacted(make()));
  test.each(folders)('%s: words that were planted', (_, make) => checkPlanted(make()));
});
