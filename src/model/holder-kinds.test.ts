import { expect, test } from 'vitest';
import { unnamedHolders, withHolderKinds } from './holder-kinds.ts';
import type { Holder } from './report.ts';

const holder = (name: string, rest: Partial<Holder> = {}): Holder => ({
  name,
  scope: 'unknown',
  function: null,
  file: null,
  line: null,
  path: name,
  type: 'list',
  ownBytes: 0,
  retainedBytes: 1,
  alsoHeldBy: [],
  estimate: false,
  ...rest,
});
const kindsOf = (...holders: readonly Holder[]) =>
  withHolderKinds({ holders }).holders?.map(({ kind }) => kind);

test.each(Object.entries(unnamedHolders))('an old report tells %s by its name', (kind, name) => {
  expect(kindsOf(holder(name))).toEqual([kind]);
});

test('an attribute of what has no name has none either', () => {
  expect(kindsOf(holder('(being built).rows'))).toEqual(['being-built']);
});

test('what several names share is told by its path', () => {
  const path = 'index + tree -> list[3]';
  expect(kindsOf(holder('index', { path }))).toEqual(['shared']);
  expect(kindsOf(holder('tree', { path }))).toEqual(['variable']);
});

test('all else is a variable', () => {
  expect(kindsOf(holder('rows'), holder('app.cache'), holder('()'))).toEqual([
    'variable',
    'variable',
    'variable',
  ]);
});

test('a kind that the report tells is left alone', () => {
  const picture = { holders: [holder('(no name)', { kind: 'variable' })] };
  expect(withHolderKinds(picture)).toBe(picture);
  expect(kindsOf(...picture.holders, holder('rows'))).toEqual(['variable', 'variable']);
});

test('a picture without holders is left alone', () => {
  const picture = { notes: ['stacks only'] };
  expect(withHolderKinds(picture)).toBe(picture);
});
