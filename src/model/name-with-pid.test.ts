import { expect, it } from 'vitest';
import { nameWithPid, subjectWithPid } from './name-with-pid.ts';

it.each([
  [{ name: 'python3', pid: 7 }, 'python3 (pid 7)', 'python3 (pid 7)'],
  [{ name: 'python3' }, 'python3', 'python3'],
  [{ name: 'python3', pid: null }, 'python3', 'python3'],
  [{ pid: 7 }, 'process 7', 'Process 7'],
  [{ name: '', pid: 7 }, 'process 7', 'Process 7'],
  [{}, 'a process', 'The process'],
  [{ name: '', pid: null }, 'a process', 'The process'],
])('%j is %s, at the start of a sentence %s', (process, inside, first) => {
  expect(nameWithPid(process)).toBe(inside);
  expect(subjectWithPid(process)).toBe(first);
});
it('where nothing is known the words are the caller’s, as they are', () => {
  expect(nameWithPid({}, 'the command')).toBe('the command');
  expect(subjectWithPid({}, 'glibc')).toBe('glibc');
});
