import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { agentCompanion, preloading, thinOut } from './agent.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-thin-'));
  writeFileSync(join(folder, 'tree'), Buffer.alloc(8192));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const [running, exited] = [0, 2];
/** Offsets of struct coroner_header. */
const [stateAt, failureCountAt] = [48, 184];
const file = (pid: number, state: number, failures = 0): void => {
  const bytes = Buffer.alloc(4096);
  bytes.write('CORONERA', 'latin1');
  bytes.writeUInt32LE(state, stateAt);
  bytes.writeBigUInt64LE(BigInt(failures), failureCountAt);
  writeFileSync(join(folder, `${pid}.mem`), bytes);
  utimesSync(join(folder, `${pid}.mem`), pid, pid);
};
const left = (): readonly number[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.mem'))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);

describe('the agent’s files of a long run', () => {
  test('a few are all kept', () => {
    for (let pid = 1; pid <= 60; pid += 1) file(pid, exited);
    thinOut(folder, () => true);
    expect(left()).toHaveLength(60);
  });
  test('of many, what came to its own end goes before what was killed or refused', () => {
    for (let pid = 1; pid <= 100; pid += 1)
      file(pid, pid % 4 === 1 ? running : exited, pid % 4 === 2 ? 1 : 0);
    thinOut(folder, () => true);
    expect(left()).toHaveLength(60);
    expect(left()).toEqual(
      expect.arrayContaining(
        Array.from({ length: 100 }, (_, index) => index + 1).filter((pid) =>
          [1, 2].includes(pid % 4),
        ),
      ),
    );
    // The agents may make that many more.
    expect(readFileSync(join(folder, 'tree')).readUInt32LE(8)).toBe(60);
  });
  test('a file of a process that lives is never taken', () => {
    for (let pid = 1; pid <= 100; pid += 1) file(pid, exited);
    thinOut(folder, (pid) => pid > 80);
    expect(left()).toEqual(Array.from({ length: 90 }, (_, index) => index + 1));

    expect(readFileSync(join(folder, 'tree')).readUInt32LE(8)).toBe(90);
  });
});

describe('LD_PRELOAD', () => {
  const library = '/here/dist/agent/coroner-agent-linux-x64-gnu.so';
  test.each([
    ['nothing else', undefined, library],
    ['an empty one', '', library],
    ['another library stays behind', '/lib/libjemalloc.so.2', `${library}:/lib/libjemalloc.so.2`],
    ['a run within a run', library, library],
    [
      'a run of another version around it, with other libraries, however they are told apart',
      '/a.so /old/coroner-agent-linux-x64-gnu.so:/b.so',
      `${library}:/a.so:/b.so`,
    ],
    [
      'a name that only looks like it',
      '/my-coroner-agent-linux-x.so',
      `${library}:/my-coroner-agent-linux-x.so`,
    ],
  ])('%s', (_, before, after) => {
    expect(preloading(library, before)).toBe(after);
  });
});

test('who asks for a limit hears that nobody enforces it', () => {
  const said = (memoryLimitBytes: number | undefined): readonly string[] => {
    const told: string[] = [];
    const command = ['/no/such/program'];
    agentCompanion({ command, memoryLimitBytes, unlimited: (why) => told.push(why) }).prepare?.(
      {},
      '/no/such/folder',
      '/no/such/folder',
    );
    return told;
  };
  expect(said(2 ** 26)).toEqual([expect.stringMatching(/^no agent: .*; --memory-limit is not/)]);
  expect(said(undefined)).toEqual([]);
});
