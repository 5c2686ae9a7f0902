import {
  closeSync,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { agentFileBytes, SpareFiles, trimAgentFile } from './agent-files.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-files-'));
  writeFileSync(join(folder, 'tree'), Buffer.alloc(8192));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tree = () => readFileSync(join(folder, 'tree'));
const spares = () => readdirSync(folder).filter((name) => name.endsWith('.spare'));
/** As the agents count. */
const setTaken = (count: number) => {
  const bytes = tree();
  bytes.writeUInt32LE(count, 24);
  writeFileSync(join(folder, 'tree'), bytes);
};

describe('files that lie ready for the agents', () => {
  test('as many as wanted, of full size, without room on the disk; as many again as were taken', () => {
    const files = new SpareFiles(folder);
    files.fill(4);
    expect(spares().toSorted()).toEqual(['0.spare', '1.spare', '2.spare', '3.spare']);
    const { size, blocks } = statSync(join(folder, '0.spare'));
    expect({ size, blocks }).toEqual({ size: agentFileBytes, blocks: 0 });
    expect(tree().readUInt32LE(20)).toBe(4);
    files.fill(4);
    expect(spares()).toHaveLength(4);
    renameSync(join(folder, '0.spare'), join(folder, '77.mem'));
    setTaken(1);
    files.fill(4);
    expect(spares().toSorted()).toEqual(['1.spare', '2.spare', '3.spare', '4.spare']);
    expect(tree().readUInt32LE(20)).toBe(5);
    files.clear();
    expect(readdirSync(folder).toSorted()).toEqual(['77.mem', 'tree']);
  });
  test.for([4, 5, 1000, 0xffffffff])(
    'a process that says %i were taken gets no more than all',
    (said) => {
      const files = new SpareFiles(folder);
      files.fill(4);
      setTaken(said);
      files.fill(4);
      expect(spares()).toHaveLength(8);
    },
  );
  test('what is no folder or no plain file is not written to', () => {
    rmSync(join(folder, 'tree'));
    writeFileSync(join(folder, 'else'), Buffer.alloc(8192));
    symlinkSync(join(folder, 'else'), join(folder, 'tree'));
    new SpareFiles(folder).fill(4);
    expect(readdirSync(folder).toSorted()).toEqual(['else', 'tree']);
    expect(readFileSync(join(folder, 'else'))).toEqual(Buffer.alloc(8192));
  });
});

describe('trimming', () => {
  const path = () => join(folder, '7.mem');
  /** All of it written, as where room is reserved. */
  const whole = (fill: (bytes: Buffer) => void) => {
    const bytes = Buffer.alloc(agentFileBytes);
    fill(bytes);
    writeFileSync(path(), bytes, { mode: 0o600 });
    return bytes;
  };
  test.for<[string, (bytes: Buffer) => void]>([
    ['nothing', () => {}],
    ['its first bytes', (bytes) => bytes.write('CORONERA')],
    ['its last byte', (bytes) => bytes.writeUInt8(1, agentFileBytes - 1)],
    [
      'pages apart',
      (bytes) => [0, 5, 6, 700].forEach((page) => bytes.writeUInt8(1, page * 4096 + 4095)),
    ],
  ])('where %s was written the file reads as before and takes little', ([, fill]) => {
    const bytes = whole(fill);
    trimAgentFile(folder, '7.mem');
    expect(readFileSync(path()).equals(bytes)).toBe(true);
    const { blocks, mode } = statSync(path());
    expect(blocks * 512).toBeLessThanOrEqual(5 * 4096);
    expect(mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).toSorted()).toEqual(['7.mem', 'tree']);
  });
  test('what is full, sparse already or of another size stays the very file that it was', () => {
    const cases: readonly (() => void)[] = [
      () => {
        const fd = openSync(path(), 'w');
        ftruncateSync(fd, agentFileBytes);
        closeSync(fd);
      },
      () => writeFileSync(path(), Buffer.alloc(8192)),
    ];
    for (const make of cases) {
      rmSync(path(), { force: true });
      make();
      const before = statSync(path()).ino;
      trimAgentFile(folder, '7.mem');
      expect(statSync(path()).ino).toBe(before);
    }
    rmSync(path());
    symlinkSync(join(folder, 'tree'), path());
    trimAgentFile(folder, '7.mem');
    expect(lstatSync(path()).isSymbolicLink()).toBe(true);
    expect(existsSync(join(folder, 'tree'))).toBe(true);
  });
});
