import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  isFileRefusal,
  openBelow,
  openInRoot,
  openNamed,
  readBelow,
  readInRoot,
  readSafely,
  type FileRefusal,
  type SafeFile,
} from './open-safely.ts';

const most = { mostBytes: 1000 };
let folder = '';
let outside = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner open '));
  outside = mkdtempSync(join(tmpdir(), 'coroner outside '));
  writeFileSync(join(outside, 'secret'), 'secret');
  mkdirSync(join(folder, 'sub/deep'), { recursive: true });
  writeFileSync(join(folder, 'plain'), 'text');
  writeFileSync(join(folder, 'sub/deep/plain'), 'deep');
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'big'), 'x'.repeat(1001));
  spawnSync('mkfifo', [join(folder, 'fifo')]);
  symlinkSync('plain', join(folder, 'link'));
  symlinkSync('sub', join(folder, 'linked folder'));
  symlinkSync(join(outside, 'secret'), join(folder, 'out'));
  symlinkSync('/dev/zero', join(folder, 'zero'));
  symlinkSync('loop b', join(folder, 'loop a'));
  symlinkSync('loop a', join(folder, 'loop b'));
});
afterEach(() => {
  for (const each of [folder, outside]) rmSync(each, { recursive: true, force: true });
});

const code = (result: SafeFile | FileRefusal | Buffer): string => {
  if (Buffer.isBuffer(result)) return 'read';
  if (isFileRefusal(result)) return result.code;
  closeSync(result.fd);
  return 'opened';
};

describe('below a folder', () => {
  test.each([
    ['plain', 'text'],
    ['sub/deep/plain', 'deep'],
    ['./sub//deep/./plain', 'deep'],
    ['empty', ''],
  ])('%s is read', (path, text) => {
    expect(readBelow(folder, path, most).toString()).toBe(text);
  });

  test.each([
    ['link', 'link'],
    ['linked folder/deep/plain', 'link'],
    ['out', 'link'],
    ['zero', 'link'],
    ['loop a', 'link'],
    ['../secret', 'link'],
    ['sub/../../x', 'link'],
    ['fifo', 'not-a-file'],
    ['sub', 'not-a-file'],
    ['', 'not-a-file'],
    ['big', 'too-big'],
    ['nothing', 'absent'],
    ['plain/below', 'absent'],
    ['x'.repeat(300), 'absent'],
  ])('%s is refused: %s', (path, why) => {
    expect(code(openBelow(folder, path, most))).toBe(why);
  });

  test('belongs to whom it should', () => {
    const uid = process.getuid?.() ?? 0;
    expect(code(openBelow(folder, 'plain', { ...most, owners: [uid] }))).toBe('opened');
    expect(code(openBelow(folder, 'plain', { ...most, owners: [uid + 1] }))).toBe('owner');
  });

  test('for writing: in place, or only at its end', () => {
    for (const [write, text] of [
      [true, 'next'],
      ['append', 'nextnext'],
    ] as const) {
      const file = openBelow(folder, 'plain', { ...most, write });
      if (isFileRefusal(file)) throw new Error(file.message);
      writeSync(file.fd, 'next');
      closeSync(file.fd);
      expect([write, readBelow(folder, 'plain', most).toString()]).toEqual([write, text]);
    }
    expect(code(openBelow(folder, 'link', { ...most, write: 'append' }))).toBe('link');
  });
});

describe('in a root', () => {
  test('links stay inside it, absolute ones and those that climb', () => {
    mkdirSync(join(folder, 'etc'));
    writeFileSync(join(folder, 'etc/secret'), 'of the root');
    for (const [index, target] of [
      '/etc/secret',
      '../../../../../etc/secret',
      `/sub/../etc/./secret`,
      '/linked folder/../etc/secret',
    ].entries()) {
      symlinkSync(target, join(folder, `sub/link ${index}`));
      expect(readInRoot(folder, `/sub/link ${index}`, most).toString()).toBe('of the root');
    }
    symlinkSync(join(outside, 'secret'), join(folder, 'escape'));
    expect(code(openInRoot(folder, '/escape', most))).toBe('absent');
    expect(code(openInRoot(folder, '/../../../..', most))).toBe('not-a-file');
  });

  test.each([
    ['/loop a', 'link'],
    ['/fifo', 'not-a-file'],
    ['/zero', 'absent'],
    ['/big', 'too-big'],
  ])('%s is refused: %s', (path, why) => {
    expect(code(openInRoot(folder, path, most))).toBe(why);
  });
});

describe('by its name', () => {
  test('links are followed, and what is no file is refused', () => {
    expect(readSafely(openNamed(join(folder, 'link'), most), 1000).toString()).toBe('text');
    for (const [path, why] of [
      [join(folder, 'fifo'), 'not-a-file'],
      [join(folder, 'zero'), 'not-a-file'],
      ['/dev/tty', 'not-a-file'],
      [folder, 'not-a-file'],
      [join(folder, 'nothing'), 'absent'],
    ] as const)
      expect([path, code(openNamed(path, most))]).toEqual([path, why]);
  });
});

test('a file that has no size is read to its end, and no further than allowed', () => {
  expect(readSafely(openNamed('/proc/self/status', most), 1 << 16).toString()).toContain('VmRSS');
  expect(readSafely(openNamed('/proc/self/status', most), 10)).toHaveLength(10);
});

test('no descriptor is left open, whatever came of it', () => {
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  for (let round = 0; round < 20; round += 1)
    for (const path of [
      'plain',
      'link',
      'fifo',
      'sub',
      'big',
      'nothing',
      'plain/x',
      'loop a',
      '../x',
      'sub/deep/plain',
    ]) {
      code(openBelow(folder, path, most));
      code(openInRoot(folder, path, most));
      code(readBelow(folder, path, most));
      code(openNamed(join(folder, path), most));
    }
  expect(open()).toBe(before);
});
