import { closeSync, openSync, readSync } from 'node:fs';
import type { Bytes } from '../../model/units.ts';

const pageBytes = 4096;
const entriesAtOnce = 8192;
/** Bits 63 and 62 of an entry, in its upper half: present, swapped out. */
const inUse = 0xc000_0000;

/** Which pages of a living process exist, by `/proc/PID/pagemap`. */
export class PresentPages {
  private readonly descriptor: number | null;
  private readonly entries = new Uint32Array(2 * entriesAtOnce);

  constructor(pid: number) {
    this.descriptor = opened(`/proc/${pid}/pagemap`);
  }

  /** Of a range of addresses what is in memory or in swap; all of it where that cannot be read. */
  presentBytes(address: number, bytes: Bytes): Bytes {
    const first = Math.floor(address / pageBytes);
    const count = Math.ceil((address + bytes) / pageBytes) - first;
    let present = 0;
    for (let done = 0; done < count; done += entriesAtOnce) {
      const want = Math.min(entriesAtOnce, count - done);
      const read = this.read(first + done, want);
      if (read < want) return bytes;
      for (let i = 0; i < want; i++) if ((this.entries[2 * i + 1]! & inUse) !== 0) present += 1;
    }
    return Math.min(bytes, present * pageBytes);
  }

  close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
  }

  private read(page: number, count: number): number {
    if (this.descriptor === null) return 0;
    try {
      const into = new Uint8Array(this.entries.buffer, 0, 8 * count);
      return readSync(this.descriptor, into, 0, into.length, page * 8) / 8;
    } catch {
      return 0;
    }
  }
}

function opened(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}
