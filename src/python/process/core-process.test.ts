import { expect, test } from 'vitest';
import { syntheticCore } from '../../../test/cores/synthetic-core.ts';
import { openCore, readAtBytes } from '../../elf/index.ts';
import { coreSource } from './core-process.ts';
import { Memory } from './memory.ts';

function sourceOf(bytes: Uint8Array) {
  const opened = openCore(readAtBytes(bytes), bytes.length);
  if ('problem' in opened) throw new Error(opened.problem.why);
  return coreSource(opened.core, () => {});
}

test('address space that a process only reserved (PROT_NONE) takes no room here', () => {
  const source = sourceOf(
    syntheticCore({
      segments: [
        { address: 0x10000, content: new Uint8Array(4096).fill(7), flags: 6 },
        { address: 2 ** 40, memoryBytes: 2 ** 45, flags: 0 },
      ],
    }),
  );
  expect(source.regions).toMatchObject([{ start: 0x10000, end: 0x11000, writable: true }]);
  const memory = new Memory(source, 4, 16);
  expect(memory.denseChunks).toBe(2 * 2 ** 14);
  expect(memory.word(0x10008)).toBe(0x07070707 * (1 + 2 ** 32));
  expect(memory.word(2 ** 40)).toBe(0);
});

test('what was given back reads as zeros, and is not asked of the core again', () => {
  const source = sourceOf(
    syntheticCore({ segments: [{ address: 0x10000, content: new Uint8Array(4096).fill(7) }] }),
  );
  const memory = new Memory(source, 4, 16);
  expect(memory.u8(0x10000)).toBe(7);
  memory.release();
  expect([memory.u8(0x10000), memory.word(0x10000), memory.u32(0x10ff8)]).toEqual([0, 0, 0]);
  expect(memory.statistics.loads).toBe(1);
});
