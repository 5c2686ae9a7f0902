import { expect, test } from 'vitest';
import { linkReader } from './links.ts';
import { Memory, type MemorySource } from './memory.ts';

const start = 2 ** 32;
const count = 20_000;
const mappedBytes = 32 * 2 ** 20;

/** Links through 32 MiB, in the order in which `place` puts them, and what reading all of them one after the other reads. */
function readAll(place: (link: number) => number) {
  const words = new Float64Array(mappedBytes / 8);
  const content = new BigUint64Array(words.buffer);
  for (let link = 0; link < count; link++)
    content[place(link) / 8] = BigInt(link + 1 < count ? start + place(link + 1) : 0);
  const octets = new Uint8Array(words.buffer);
  const seen = { reads: 0, bytes: 0 };
  const source: MemorySource = {
    kind: 'core',
    pid: null,
    regions: [
      { start, end: start + mappedBytes, writable: true, shared: false, path: '', offset: 0 },
    ],
    read: (address, into) => {
      into.set(octets.subarray(address - start, address - start + into.length));
      seen.reads += 1;
      seen.bytes += into.length;
      return into.length;
    },
    threads: () => [],
    openFile: () => null,
    isCurrent: () => true,
    close: () => {},
  };
  const next = linkReader(new Memory(source, 4));
  let links = 0;
  for (let at = start + place(0); at !== 0; at = next(at)) links += 1;
  return { ...seen, links };
}

test('links in the order of their addresses: each MiB is read once', () => {
  const { links, bytes, reads } = readAll((link) => link * 1600);
  expect(links).toBe(count);
  expect(bytes).toBeLessThan(1.1 * mappedBytes);
  expect(reads).toBeLessThan(32 * 70);
});

test('links in any order: a word each', () => {
  // 7919 is prime: each link lies some 12 MiB behind the one before.
  const { links, bytes, reads } = readAll((link) => ((link * 7919) % count) * 1600);
  expect(links).toBe(count);
  expect(reads).toBe(count);
  expect(bytes).toBe(8 * count);
});
