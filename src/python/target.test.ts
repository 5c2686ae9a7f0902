import { expect, test } from 'vitest';
import { openTarget } from './target.ts';
import { isRefusal, openProcess } from './process/live-process.ts';

const codeOf = (answer: object): string | null => (isRefusal(answer) ? answer.code : null);

test('a program that is no Python is refused as such', () => {
  expect(codeOf(openTarget(process.pid))).toBe('not-cpython');
});
test('a process that is not there is gone', () => {
  expect(codeOf(openProcess(2 ** 22 + 1))).toBe('gone');
  expect(codeOf(openTarget('/no/such/core'))).toBe('gone');
});
test('words alone are no refusal', () => {
  expect(isRefusal({ status: 'absent', detail: 'no CPython was found in it' })).toBe(false);
});
