import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { header } from '../model/agent-header.ts';
import { parseAgentFile } from '../parsers/formats/agent-file/agent-file.ts';
import { agentFileBytes, trimAgentFile } from './agent-files.ts';

const example = new URL('../../docs/example/run/agent/', import.meta.url);
const name = readdirSync(example).find((each) => each.endsWith('.mem.gz')) ?? '';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-compact-'));
  path = join(folder, '7.mem');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As a process leaves it: of full length. */
const whole = (): Buffer => {
  const bytes = Buffer.alloc(agentFileBytes);
  gunzipSync(readFileSync(new URL(name, example))).copy(bytes);
  return bytes;
};

test('a compacted file is small and says the very same', () => {
  writeFileSync(path, whole());
  const before = parseAgentFile(whole());
  trimAgentFile(folder, '7.mem');
  expect(statSync(path).size).toBeLessThan(200_000);
  expect(before.status).toBe('read');
  expect(parseAgentFile(readFileSync(path))).toEqual(before);
  const once = readFileSync(path);
  trimAgentFile(folder, '7.mem');
  expect(readFileSync(path).equals(once)).toBe(true);
});

test.each<[string, (bytes: Buffer) => void]>([
  ['another version', (bytes) => bytes.writeUInt32LE(2, header.version)],
  ['no magic', (bytes) => bytes.fill(0, 0, 8)],
  ['a section beyond its end', (bytes) => bytes.writeUInt32LE(0xffffff00, header.sections)],
  ['more rows than room', (bytes) => bytes.writeUInt32LE(0xffffffff, header.sections + 12)],
  ['endless rows', (bytes) => bytes.writeUInt32LE(0xffffffff, header.sections + 4)],
  [
    'sections that are all of it',
    (bytes) => {
      for (let at = header.sections; at < header.end; at += 16) {
        bytes.writeUInt32LE(0, at);
        bytes.writeUInt32LE(4096, at + 4);
        bytes.writeUInt32LE(900, at + 8);
        bytes.writeUInt32LE(900, at + 12);
      }
    },
  ],
])('%s: every byte stays', (_, spoil) => {
  const bytes = whole();
  spoil(bytes);
  writeFileSync(path, bytes);
  trimAgentFile(folder, '7.mem');
  expect(readFileSync(path).equals(bytes)).toBe(true);
});
