import { chunkBytes, type Memory } from './memory.ts';

/** So many links in a row within one chunk, and the rest of it is read too: as long as it takes to read them one by one. */
const linksAChunk = 64;

/**
 * Reads the first word of objects that are linked in any order: chunk by chunk where that is the order of their addresses, else word by
 * word. In the heap of a program that ran for long each link leads elsewhere: to read a MiB for each took a second for 3,000 of them.
 */
export function linkReader(memory: Memory): (address: number) => number {
  const word = new Uint32Array(2);
  const octets = new Uint8Array(word.buffer);
  let chunk = -1;
  let links = 0;
  return (address) => {
    if (memory.isLoaded(address)) return memory.word(address);
    const here = Math.floor(address / chunkBytes);
    links = here === chunk ? links + 1 : 0;
    chunk = here;
    if (links >= linksAChunk) return memory.word(address);
    word.fill(0);
    memory.source.read(address, octets);
    return word[0]! + word[1]! * 4_294_967_296;
  };
}
