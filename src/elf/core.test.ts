import { describe, expect, test } from 'vitest';
import {
  mappedFiles,
  nullCrash,
  prpsinfo,
  prstatus,
  siginfo,
  syntheticCore,
} from '../../test/cores/synthetic-core.ts';
import { crashFacts, openCore, readAtBytes, regionAt, type CoreFile } from './index.ts';

const open = (bytes: Uint8Array): CoreFile => {
  const opened = openCore(readAtBytes(bytes), bytes.length);
  if ('problem' in opened) throw new Error(opened.problem.why);
  return opened.core;
};

describe('a core', () => {
  test('tells process, signal, threads, mappings and files', () => {
    const core = open(nullCrash());
    expect(core.process).toMatchObject({
      pid: 4711,
      uid: 1000,
      name: 'naive',
      commandLine: './naive 1000000000000',
    });
    expect(core.signal).toBe(11);
    expect(core.signalInfo).toMatchObject({ signal: 11, code: 1, address: 0n });
    expect(core.threads).toMatchObject([
      { id: 4711, instructionPointer: 0x40019f, stackPointer: 0x7ffc00000800 },
    ]);
    expect(core.files).toEqual([
      { start: 0x400000, end: 0x401000, fileOffset: 0, path: '/srv/naive' },
    ]);
    expect(core.mapCount).toBe(4);
    expect(core.totalVmBytes).toBe(4096 * 4 + (1 << 20));
    expect(core.dumpedBytes).toBe(4096 * 4);
    expect(core.truncated).toBeNull();
    expect(regionAt(core.regions, 0x400010)).toMatchObject({
      path: '/srv/naive',
      executable: true,
      writable: false,
    });
  });

  test('gives memory by address, across segments, and not what was not dumped', () => {
    const core = open(nullCrash());
    const into = new Uint8Array(8192);
    expect(core.readMemory(0x600ffc, into)).toBe(4);
    expect([...into.subarray(0, 4)]).toEqual([7, 7, 7, 7]);
    expect(core.readMemory(0x700000, into)).toBe(0);
    expect(core.readMemory(0x7ffc00000000, into)).toBe(8192);
    expect(core.readMemory(12, into)).toBe(0);
    expect(core.readMemory(-5, into)).toBe(0);
    expect(core.readMemory(2 ** 60, into)).toBe(0);
  });

  test('reads read-only pages of a file from disk, only where it is the same file', () => {
    const elf = new Uint8Array(8192).fill(9);
    elf.set(syntheticCore({}).subarray(0, 64));
    const bytes = syntheticCore({
      notes: [mappedFiles([{ start: 0x10000, end: 0x12000, page: 0, path: '/lib/a.so' }])],
      segments: [{ address: 0x10000, memoryBytes: 8192, flags: 5 }],
    });
    const asked: string[] = [];
    const withFile = (file: Uint8Array) => {
      const opened = openCore(readAtBytes(bytes), bytes.length, {
        openFile: (path) => {
          asked.push(path);
          return { readAt: readAtBytes(file), size: file.length };
        },
      });
      if ('problem' in opened) throw new Error(opened.problem.why);
      const into = new Uint8Array(4);
      return opened.core.readMemory(0x11000, into) === 4 ? into[0] : null;
    };
    expect(withFile(elf)).toBe(9);
    expect(asked).toEqual(['/lib/a.so']);
    // A core may name any file: what is no ELF object is never taken for memory.
    expect(withFile(new TextEncoder().encode('root:x:0:0:'.repeat(1000)))).toBeNull();
  });

  test('with more than 65,534 segments has its count in section 0 (PN_XNUM)', () => {
    const segments = Array.from({ length: 65_540 }, (_, index) => ({
      address: 0x10000 + index * 0x2000,
      memoryBytes: 0x1000,
    }));
    const core = open(syntheticCore({ segments, extendedNumbering: true }));
    expect(core.mapCount).toBe(65_540);
  });

  test('cut anywhere is read as far as it goes, and says so', () => {
    const whole = nullCrash();
    for (let length = 0; length < whole.length; length += 61) {
      const bytes = whole.subarray(0, length);
      const opened = openCore(readAtBytes(bytes), bytes.length);
      if ('problem' in opened) {
        expect(length).toBeLessThan(64);
        expect(opened.problem.why).not.toBe('');
      } else {
        expect(() => crashFacts(opened.core)).not.toThrow();
        if (opened.core.mapCount === 4)
          expect(opened.core.truncated).toMatchObject({ actualBytes: length });
      }
    }
  });

  test('of 32 bits and of other machines gives its signal and names', () => {
    const i386 = new Uint8Array(144);
    new DataView(i386.buffer).setInt16(12, 11, true);
    new DataView(i386.buffer).setInt32(24, 99, true);
    new DataView(i386.buffer).setUint32(72 + 12 * 4, 0x8048000, true);
    expect(
      open(
        syntheticCore({
          bits: 32,
          machine: 3,
          notes: [{ owner: 'CORE', type: 1, description: i386 }],
        }),
      ),
    ).toMatchObject({
      signal: 11,
      threads: [{ id: 99, instructionPointer: 0x8048000 }],
    });
    const arm64 = new Uint8Array(392);
    new DataView(arm64.buffer).setInt16(12, 6, true);
    new DataView(arm64.buffer).setInt32(32, 7, true);
    new DataView(arm64.buffer).setBigUint64(112 + 32 * 8, 0xaaaa_0000n, true);
    const core = open(
      syntheticCore({
        machine: 183,
        notes: [
          { owner: 'CORE', type: 1, description: arm64 },
          prpsinfo(7, 'python3', 'python3 a.py'),
        ],
      }),
    );
    expect(core).toMatchObject({
      signal: 6,
      process: { name: 'python3' },
      threads: [{ id: 7, instructionPointer: 0xaaaa0000 }],
    });
    expect(crashFacts(core)).toMatchObject({ signal: 6, errno: null, registers: null });
    expect(
      open(syntheticCore({ machine: 243, notes: [prstatus({ id: 5, signal: 11 })] })).signal,
    ).toBe(11);
  });
});

