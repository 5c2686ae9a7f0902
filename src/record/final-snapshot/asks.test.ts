import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ask, AskFile } from './ask-file.ts';
import { answerAsks, watchAsks } from './asks.ts';
import type { SnapshotReply } from './messages.ts';
import { newTaker } from './snapshot.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
  mkdirSync(join(folder, 'agent'));
  writeFileSync(path(), Buffer.alloc(8192));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = () => join(folder, 'agent/tree');
const tree = () => readFileSync(path());
function writeTree(change: (bytes: Buffer) => void): void {
  const bytes = tree();
  change(bytes);
  writeFileSync(path(), bytes);
}
const mib = 2 ** 20;
const askAs = (pid: number) =>
  writeTree((bytes) => {
    bytes.writeUInt32LE(pid, ask.pid);
    bytes.writeBigUInt64LE(process.hrtime.bigint(), ask.asked);
    bytes.writeBigUInt64LE(100n, ask.request);
    bytes.writeBigUInt64LE(BigInt(90 * mib), ask.used);
    bytes.writeUInt32LE(7, ask.answers);
    // Two slots: pid, pages.
    bytes.writeUInt32LE(pid, ask.slots);
    bytes.writeUInt32LE(20_000, ask.slots + 4);
    bytes.writeUInt32LE(99, ask.slots + 16);
    bytes.writeUInt32LE(3, ask.slots + 20);
  });

function watched() {
  const replies: SnapshotReply[] = [];
  const setup = {
    folder,
    mark: 'this run',
    stopMs: 500,
    forced: false,
    atPeak: false,
    memoryLimitBytes: 100 * mib,
    startedAt: Date.now(),
    pageSizeBytes: 4096,
    bell: new Int32Array(new SharedArrayBuffer(4)),
  };
  const guard = { holds: () => {}, letGo: () => {}, close: () => {} };
  const taker = newTaker(setup, guard, (reply) => replies.push(reply));
  return { replies, taker, asks: watchAsks(folder, 100 * mib, 4096)! };
}

test('what the file says of who waits and who holds what', () => {
  const file = AskFile.open(folder, 4096)!;
  expect(file.read()).toEqual({ ask: null, held: new Map() });
  askAs(4711);
  const reading = file.read();
  expect(reading?.ask).toMatchObject({ pid: 4711, requestBytes: 100, usedBytes: 90 * mib });
  expect(reading?.ask?.waitedMs).toBeGreaterThanOrEqual(0);
  expect([...reading!.held]).toEqual([
    [4711, 20_000 * 4096],
    [99, 3 * 4096],
  ]);
  file.leave();
});

test('a process of another run is answered and left alone, whatever pid stands there', () => {
  const { asks, taker, replies } = watched();
  askAs(process.ppid);
  answerAsks(asks, taker, [], []);
  expect(replies).toEqual([]);
  expect(tree().readUInt32LE(ask.pid)).toBe(0);
  expect(tree().readUInt32LE(ask.answers)).toBe(8);
  asks.file.close();
});

test('it promises to answer, and no more when it ends', () => {
  const { asks, taker } = watched();
  answerAsks(asks, taker, [], []);
  expect(tree().readBigUInt64LE(ask.until)).toBeGreaterThan(process.hrtime.bigint());
  asks.file.close();
  expect(tree().readBigUInt64LE(ask.until)).toBe(0n);
});

test('near the limit the file is read soon again, far from it seldomer', () => {
  const { asks, taker } = watched();
  const far = answerAsks(asks, taker, [], []);
  writeTree((bytes) => {
    bytes.writeUInt32LE(4711, ask.slots);
    bytes.writeUInt32LE((100 * mib) / 4096, ask.slots + 4);
  });
  const near = answerAsks(asks, taker, [], []);
  expect(near).toBe(1);
  expect(far).toBeGreaterThan(10);
  asks.file.close();
});

test('no file of an agent, or something else in its place, is no fault', () => {
  rmSync(path());
  expect(AskFile.open(folder, 4096)).toBeNull();
  mkdirSync(path());
  expect(AskFile.open(folder, 4096)).toBeNull();
  rmSync(path(), { recursive: true });
  writeFileSync(path(), 'short');
  const file = AskFile.open(folder, 4096);
  expect(file?.read()).toBeNull();
  file?.leave();
});
