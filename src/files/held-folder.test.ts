import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFile, makeHeldFolder, removeFolder, replaceFile } from './held-folder.ts';

let work = '';
let outside = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'coroner held '));
  outside = mkdtempSync(join(tmpdir(), 'coroner outside '));
  writeFileSync(join(outside, 'precious'), 'precious');
});
afterEach(() => {
  for (const each of [work, outside]) rmSync(each, { recursive: true, force: true });
});

describe('a held folder', () => {
  test('stays what it was when it is renamed and a link is put in its place', () => {
    const held = makeHeldFolder(join(work, 'a'));
    renameSync(join(work, 'a'), join(work, 'b'));
    symlinkSync(outside, join(work, 'a'));
    replaceFile(held.path, 'file', 'text');
    expect(readFileSync(join(held.pathForOthers, 'file'), 'utf8')).toBe('text');
    held.close();
    expect(readdirSync(join(work, 'b'))).toEqual(['file']);
    expect(readdirSync(outside)).toEqual(['precious']);
    expect(statSync(join(work, 'b')).mode & 0o777).toBe(0o700);
  });
  test('is not made where something is', () => {
    symlinkSync(outside, join(work, 'a'));
    mkdirSync(join(work, 'b'));
    for (const name of ['a', 'b']) expect(() => makeHeldFolder(join(work, name))).toThrow(/EEXIST/);
  });
});

describe('a file', () => {
  const traps: readonly (readonly [string, (path: string) => void])[] = [
    ['a FIFO', (path) => void spawnSync('mkfifo', [path])],
    ['a link to a file', (path) => symlinkSync(join(outside, 'precious'), path)],
    ['a link to nothing', (path) => symlinkSync(join(outside, 'new'), path)],
    ['a link to a device', (path) => symlinkSync('/dev/zero', path)],
    ['a file', (path) => writeFileSync(path, 'of others', { mode: 0o666 })],
  ];
  test.each(traps)('that is made opens no %s', (_, put) => {
    put(join(work, 'file'));
    expect(() => createFile(work, 'file')).toThrow(/EEXIST/);
  });
  test.each(traps)('that is replaced opens no %s', (_, put) => {
    put(join(work, 'file'));
    replaceFile(work, 'file', 'new');
    expect(readFileSync(join(work, 'file'), 'utf8')).toBe('new');
    expect(statSync(join(work, 'file')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('precious');
    expect(readdirSync(outside)).toEqual(['precious']);
  });
  test('replaces no folder', () => {
    mkdirSync(join(work, 'file'));
    expect(() => replaceFile(work, 'file', 'new')).toThrow();
  });
  test('is written at its end, or anywhere', () => {
    for (const [how, text] of [
      ['append', 'onetwo'],
      ['anywhere', 'two'],
    ] as const) {
      const fd = createFile(work, how, how);
      writeSync(fd, 'one', 0);
      writeSync(fd, 'two', 0);
      closeSync(fd);
      expect(readFileSync(join(work, how), 'utf8')).toBe(text);
    }
  });
});

describe('removing a folder', () => {
  test('takes all that is in it, and follows no link', () => {
    const folder = join(work, 'a');
    mkdirSync(join(folder, 'deep/deeper'), { recursive: true });
    writeFileSync(join(folder, 'deep/deeper/file'), '');
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]), '');
    spawnSync('mkfifo', [join(folder, 'fifo')]);
    symlinkSync(outside, join(folder, 'deep/link'));
    symlinkSync(join(outside, 'precious'), join(folder, 'link'));
    removeFolder(folder);
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(outside)).toEqual(['precious']);
  });
  test('removes a link in its place, and nothing where there is nothing', () => {
    symlinkSync(outside, join(work, 'a'));
    removeFolder(join(work, 'a'));
    removeFolder(join(work, 'nothing'));
    expect(readdirSync(work)).toEqual([]);
    expect(readdirSync(outside)).toEqual(['precious']);
  });
});
