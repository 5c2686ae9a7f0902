import { readdirSync, readFileSync } from 'node:fs';
import { toJsonSchema } from '@valibot/to-json-schema';
import { safeParse } from 'valibot';
import { describe, expect, test } from 'vitest';
import { inspectionSchema, reportSchema } from './report-schema.ts';

const root = new URL('../../', import.meta.url);
const schemaOf = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`docs/schema/${name}.schema.json`, root), 'utf8'));

/** Every file below fixtures/ that says it is a report, whatever it is called. */
const reports = readdirSync(new URL('fixtures/', root), { recursive: true, encoding: 'utf8' })
  // least.json is there to be opened although it is not as the schema says (src/cli/show.test.ts).
  .filter((file) => file.endsWith('.json') && !file.endsWith('least.json'))
  .filter((file) => {
    const text = readFileSync(new URL(`fixtures/${file}`, root), 'utf8');
    return /^\s*\{\s*"format": ?"coroner\/1"/.test(text);
  })
  .sort();

describe('every report in the fixtures is as the schema says', () => {
  test('there are some', () => expect(reports.length).toBeGreaterThan(8));
  test.each(reports)('%s', (file) => {
    const report: unknown = JSON.parse(readFileSync(new URL(`fixtures/${file}`, root), 'utf8'));
    const { issues, output } = safeParse(
      typeof report === 'object' && report !== null && 'process' in report
        ? inspectionSchema
        : reportSchema,
      report,
    );
    expect(
      issues?.map(({ message, path }) => `${path?.map(({ key }) => key).join('.')}: ${message}`),
    ).toBe(undefined);
    // Parsing leaves out what the schema does not know: nothing may be left out.
    expect(output).toEqual(report);
  });
});

test.each([
  ['report', reportSchema],
  ['inspection', inspectionSchema],
] as const)('docs/schema/%s.schema.json is up to date', (name, schema) => {
  expect(schemaOf(name), 'npm run docs writes it').toMatchObject(
    toJsonSchema(schema, { target: 'draft-2020-12' }) as object,
  );
});

test.each([
  ['a format of another kind', { format: 'coroner/9', incidents: [], sources: [] }],
  ['no incidents', { format: 'coroner/1', sources: [] }],
  ['text for bytes', { format: 'coroner/1', incidents: [{ limit: { bytes: '1' } }], sources: [] }],
])('%s is refused', (_, value) => {
  expect(safeParse(reportSchema, value).success).toBe(false);
});
