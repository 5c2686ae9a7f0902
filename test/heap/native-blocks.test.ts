import { expect, test } from 'vitest';
import { NativeBlocks } from '../../src/python/holders/native-blocks.ts';
import type { TypeInfo, TypeTable } from '../../src/python/objects/types.ts';
import type { Memory, Region } from '../../src/python/process/memory.ts';

const start = 0x7000_0000_0000;
const region: Region = {
  start,
  end: start + (4 << 20),
  writable: true,
  shared: false,
  path: '',
  offset: 0,
};
/** Words at their addresses; the rest of the region is zero. */
function memoryOf(words: ReadonlyMap<number, number>): Memory {
  const within = (address: number) => address >= region.start && address < region.end;
  return {
    word: (address: number) => words.get(address) ?? 0,
    u32: (address: number) => (words.get(address) ?? 0) % 2 ** 32,
    isNearMapped: within,
    region: (address: number) => (within(address) ? region : null),
  } as unknown as Memory;
}
const noObjects = { of: () => null } as unknown as TypeTable;
const typeOf = (rawName: string, basicBytes: number): TypeInfo =>
  ({ rawName, name: rawName, basicBytes, index: 1 }) as TypeInfo;

const object = start;
const struct = start + 0x1000;
const data = start + 0x10_000;
const mib = 1 << 20;

test('a length beside a pointer, at the end of a chain of structs; each block once', () => {
  const memory = memoryOf(
    new Map([
      [object + 16, struct],
      [object + 24, struct],
      // pointer, length, room
      [struct + 8, data],
      [struct + 16, mib],
      [struct + 24, mib + 4096],
      // another that shows the same data
      [struct + 64, data],
      [struct + 72, mib],
    ]),
  );
  const blocks = new NativeBlocks(memory, noObjects);
  const type = typeOf('pyarrow.lib.Table', 32);
  expect(blocks.behind(object, type)).toBe(mib + 4096);
  expect(blocks.behind(object, type)).toBe(0);
});

test('the room of a vector, and the length of one pointer is not that of the next', () => {
  const other = start + 0x20_0000;
  const memory = memoryOf(
    new Map([
      [object + 16, struct],
      // begin, end, end of the room
      [struct, data],
      [struct + 8, data + mib],
      [struct + 16, data + mib + 8192],
      // pointer and length, then a pointer of another kind
      [struct + 80, other],
      [struct + 88, 500_000],
      [struct + 96, other + 0x10_0000],
    ]),
  );
  const blocks = new NativeBlocks(memory, noObjects);
  expect(blocks.behind(object, typeOf('builtins.PyDataFrame', 24))).toBe(mib + 8192 + 500_000);
});

test("what the C library's allocator says of a block counts before what stands beside its pointer", () => {
  const memory = memoryOf(
    new Map([
      [object + 16, data],
      [object + 24, 3 * mib],
      [data - 8, 200_000 + 16 - ((200_000 + 16) % 16) + 1],
      // In use, as the block behind it says.
      [data - 16 + (200_000 + 16 - ((200_000 + 16) % 16)) + 8, 65],
    ]),
  );
  const blocks = new NativeBlocks(memory, noObjects);
  expect(blocks.behind(object, typeOf('ImagingCore', 32))).toBe(200_000);
});

test('types of other libraries are left alone, and many objects of one type stand for the rest', () => {
  const words = new Map<number, number>();
  for (let i = 0; i < 60; i++) {
    words.set(start + i * 64 + 16, start + 0x10_0000 + i * 0x4000);
    words.set(start + i * 64 + 24, 8192);
  }
  const blocks = new NativeBlocks(memoryOf(words), noObjects);
  expect(blocks.behind(start, typeOf('shop.Order', 32))).toBe(0);
  const type = typeOf('Tensor', 32);
  for (let i = 0; i < 60; i++) expect(blocks.behind(start + i * 64, type)).toBe(8192);
});
