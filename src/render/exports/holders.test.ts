import { expect, test } from 'vitest';
import type { Holder } from '../../model/report.ts';
import { renderHoldersCollapsed, renderHoldersSpeedscope } from './holders.ts';

const holder: Holder = {
  name: 'rows',
  scope: 'local',
  function: 'load',
  file: 'app.py',
  line: 42,
  path: 'rows -> list[3] -> dict[str]',
  type: 'list',
  ownBytes: 88,
  retainedBytes: 1000,
  alsoHeldBy: [],
  estimate: false,
};
const bare: Holder = {
  ...holder,
  name: 'a;b\u001b[31m',
  function: null,
  file: null,
  line: null,
  path: 'a',
  retainedBytes: 5,
};

test('one collapsed stack a holder, from the file to the bytes', () => {
  expect(renderHoldersCollapsed({ holders: [holder, bare] })).toBe(
    'coroner 0\napp.py;load():42;rows;list[3];dict[str] 1000\na,b\\x1b[31m 5\n',
  );
});

test('speedscope: every sample is made of known frames, weights add up', () => {
  const profile = JSON.parse(
    renderHoldersSpeedscope({ holders: [holder, bare] }, { name: 'app', version: '1' }),
  );
  expect(profile.profiles[0].endValue).toBe(1005);
  expect(profile.profiles[0].samples[0].map((i: number) => profile.shared.frames[i].name)).toEqual([
    'app.py',
    'load():42',
    'rows',
    'list[3]',
    'dict[str]',
  ]);
});
