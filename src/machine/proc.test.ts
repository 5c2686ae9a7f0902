import { describe, expect, test } from 'vitest';
import {
  commandLine,
  decodeWaitStatus,
  namespacePids,
  parseKeyed,
  parseLimits,
  parseStat,
} from './proc.ts';

const stat = (name: string, state = 'S', exitStatus = 0) =>
  `4711 (${name}) ${state} 1 4700 4600 34816 4700 4194304 800 0 12 0 150 40 0 0 20 0 3 0 99887 228200448 25504 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 ${exitStatus}`;

describe('stat', () => {
  test('a plain process', () => {
    expect(parseStat(stat('python3'))).toEqual({
      pid: 4711,
      name: 'python3',
      state: 'S',
      parentPid: 1,
      processGroup: 4700,
      session: 4600,
      flags: 4194304,
      majorFaults: 12,
      userTicks: 150,
      systemTicks: 40,
      threads: 3,
      startTicks: 99887,
      vmBytes: 228200448,
      rssPages: 25504,
      exitStatus: null,
    });
  });

  test.each(['a b', ') R 1 (', '((', '\u001B[31m', 'gunicorn: work'])(
    'a name made to confuse: %j',
    (name) => {
      const parsed = parseStat(stat(name));
      expect(parsed?.name).toBe(name);
      expect(parsed?.state).toBe('S');
      expect(parsed?.parentPid).toBe(1);
    },
  );

  test("a zombie's wait status", () => {
    expect(parseStat(stat('x', 'Z', 9))?.exitStatus).toBe(9);
  });

  test.each(['', '4711', '4711 (x', '4711 (x) R 1'])('cut short: %j', (text) => {
    expect(parseStat(text)).toBeNull();
  });
});

describe('wait status', () => {
  test.each([
    [0, { exitCode: 0, signal: null }],
    [256, { exitCode: 1, signal: null }],
    [9, { exitCode: null, signal: 'SIGKILL' }],
    // With the core bit.
    [139, { exitCode: null, signal: 'SIGSEGV' }],
    [64, { exitCode: null, signal: 'SIGRTMIN+30' }],
  ])('%d', (status, expected) => {
    expect(decodeWaitStatus(status)).toEqual(expected);
  });
});

test('figures with and without a unit', () => {
  const values = parseKeyed('Name:\tpython3\nVmRSS:\t  102400 kB\nThreads:\t3\nNSpid:\t4711\t7\n');
  expect(values.get('VmRSS')).toBe(104857600);
  expect(values.get('Threads')).toBe(3);
  expect(values.has('Name')).toBe(false);
});

test('pids in inner namespaces', () => {
  expect(namespacePids('Name:\tx\nNSpid:\t4711\t7\nThreads:\t1\n')).toEqual([4711, 7]);
  expect(namespacePids('Name:\tx\n')).toEqual([]);
});

test('only finite limits that a death may be about', () => {
  const text = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              10                   20                   seconds
Max file size             unlimited            unlimited            bytes
Max data size             unlimited            unlimited            bytes
Max stack size            8388608              unlimited            bytes
Max address space         153600000            153600000            bytes
Max open files            1024                 4096                 files
`;
  expect(parseLimits(text)).toEqual([
    { owner: 'rlimit', path: 'RLIMIT_CPU', bytes: 10 },
    { owner: 'rlimit', path: 'RLIMIT_STACK', bytes: 8388608 },
    { owner: 'rlimit', path: 'RLIMIT_AS', bytes: 153600000 },
  ]);
});

test('command lines', () => {
  expect(commandLine('python3\0-c\0print(1)\0')).toBe('python3 -c print(1)');
  expect(commandLine('')).toBeNull();
});
