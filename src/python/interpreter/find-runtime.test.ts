import { expect, test } from 'vitest';
import { isRefusal } from '../process/live-process.ts';
import { Memory, type MemorySource } from '../process/memory.ts';
import { findRuntime } from './find-runtime.ts';

/** What is said of a process, or its core, that maps these files and in which nothing can be read. */
function saidOf(kind: MemorySource['kind'], ...paths: readonly string[]): string {
  const regions = paths.map((path, i) => ({
    start: 0x10000 * (i + 1),
    end: 0x10000 * (i + 1) + 0x1000,
    writable: true,
    shared: false,
    path,
    offset: 0,
  }));
  const found = findRuntime(
    new Memory({
      kind,
      pid: null,
      regions,
      read: () => 0,
      threads: () => [],
      openFile: () => null,
      isCurrent: () => true,
      close: () => {},
    }),
  );
  if (!isRefusal(found)) throw new Error('a CPython');
  expect(found.code).toBe('not-cpython');
  return `${found.detail}; ${found.hint}`;
}

test('other Pythons are called by their names', () => {
  expect(saidOf('process', '/usr/bin/pypy3.9', '/usr/lib/libpypy3.9-c.so')).toMatch(
    /^this is PyPy: .*; coroner run tells how it died/,
  );
  expect(saidOf('process', '/opt/graalpy/lib/libpythonvm.so')).toMatch(/^this is GraalPy: /);
});
test('a core from another root says which file is missing, and what helps', () => {
  const said = saidOf('core', '/usr/bin/python3.15', '/usr/lib/libc.so.6');
  expect(said).toMatch(/\/usr\/bin\/python3\.15, which it had mapped, is not the same file here/);
  expect(said).toContain('coredump_filter');
});
test('what is no Python is nothing else', () => {
  const plain = /^no CPython was found in it; coroner inspect looks into CPython 3\.6 to 3\.15/;
  expect(saidOf('process', '/usr/bin/node')).toMatch(plain);
  expect(saidOf('core', '/usr/bin/node', '/usr/lib/python3/pythonic.txt')).toMatch(plain);
});
