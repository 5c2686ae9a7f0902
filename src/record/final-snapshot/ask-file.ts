/** What a process that is about to be refused and this side tell each other in the agents' `tree` file (struct coroner_ask in agent/layout.h). */
import { closeSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isFileRefusal, openBelow } from '../../files/open-safely.ts';
import type { Bytes, Ms } from '../../model/units.ts';

/** sizeof(struct coroner_tree) */
const treeBytes = 8192;
const nsPerMs = 1_000_000;
const largestPid = 2 ** 22;

/** Offsets in struct coroner_tree. `answers` follows `pid`: both are written at once. */
export const ask = {
  until: 32,
  notBefore: 40,
  asked: 48,
  used: 56,
  request: 64,
  pid: 72,
  answers: 76,
  slots: 80,
} as const;

/** A process that waits at a request that `--memory-limit` refuses, or that a limit of its own has refused. */
export interface Ask {
  readonly pid: number;
  readonly requestBytes: Bytes;
  /** What counts against the limit: of `--memory-limit` what all processes of the run held together, else the address space. */
  readonly usedBytes: Bytes;
  /** How long it has been waiting. */
  readonly waitedMs: Ms;
}

/** The file as one reading found it. Whatever the processes wrote there is theirs to say. */
export interface AskReading {
  /** null: nobody waits. */
  readonly ask: Ask | null;
  /** By the processes' own last words, the dead among them: a little too much at times. By pid. */
  readonly held: ReadonlyMap<number, Bytes>;
}

/** CLOCK_MONOTONIC, which the agent reads too. */
const nowNs = (): bigint => process.hrtime.bigint();

export class AskFile {
  readonly #fd: number;
  readonly #pageSizeBytes: Bytes;
  readonly #buffer = Buffer.alloc(treeBytes);
  #answers = 0;

  private constructor(fd: number, pageSizeBytes: Bytes) {
    this.#fd = fd;
    this.#pageSizeBytes = pageSizeBytes;
  }

  /** null: no agent was loaded, or a process has put something else in its place. */
  static open(folder: string, pageSizeBytes: Bytes): AskFile | null {
    const opened = openBelow(join(folder, 'agent'), 'tree', { mostBytes: treeBytes, write: true });
    return isFileRefusal(opened) ? null : new AskFile(opened.fd, pageSizeBytes);
  }

  /** null: it cannot be read. */
  read(): AskReading | null {
    const buffer = this.#buffer;
    try {
      if (readSync(this.#fd, buffer, 0, treeBytes, 0) < treeBytes) return null;
    } catch {
      return null;
    }
    const held = new Map<number, Bytes>();
    for (let at: number = ask.slots; at + 8 <= treeBytes; at += 8) {
      const pid = buffer.readUInt32LE(at);
      if (pid !== 0) held.set(pid, buffer.readUInt32LE(at + 4) * this.#pageSizeBytes);
    }
    this.#answers = buffer.readUInt32LE(ask.answers);
    return { ask: this.#waiting(), held };
  }

  #waiting(): Ask | null {
    const buffer = this.#buffer;
    const pid = buffer.readUInt32LE(ask.pid);
    const askedNs = buffer.readBigUInt64LE(ask.asked);
    if (pid === 0 || pid > largestPid || askedNs === 0n) return null;
    return {
      pid,
      requestBytes: Number(buffer.readBigUInt64LE(ask.request)),
      usedBytes: Number(buffer.readBigUInt64LE(ask.used)),
      waitedMs: Math.max(0, Number(nowNs() - askedNs) / nsPerMs),
    };
  }

  /** Somebody answers for so long from now on; 0: nobody does any more. */
  promise(ms: Ms): void {
    this.#writeTime(ask.until, ms === 0 ? 0n : nowNs() + BigInt(Math.round(ms * nsPerMs)));
  }

  /** Lets the process that was read last go on. Nobody need ask again before `restMs` are over. */
  answer(restMs: Ms): void {
    this.#writeTime(ask.notBefore, nowNs() + BigInt(Math.round(restMs * nsPerMs)));
    const words = Buffer.alloc(8);
    this.#answers = (this.#answers + 1) >>> 0;
    words.writeUInt32LE(this.#answers, 4);
    this.#write(words, ask.pid);
  }

  /** What was promised holds. */
  leave(): void {
    closeSync(this.#fd);
  }

  close(): void {
    this.promise(0);
    this.leave();
  }

  #writeTime(offset: number, ns: bigint): void {
    const time = Buffer.alloc(8);
    time.writeBigUInt64LE(ns);
    this.#write(time, offset);
  }

  #write(bytes: Buffer, offset: number): void {
    try {
      writeSync(this.#fd, bytes, 0, bytes.length, offset);
    } catch {
      // The agent waits no longer than it was promised.
    }
  }
}
