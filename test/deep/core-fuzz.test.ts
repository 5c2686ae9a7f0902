/** 10,000 damaged cores: none may throw, hang, or be certain of anything. CORONER_SEED repeats a run. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { readAtBytes } from '../../src/elf/index.ts';
import { readCoreFile } from '../../src/gather/core-file.ts';
import { readCore } from '../../src/parsers/formats/core.ts';
import { build, coreOf, coresHere } from '../cores/dump.ts';
import { stacksOfCore } from '../../src/python/heap-snapshot.ts';
import {
  mappedFiles,
  nullCrash,
  prpsinfo,
  prstatus,
  siginfo,
  syntheticCore,
} from '../cores/synthetic-core.ts';

const cases = 10_000;
/** A hang shows itself as reads without end, on a slow machine and on a fast one alike. */
const mostReads = 20_000;

/** mulberry32: a run can be repeated from its seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const seeds: readonly Uint8Array[] = [
  nullCrash(),
  syntheticCore({
    notes: [
      prstatus({ id: 1, signal: 6, registers: { 16: 0x400000n, 19: 0x7000n, 21: 0x10000n } }),
      prstatus({ id: 2, signal: 0 }),
      prpsinfo(1, 'python3.11', 'python3 app.py'),
      siginfo(6, -6, 1n),
      mappedFiles([
        { start: 0x10000, end: 0x12000, page: 0, path: '/usr/lib/x86_64-linux-gnu/libc.so.6' },
        { start: 0x20000, end: 0x22000, page: 0, path: '/usr/lib/libpython3.11.so.1.0' },
        { start: 0x30000, end: 0x31000, page: 0, path: '/usr/lib/libstdc++.so.6' },
      ]),
    ],
    segments: [
      { address: 0x6000, content: new Uint8Array(8192) },
      { address: 0x10000, content: sharedObject(), flags: 5 },
      { address: 0x20000, content: sharedObject(), flags: 5 },
      { address: 0x30000, content: sharedObject(), flags: 7 },
    ],
  }),
  syntheticCore({
    bits: 32,
    machine: 3,
    segments: [{ address: 0x1000, content: new Uint8Array(64) }],
  }),
  syntheticCore({ extendedNumbering: true, segments: [{ address: 0x1000, memoryBytes: 4096 }] }),
];

/** An ELF image with a dynamic section, a hash table and symbols that point at each other. */
function sharedObject(): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 3, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  view.setUint32(64, 1, true);
  view.setBigUint64(64 + 40, 4096n, true);
  view.setUint32(120, 2, true);
  view.setBigUint64(120 + 16, 0x200n, true);
  view.setBigUint64(120 + 40, 0x100n, true);
  for (const [index, [tag, value]] of (
    [
      [5, 0x400],
      [6, 0x500],
      [0x6ffffef5, 0x600],
    ] as const
  ).entries()) {
    view.setBigUint64(0x200 + index * 16, BigInt(tag), true);
    view.setBigUint64(0x208 + index * 16, BigInt(value), true);
  }
  bytes.set(new TextEncoder().encode('\0__errno_location\0'), 0x400);
  view.setUint32(0x600, 1, true);
  view.setUint32(0x604, 1, true);
  view.setUint32(0x608, 1, true);
  view.setUint32(0x618, 1, true);
  return bytes;
}

const interesting = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x40, 0x10];

function mutate(seed: Uint8Array, random: () => number): Uint8Array {
  let bytes = seed.slice();
  const pick = (below: number) => Math.floor(random() * below);
  for (let change = pick(8) + 1; change > 0; change -= 1) {
    // Most of the structure is at the front.
    const at = random() < 0.7 ? pick(Math.min(bytes.length, 2048)) : pick(bytes.length);
    switch (pick(6)) {
      case 0:
        bytes[at] = pick(256);
        break;
      case 1:
        bytes.fill(interesting[pick(interesting.length)]!, at, at + pick(9));
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        bytes.set(
          bytes.slice(pick(bytes.length), pick(bytes.length)).subarray(0, bytes.length - at),
          at,
        );
        break;
      case 4:
        if (at + 8 <= bytes.length)
          new DataView(bytes.buffer).setBigUint64(
            at,
            BigInt(pick(2 ** 30)) << BigInt(pick(34)),
            true,
          );
        break;
      default:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}

test(`${cases} damaged cores`, { timeout: 3_600_000 }, () => {
  const seed = Number(process.env['CORONER_SEED'] ?? 20_260_131);
  const random = randomFrom(seed);
  let read = 0;
  let most = 0;
  for (let index = 0; index < cases; index += 1) {
    const bytes = mutate(seeds[index % seeds.length]!, random);
    const inner = readAtBytes(bytes);
    let reads = 0;
    const readAt: typeof inner = (offset, into) => {
      reads += 1;
      return inner(offset, into);
    };
    const place = `seed ${seed}, case ${index}`;
    let reading: ReturnType<typeof readCore>;
    try {
      reading = readCore({
        name: 'core',
        readAt,
        size: bytes.length,
        pythonStacks: stacksOfCore,
      });
    } catch (error) {
      throw new Error(`${place} threw`, { cause: error });
    }
    const { incidents } = diagnose({ evidence: reading.evidence, sources: [reading.source] });
    most = Math.max(most, reads);
    if (reading.evidence.length > 0) read += 1;
    for (const { confidence, outOfMemory } of incidents)
      expect(confidence === 'certain' && outOfMemory === true, place).toBe(false);
  }
  // A fuzzer whose cases all fail at the door tests nothing.
  expect(read).toBeGreaterThan(cases / 2);
  expect(most).toBeLessThan(mostReads);
  console.log(`most reads for one core: ${most}`);
});

const needs = coresHere();
test.skipIf(needs !== null)(
  `1,000 damages of a real core, with its real libraries${needs === null ? '' : ` (${needs})`}`,
  { timeout: 3_600_000 },
  async () => {
    const random = randomFrom(Number(process.env['CORONER_SEED'] ?? 7));
    const folder = mkdtempSync(join(tmpdir(), 'coroner-test-fuzz-'));
    const first = coreOf([build(folder, 'naive-malloc.c'), '1000000000000']);
    const seed = new Uint8Array(readFileSync(first));
    const path = join(dirname(first), 'damaged');
    let unwound = 0;
    for (let index = 0; index < 1000; index += 1) {
      writeFileSync(path, mutate(seed, random));
      const { evidence, source } = await readCoreFile(path, 'core', { pythonStacks: stacksOfCore });
      if ((evidence[0]?.nativeStack?.length ?? 0) > 2) unwound += 1;
      for (const { confidence, outOfMemory } of diagnose({ evidence, sources: [source] }).incidents)
        expect(confidence === 'certain' && outOfMemory === true, `case ${index}`).toBe(false);
    }
    expect(unwound).toBeGreaterThan(100);
    for (const made of [folder, dirname(first)]) rmSync(made, { recursive: true, force: true });
  },
);
