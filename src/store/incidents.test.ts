import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  isIncidentId,
  newIncidentId,
  openIncident,
  readIncidentFolder,
  storeRoot,
} from './incidents.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'coroner-store-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const id = '20260131-120000-abcdef';

test('ids sort by time and cannot be guessed', () => {
  const now = new Date('2026-01-31T12:00:00Z');
  expect(newIncidentId(now)).toMatch(/^20260131-120000-[0-9a-f]{6}$/);
  expect(isIncidentId(newIncidentId(now))).toBe(true);
  expect(isIncidentId('../../etc')).toBe(false);
});

test('a relative XDG_STATE_HOME is ignored, as its specification says', () => {
  expect(storeRoot({ XDG_STATE_HOME: '/state' })).toBe('/state/coroner');
  expect(storeRoot({ XDG_STATE_HOME: 'state' })).toMatch(/^\/.*\/\.local\/state\/coroner$/);
});

test('readable by its owner alone', () => {
  const writer = openIncident(root, id);
  writer.append('events.ndjson', 'a\n');
  expect(statSync(join(root, id)).mode & 0o777).toBe(0o700);
  expect(statSync(join(root, id, 'events.ndjson')).mode & 0o777).toBe(0o600);
  writer.close();
});

test('what somebody else put there is never written to', () => {
  const writer = openIncident(root, id);
  const target = join(root, 'target');
  writeFileSync(target, 'untouched');
  symlinkSync(target, join(root, id, 'events.ndjson'));
  writer.append('events.ndjson', 'secret\n');
  writer.close();
  expect(readFileSync(target, 'utf8')).toBe('untouched');
  expect(writer.faults().length).toBeGreaterThan(0);
  // It is not lost for the verdict.
  expect(writer.text('events.ndjson')).toBe('secret\n');
});

test('a folder that vanishes takes nothing with it', () => {
  const writer = openIncident(root, id);
  const folder = writer.folder ?? '';
  writer.append('events.ndjson', 'one\n');
  rmSync(folder, { recursive: true });
  writer.append('events.ndjson', 'two\n');
  writer.append('kernel.log', 'three\n');
  expect(writer.text('events.ndjson')).toBe('one\ntwo\n');
  expect(writer.text('kernel.log')).toBe('three\n');
  writer.close();
});

test('links in a folder are not followed when it is read', () => {
  mkdirSync(join(root, id));
  writeFileSync(join(root, 'secret'), 'secret');
  symlinkSync(join(root, 'secret'), join(root, id, 'kernel.log'));
  writeFileSync(join(root, id, 'incident.json'), '{}');
  const { texts, unread } = readIncidentFolder(join(root, id));
  expect([...texts.keys()]).toEqual(['incident.json']);
  expect(unread).toEqual([{ name: 'kernel.log', why: 'not a plain file' }]);
});

describe('a file that somebody packed', () => {
  const packed = (name: string, bytes: Buffer) => {
    const folder = mkdtempSync(join(root, 'packed-'));
    writeFileSync(join(folder, name), bytes);
    return readIncidentFolder(folder);
  };

  test('is read as if it were not', () => {
    const { texts, unread } = packed('samples.ndjson.gz', gzipSync('{"atMs":1}\n'));
    expect([...texts]).toEqual([['samples.ndjson', '{"atMs":1}\n']]);
    expect(unread).toEqual([]);
  });

  test('and was cut off, or unpacks without end, is said', () => {
    const cut = gzipSync('{"atMs":1}\n').subarray(0, 12);
    expect(packed('samples.ndjson.gz', cut)).toMatchObject({
      unread: [{ name: 'samples.ndjson.gz', why: 'it cannot be unpacked' }],
    });
    const bomb = gzipSync(Buffer.alloc(65 * 2 ** 20));
    expect(packed('samples.ndjson.gz', bomb)).toMatchObject({
      unread: [{ name: 'samples.ndjson.gz', why: 'too large' }],
    });
  });

  test('gives way to the file itself', () => {
    const folder = mkdtempSync(join(root, 'packed-'));
    writeFileSync(join(folder, 'samples.ndjson'), '{"atMs":2}\n');
    writeFileSync(join(folder, 'samples.ndjson.gz'), gzipSync('{"atMs":1}\n'));
    expect([...readIncidentFolder(folder).texts]).toEqual([['samples.ndjson', '{"atMs":2}\n']]);
  });
});
