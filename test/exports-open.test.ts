/// <reference lib="dom" />
/** The exports as other tools take them: their published schemas, their own importers. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Ajv, type AnySchemaObject } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { chromium } from 'playwright-core';
import { Profile } from 'pprof-format';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import type { Report } from '../src/model/report.ts';
import { renderJunit } from '../src/render/exports/junit.ts';
import { renderPprof } from '../src/render/exports/pprof.ts';
import { renderSarif } from '../src/render/exports/sarif.ts';
import { renderSpeedscope } from '../src/render/exports/speedscope.ts';

const root = new URL('../', import.meta.url);
const fixtures = new URL('fixtures/', root);
const { resolve } = createRequire(import.meta.url);
const json = <T>(path: string | URL): T => JSON.parse(readFileSync(path, 'utf8')) as T;

/** Every report below fixtures/, by its path. */
const reports = readdirSync(fixtures, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json') && !file.endsWith('least.json'))
  .filter((file) =>
    /^\s*\{\s*"format": ?"coroner\/1",\s*"incidents"/.test(
      readFileSync(new URL(file, fixtures), 'utf8'),
    ),
  )
  .sort();
const read = (file: string): Report => json<Report>(new URL(file, fixtures));
const withAllocations = reports.filter((file) =>
  read(file).incidents.some(({ memory }) => (memory?.allocations ?? []).length > 0),
);
const options = { version: '0.1.0', directory: '/srv/app' };
const folder = mkdtempSync(join(tmpdir(), 'coroner-exports-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('there are reports, and some with allocations', () => {
  expect(reports.length).toBeGreaterThan(15);
  expect(withAllocations.length).toBeGreaterThan(3);
});

describe('the schema that is published says so of every report, by a validator of JSON Schema', () => {
  const validate = new Ajv2020({ allErrors: true }).compile(
    json<AnySchemaObject>(new URL('docs/schema/report.schema.json', root)),
  );
  test.each(reports)('%s', (file) => {
    validate(read(file));
    expect(validate.errors).toBe(null);
  });
  test('what is no report is refused', () => {
    expect(validate({ format: 'coroner/1', incidents: [{ limit: { bytes: '1' } }] })).toBe(false);
    expect(validate({ format: 'coroner/9', incidents: [], sources: [] })).toBe(false);
  });
});

describe('SARIF 2.1.0, by the schema of the standard', () => {
  // The draft-04 of 2.1.0-rtm.5, which differs from draft-07 in the name of `id` alone where this schema is concerned.
  const {
    $schema: _,
    id: $id,
    ...rest
  } = json<AnySchemaObject & { id: string }>(
    resolve('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json'),
  );
  const validate = new Ajv({
    allErrors: true,
    strict: false,
    validateFormats: false,
    unicodeRegExp: false,
  }).compile({
    $id,
    ...rest,
  });
  test.each(reports)('%s', (file) => {
    validate(JSON.parse(renderSarif(read(file), options)));
    expect(validate.errors).toBe(null);
  });
  test('what is no SARIF is refused', () => {
    expect(validate({ version: '2.1.0', runs: [{ results: [] }] })).toBe(false);
    expect(
      validate({
        version: '2.1.0',
        runs: [{ tool: { driver: { name: 'x' } }, results: [{ message: {}, level: 'fatal' }] }],
      }),
    ).toBe(false);
  });
});

/**
 * JUnit has no standard. These are the rules of the schema that Jenkins checks with (junit-10.xsd of its xUnit plugin), which pytest
 * and others write for: per element its children and attributes, those with `!` required.
 */
const junitRules: Readonly<
  Record<string, { readonly children: readonly string[]; readonly attributes: readonly string[] }>
> = {
  testsuites: {
    children: ['testsuite'],
    attributes: ['name', 'time', 'tests', 'failures', 'errors'],
  },
  testsuite: {
    children: ['testsuite', 'properties', 'testcase', 'system-out', 'system-err'],
    attributes:
      'name! tests! failures! errors! skipped time timestamp hostname id package group file log url'.split(
        ' ',
      ),
  },
  testcase: {
    children: ['skipped', 'error', 'failure', 'system-out', 'system-err'],
    attributes: ['name!', 'classname', 'time', 'group'],
  },
  error: { children: [], attributes: ['type', 'message'] },
  failure: { children: [], attributes: ['type', 'message'] },
  skipped: { children: [], attributes: ['type', 'message'] },
  'system-out': { children: [], attributes: [] },
  'system-err': { children: [], attributes: [] },
};

/** What breaks the rules. Good enough for XML that has neither comments nor CDATA. */
function junitFaults(xml: string): readonly string[] {
  const faults: string[] = [];
  const open: string[] = [];
  const counts: Record<string, number> = {};
  for (const [, end, name = '', rest = '', empty] of xml.matchAll(
    /<(\/?)([a-z-]+)((?:\s+[a-z]+="[^"]*")*)\s*(\/?)>/g,
  )) {
    if (end === '/') {
      if (open.pop() !== name) faults.push(`</${name}> closes nothing`);
      continue;
    }
    counts[name] = (counts[name] ?? 0) + 1;
    const rules = junitRules[name];
    const parent = open.at(-1);
    if (rules === undefined) faults.push(`<${name}> is not known`);
    if (parent === undefined ? name !== 'testsuites' : !junitRules[parent]?.children.includes(name))
      faults.push(`<${name}> below <${parent}>`);
    const given = [...rest.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => ({
      key,
      value,
    }));
    for (const { key, value } of given) {
      if (!rules?.attributes.some((known) => known.replace('!', '') === key))
        faults.push(`<${name} ${key}>`);
      if (key === 'time' && !/^\d*(?:\.\d*)?$/.test(value)) faults.push(`time ${value}`);
    }
    for (const known of rules?.attributes ?? [])
      if (known.endsWith('!') && !given.some(({ key }) => `${key}!` === known))
        faults.push(`<${name}> without ${known}`);
    for (const element of ['tests', 'errors', 'skipped'])
      counts[`${name} ${element}`] = Number(given.find(({ key }) => key === element)?.value ?? -1);
    if (empty !== '/') open.push(name);
  }
  if (open.length > 0) faults.push(`${open.join(' ')} is not closed`);
  for (const [element, counted] of [
    ['testcase', 'tests'],
    ['error', 'errors'],
    ['skipped', 'skipped'],
  ] as const)
    if (counts[`testsuite ${counted}`] !== (counts[element] ?? 0))
      faults.push(`${counted} is wrong`);
  return faults;
}

/** The schema is another project's, so it is not kept here: CORONER_JUNIT_XSD names a copy of junit-10.xsd. */
const xsd = process.env['CORONER_JUNIT_XSD'] ?? '';
const hasXmllint = spawnSync('xmllint', ['--version']).status === 0;
const noXsd = !hasXmllint
  ? ' (needs xmllint)'
  : existsSync(xsd)
    ? ''
    : ' (needs CORONER_JUNIT_XSD, the path of a junit-10.xsd)';

describe('JUnit', () => {
  test.each(reports)('by the rules: %s', (file) => {
    expect(junitFaults(renderJunit(read(file)))).toEqual([]);
  });
  test('what breaks the rules is noticed', () => {
    const good = renderJunit(read(reports.find((file) => file.includes('many-kills')) ?? ''));
    expect(junitFaults(good.replace(' errors="', ' mistakes="'))).not.toEqual([]);
    expect(junitFaults(good.replace('<testcase ', '<testcase id="1" '))).not.toEqual([]);
    expect(junitFaults(good.replace('</testsuite>', ''))).not.toEqual([]);
    expect(junitFaults(good.replace(/<error .*?<\/error>/s, ''))).not.toEqual([]);
  });
  test.skipIf(!hasXmllint)(`is XML to xmllint${hasXmllint ? '' : ' (needs xmllint)'}`, () => {
    for (const file of reports)
      execFileSync('xmllint', ['--noout', '-'], { input: renderJunit(read(file)) });
  });
  test.skipIf(noXsd !== '')(`by the schema that Jenkins checks with${noXsd}`, () => {
    for (const [index, file] of reports.entries())
      writeFileSync(join(folder, `${index}.xml`), renderJunit(read(file)));
    const all = reports.map((_, index) => join(folder, `${index}.xml`));
    const { status, stderr } = spawnSync('xmllint', ['--noout', '--schema', xsd, ...all], {
      encoding: 'utf8',
    });
    expect(
      stderr.split('\n').filter((line) => line !== '' && !line.endsWith(' validates')),
    ).toEqual([]);
    expect(status).toBe(0);
  });
});

describe('pprof, by a parser of it', () => {
  test.each(withAllocations)('%s', (file) => {
    const report = read(file);
    const profile = Profile.decode(gunzipSync(renderPprof(report)));
    const text = (index: number | bigint): string =>
      profile.stringTable.strings[Number(index)] ?? '';
    expect(profile.sampleType.length).toBeGreaterThan(0);
    for (const { type, unit } of profile.sampleType)
      expect(`${text(type)} ${text(unit)}`).toMatch(/^inuse_space.* bytes$/);
    const locations = new Map(profile.location.map((location) => [Number(location.id), location]));
    const functions = new Map(profile.function.map((each) => [Number(each.id), each]));
    expect(profile.sample.length).toBeGreaterThan(0);
    for (const { locationId, value } of profile.sample) {
      expect(value).toHaveLength(profile.sampleType.length);
      for (const id of locationId) {
        const [line] = locations.get(Number(id))?.line ?? [];
        expect(text(functions.get(Number(line?.functionId))?.name ?? -1)).not.toBe('');
      }
    }
  });
});

describe('speedscope, by the schema that it ships', () => {
  const validate = new Ajv({ allErrors: true, strict: false }).compile(
    json<AnySchemaObject>(resolve('speedscope/dist/release/file-format-schema.json')),
  );
  test.each(withAllocations)('%s', (file) => {
    validate(JSON.parse(renderSpeedscope(read(file), options)));
    expect(validate.errors).toBe(null);
  });
});

const executablePath = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => existsSync(path));

describe(`speedscope itself (${executablePath === undefined ? 'needs Chromium' : 'Chromium'})`, () => {
  const report = read('reports/rehearsed-obvious/report.json');
  test.skipIf(executablePath === undefined).each([
    [
      'obvious.speedscope.json',
      Buffer.from(renderSpeedscope(report, options)),
      'as speedscope json',
    ],
    ['obvious.pb.gz', Buffer.from(renderPprof(report)), 'as protobuf encoded pprof'],
  ])('opens %s', async (name, content, kind) => {
    const script = join(folder, `${name}.js`);
    writeFileSync(
      script,
      `speedscope.loadFileFromBase64(${JSON.stringify(name)}, ${JSON.stringify(content.toString('base64'))})`,
    );
    const browser = await chromium.launch({
      executablePath: executablePath ?? '',
      // It draws with WebGL, here without a graphics card.
      args: ['--no-sandbox', '--enable-unsafe-swiftshader'],
    });
    try {
      const page = await browser.newPage();
      const said: string[] = [];
      page.on('console', (message) => said.push(message.text()));
      page.on('pageerror', (error) => said.push(`error: ${String(error)}`));
      const viewer = pathToFileURL(resolve('speedscope/dist/release/index.html')).href;
      await page.goto(`${viewer}#localProfilePath=${script}`);
      await expect
        .poll(() => page.locator('body').innerText(), { timeout: 30_000 })
        .toContain('Left Heavy');
      expect(said.some((text) => text.includes(`Importing ${kind}`))).toBe(true);
      expect(said.filter((text) => text.startsWith('error:'))).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
