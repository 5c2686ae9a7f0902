/** Real crashes, their real cores, and gdb as the judge where it is there. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { crashFacts, openCore, type CoreFile } from '../../src/elf/index.ts';
import { readCoreFile } from '../../src/gather/core-file.ts';
import type { Incident } from '../../src/model/report.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { closeTarget, openTarget } from '../../src/python/target.ts';
import { takeSnapshot, stacksOfCore } from '../../src/python/heap-snapshot.ts';
import { command, pythons, systemPython } from '../have.ts';
import { build, coreOf, coresHere, gdb, gdbSays, programs } from './dump.ts';

const needs = coresHere();
const because = needs === null ? '' : ` (${needs})`;
const needsGdb = gdb();

let folder = '';
const made: string[] = [];
const programOf = (source: string, ...flags: readonly string[]): string =>
  build(folder, source, ...flags);
const dump = (words: readonly string[], options: Parameters<typeof coreOf>[1] = {}): string => {
  const core = coreOf(words, options);
  made.push(dirname(core));
  return core;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-cores-'));
});
afterAll(() => {
  for (const path of [folder, ...made]) rmSync(path, { recursive: true, force: true });
});

async function verdictOn(path: string): Promise<Incident> {
  const { evidence, source } = await readCoreFile(path, 'core', { pythonStacks: stacksOfCore });
  const { incidents } = diagnose({ evidence, sources: [source] });
  expect(incidents).toHaveLength(1);
  return incidents[0]!;
}

function withCore<T>(path: string, look: (core: CoreFile) => T): T {
  const fds: number[] = [];
  const file = (name: string) => {
    const fd = openSync(name, 'r');
    fds.push(fd);
    return {
      size: fstatSync(fd).size,
      readAt: (offset: number, into: Uint8Array) => readSync(fd, into, 0, into.length, offset),
    };
  };
  try {
    const { readAt, size } = file(path);
    const opened = openCore(readAt, size, {
      openFile: (name) => {
        try {
          return file(name);
        } catch {
          return null;
        }
      },
    });
    if ('problem' in opened) throw new Error(opened.problem.why);
    return look(opened.core);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

describe.skipIf(needs !== null)(`a refused allocation behind a crash${because}`, () => {
  test.each([
    ['naive-malloc.c', ['10000000000000000'], 10_000_000_000_000_000, 'strong'],
    ['naive-malloc.c', ['1000000000000'], 1_000_000_000_000, 'strong'],
    ['offset.c', ['10000000000000000', '5000'], 10_000_000_000_000_000, 'strong'],
    // The index was added to NULL before: the register is not 0 any more.
    ['offset.c', ['10000000000000000', '200000'], 10_000_000_000_000_000, 'likely'],
  ] as const)('%s %j', async (source, words, bytes, confidence) => {
    const verdict = await verdictOn(dump([programOf(source), ...words]));
    expect(verdict).toMatchObject({
      outOfMemory: true,
      death: 'disguised',
      cause: 'alloc-failure-segfault',
      confidence,
      victim: { name: source.replace('.c', '') },
    });
    // What malloc asked the kernel for may have been written over; where it stands, it is right.
    expect([bytes, null]).toContain(verdict.request.bytes);
  });

  test('in a thread: its own errno', async () => {
    const core = dump([programOf('threads_crash.c', '-pthread')]);
    expect(await verdictOn(core)).toMatchObject({
      cause: 'alloc-failure-segfault',
      confidence: 'strong',
    });
    withCore(core, ({ threads }) => expect(threads).toHaveLength(5));
  });

  test('joined with the kernel’s refusal of the same pid is certain', async () => {
    const { evidence, source } = await readCoreFile(
      dump([programOf('naive-malloc.c'), '1000000000000']),
      'core',
    );
    const { pid = 0 } = evidence[0]!;
    const refusal = {
      kind: 'kernel-refusal',
      origin: { source: 'kernel-log', place: 'kern.log:1', line: 1 },
      pid,
      name: 'naive-malloc',
      bytes: 1_000_000_004_096,
      reporter: 'overcommit',
    } as const;
    const { incidents } = diagnose({ evidence: [...evidence, refusal], sources: [source] });
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({ cause: 'alloc-failure-segfault', confidence: 'certain' });
  });

  test('std::bad_alloc is found in the core', async () => {
    expect(await verdictOn(dump([programOf('bad_alloc.cpp'), '100000000000000']))).toMatchObject({
      cause: 'alloc-failure-abort',
      confidence: 'certain',
      headline: expect.stringContaining('std::bad_alloc'),
    });
  });

  test.skipIf(command('rustc') !== null)('Rust’s abort is told by its stack', async () => {
    const program = join(folder, 'alloc-rs');
    const built = spawnSync('rustc', ['-o', program, join(programs, 'alloc.rs')], {
      encoding: 'utf8',
    });
    expect(built.status, built.stderr).toBe(0);
    expect(await verdictOn(dump([program, '100000000000000']))).toMatchObject({
      cause: 'alloc-failure-abort',
      confidence: 'strong',
    });
  });

  const python = [...pythons()].at(-1)?.[1] ?? systemPython;
  test('from Python under faulthandler: the true fault from the signal frame, and the line', async () => {
    const library = programOf('fill.c', '-shared', '-fPIC');
    const core = dump([
      python,
      '-X',
      'faulthandler',
      join(programs, 'fill.py'),
      library,
      '8000000000000',
    ]);
    withCore(core, (opened) =>
      expect(crashFacts(opened)).toMatchObject({
        signal: 11,
        reraised: true,
        faultAddress: 0n,
        errno: 12,
      }),
    );
    const verdict = await verdictOn(core);
    expect(verdict).toMatchObject({ cause: 'alloc-failure-segfault', confidence: 'strong' });
    expect(verdict.stack[0]).toMatchObject({ function: 'load', line: 7 });
  });
});

describe.skipIf(needs !== null)(`what is not memory${because}`, () => {
  test.each([
    [0, 'null-dereference'],
    [1, 'wild-pointer'],
    [2, 'stack-overflow'],
    [3, 'wild-pointer'],
    [4, 'heap-corruption'],
    [5, 'wild-pointer'],
    [6, 'wild-pointer'],
    [7, 'null-call'],
    [8, 'wild-pointer'],
    [9, 'signal-raised'],
  ])('crash %i: %s', async (which, variant) => {
    expect(await verdictOn(dump([programOf('crash.c'), String(which)]))).toMatchObject({
      outOfMemory: false,
      cause: 'not-memory',
      variant,
    });
  });

  test('a NULL pointer used through ctypes is never called memory: errno 0 proves nothing there', async () => {
    const verdict = await verdictOn(dump([systemPython, join(programs, 'null_bug.py')]));
    expect(verdict).toMatchObject({ outOfMemory: null, cause: 'undetermined', confidence: 'weak' });
    expect(verdict.unknown.map((unknown) => unknown.command).join()).toContain('journalctl -k');
  });

  test('SIGBUS on shared memory', async () => {
    expect(
      await verdictOn(dump([programOf('shm_bus.c'), `coroner-test-${process.pid}`])),
    ).toMatchObject({
      outOfMemory: false,
      cause: 'shm-exhausted',
    });
  });

  test('a signal that somebody sent', async () => {
    const core = dump(['sh', '-c', 'sleep 20 & sleep 0.2; kill -SEGV $!; wait']);
    expect(await verdictOn(core)).toMatchObject({ cause: 'not-memory', variant: 'signal-sent' });
  });
});

describe.skipIf(needs !== null)(`a core that is not whole, or packed${because}`, () => {
  test('cut short by a full disk it still says what it can', async () => {
    const core = dump([programOf('naive-malloc.c'), '1000000000000']);
    const bytes = readFileSync(core).length;
    truncateSync(core, Math.floor(bytes * 0.6));
    const { evidence, source } = await readCoreFile(core, 'core');
    expect(source).toMatchObject({
      status: 'truncated',
      detail: expect.stringContaining('cut short'),
    });
    expect(evidence[0]).toMatchObject({ signal: 'SIGSEGV', faultAddress: '0x0', truncated: true });
  });

  test('of a Python, cut short: a look says so, and never that it was no Python', () => {
    const core = dump([systemPython, '-c', 'import os; rows = list(range(9999)); os.abort()']);
    const { size } = statSync(core);
    // Without the stack, which lies last (the very last page is the kernel's); then without most.
    truncateSync(core, size - 8192);
    const less = openTarget(core);
    if (isRefusal(less)) throw new Error(`${less.detail}`);
    const { notes } = takeSnapshot(less, { budgetMs: 10_000 });
    closeTarget(less);
    expect(notes).toContainEqual(
      expect.stringMatching(
        /the core was cut short: \d+ of \d+ bytes are there: figures are lower/,
      ),
    );
    truncateSync(core, size / 2);
    const least = openTarget(core);
    expect(isRefusal(least) ? least.detail : '').toMatch(
      /cut short: \d+ of \d+ bytes are there, and no CPython in them/,
    );
  });

  const packers = [
    ['gzip', null],
    ['zstd', ['zstd', '-q', '--rm', '-o']],
    ['xz', ['xz']],
    ['lz4', ['lz4', '-q']],
  ] as const;
  for (const [name, words] of packers) {
    const missing = words === null ? null : command(name);
    test.skipIf(missing !== null)(
      `packed with ${name} it reads the same, and nothing is left behind${missing === null ? '' : ` (${missing})`}`,
      async () => {
        const core = dump([programOf('naive-malloc.c'), '1000000000000']);
        const plain = await readCoreFile(core, 'core');
        const packed = `${core}.packed`;
        if (words === null) writeFileSync(packed, gzipSync(readFileSync(core)));
        else writeFileSync(packed, spawnSync(name, ['-c', core], { maxBuffer: 1 << 26 }).stdout);
        const temporaryFolder = mkdtempSync(join(tmpdir(), 'coroner-test-unpack-'));
        made.push(temporaryFolder);
        const reading = await readCoreFile(packed, 'core', { temporaryFolder });
        expect(reading).toEqual(plain);
        expect(readdirSync(temporaryFolder)).toEqual([]);
      },
    );
  }

  test('packed and damaged, it is read up to the damage', async () => {
    const core = dump([programOf('naive-malloc.c'), '1000000000000']);
    const packed = gzipSync(readFileSync(core));
    writeFileSync(core, packed.subarray(0, packed.length * 0.7));
    const { evidence, source } = await readCoreFile(core, 'core');
    expect(source.status).toBe('truncated');
    expect(evidence[0]).toMatchObject({ signal: 'SIGSEGV', pid: expect.any(Number) });
  });
});

describe.skipIf(needsGdb !== null)(
  `unwinds as gdb does${needsGdb === null ? '' : ` (${needsGdb})`}`,
  () => {
    test.each([
      ['bad_alloc.cpp', ['100000000000000']],
      ['crash.c', ['7']],
    ] as const)('%s %j', (source, words) => {
      const program = programOf(source);
      const core = dump([program, ...words]);
      const { stdout } = spawnSync(
        'gdb',
        ['-batch', '-nx', '-iex', 'set debuginfod enabled off', '-ex', 'bt 12', program, core],
        { encoding: 'utf8', timeout: 60_000 },
      );
      const addresses = [...stdout.matchAll(/^#\d+ +0x([0-9a-f]+) in (?!__pthread_kill)/gm)].map(
        ([, address]) => Number.parseInt(address ?? '', 16),
      );
      expect(addresses.length).toBeGreaterThan(1);
      const ours = withCore(core, (opened) =>
        crashFacts(opened).nativeStack.map(({ address }) => address),
      );
      // gdb shows functions that were inlined into raise() as frames of their own, leaves out the innermost address where it knows the line, and ends at main; we go on to _start.
      expect(ours.filter((address) => addresses.includes(address))).toEqual([
        ...new Set(addresses),
      ]);
    });
  },
);

describe.skipIf(needsGdb !== null)(
  `agrees with gdb${needsGdb === null ? '' : ` (${needsGdb})`}`,
  () => {
    test.each([
      ['naive-malloc.c', ['10000000000000000'], []],
      ['offset.c', ['10000000000000000', '200000'], []],
      ['crash.c', ['0'], []],
      ['crash.c', ['1'], []],
      ['crash.c', ['4'], []],
      ['threads_crash.c', [], ['-pthread']],
    ] as const)('%s %j', (source, words, flags) => {
      const program = programOf(source, ...flags);
      const core = dump([program, ...words]);
      const [signal, code, address, errno, pc, sp] = gdbSays(program, core, [
        '$_siginfo.si_signo',
        '$_siginfo.si_code',
        '/x (long)$_siginfo._sifields._sigfault.si_addr',
        '(int)errno',
        '/x (long)$pc',
        '/x (long)$sp',
      ]);
      withCore(core, (opened) => {
        const facts = crashFacts(opened);
        expect(facts.signal).toBe(Number(signal));
        expect(facts.code).toBe(Number(code));
        if (facts.faultAddress !== null)
          expect(`0x${facts.faultAddress.toString(16)}`).toBe(address);
        expect(facts.errno).toBe(Number(errno));
        expect(`0x${facts.instructionPointer.toString(16)}`).toBe(pc);
        expect(`0x${facts.stackPointer.toString(16)}`).toBe(sp);
      });
    });
  },
);