describe('hostile headers', () => {
  const patched = (patch: (view: DataView) => void): Uint8Array => {
    const bytes = nullCrash().slice();
    patch(new DataView(bytes.buffer));
    return bytes;
  };
  test.each([
    [
      'a count of program headers that no file backs',
      (view: DataView) => view.setUint16(56, 0xfffe, true),
    ],
    [
      'program headers far behind the end',
      (view: DataView) => view.setBigUint64(32, 2n ** 63n, true),
    ],
    [
      'a section 0 that points to itself',
      (view: DataView) => {
        view.setUint16(56, 0xffff, true);
        view.setBigUint64(40, 0n, true);
      },
    ],
    ['a note of 4 GiB', (view: DataView) => view.setUint32(64 + 5 * 56 + 4, 0xffffffff, true)],
    ['a note name of 4 GiB', (view: DataView) => view.setUint32(64 + 5 * 56, 0xffffffff, true)],
    [
      'segments on top of each other',
      (view: DataView) => {
        for (let i = 1; i < 5; i += 1) view.setBigUint64(64 + i * 56 + 16, 0x400000n, true);
      },
    ],
    [
      'segments that wrap around',
      (view: DataView) => {
        for (let i = 1; i < 5; i += 1) view.setBigUint64(64 + i * 56 + 40, 2n ** 64n - 1n, true);
      },
    ],
    [
      'segments in no order',
      (view: DataView) => view.setBigUint64(64 + 56 + 16, 0x7fff00000000n, true),
    ],
  ] as const)('%s are bounded', (_, patch) => {
    const bytes = patched(patch);
    const opened = openCore(readAtBytes(bytes), bytes.length);
    if ('problem' in opened) return expect(opened.problem.why).not.toBe('');
    const { core } = opened;
    crashFacts(core);
    let end = 0;
    for (const region of core.regions) {
      expect(region.start).toBeGreaterThanOrEqual(end);
      ({ end } = region);
    }
    core.readMemory(0x400000, new Uint8Array(64));
  });

  test.each([
    ['an executable', (view: DataView) => view.setUint16(16, 2, true)],
    ['another class', (view: DataView) => view.setUint8(4, 9)],
    ['another byte order', (view: DataView) => view.setUint8(5, 9)],
    ['no ELF', (view: DataView) => view.setUint8(0, 0x50)],
  ] as const)('%s is refused in words', (_, patch) => {
    const bytes = patched(patch);
    expect(openCore(readAtBytes(bytes), bytes.length)).toMatchObject({
      problem: { why: expect.stringMatching(/\w/) },
    });
  });
});

describe('the crash', () => {
  test('of a NULL pointer: the operand, the register that was zero, the object', () => {
    expect(crashFacts(open(nullCrash()))).toMatchObject({
      signal: 11,
      faultAddress: 0n,
      access: 'write',
      operand: { base: 'rax', displacement: 0 },
      zeroRegister: 'rax',
      object: { path: '/srv/naive', offset: 0x19f },
      stackOverflow: false,
      reraised: false,
    });
  });

  const stackAt = (fault: bigint, stackPointer: bigint) =>
    crashFacts(
      open(
        syntheticCore({
          notes: [
            prstatus({ id: 1, signal: 11, registers: { 16: 0x400000n, 19: stackPointer } }),
            siginfo(11, 1, fault),
          ],
          segments: [
            { address: 0x400000, content: new Uint8Array(4096), flags: 5 },
            { address: 0x7ffc00000000, content: new Uint8Array(8192), flags: 6 },
          ],
        }),
      ),
    ).stackOverflow;
  test.each([
    ['one word below its stack', 0x7ffbfffffff8n, 0x7ffc00000000n, true],
    ['above sp, off the page boundary (3.8.18)', 0x7ffbffffffe4n, 0x7ffbffffffd0n, true],
    ['a large frame', 0x7ffbffffe000n, 0x7ffbffffd000n, true],
    ['far below', 0x7ff000000000n, 0x7ffc00000100n, false],
    ['NULL', 0n, 0x7ffc00000100n, false],
  ])('of a stack overflow: %s', (_, fault, stackPointer, expected) => {
    expect(stackAt(fault, stackPointer)).toBe(expected);
  });

  test('by general protection has no fault address: 0 would be a lie', () => {
    const bytes = syntheticCore({
      notes: [prstatus({ id: 1, signal: 11 }), siginfo(11, 0x80, 0n)],
    });
    expect(crashFacts(open(bytes))).toMatchObject({ faultAddress: null, zeroRegister: null });
  });
});
