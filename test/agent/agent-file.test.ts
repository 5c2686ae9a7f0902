import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { agentFileBytes } from '../../src/record/agent-files.ts';
import {
  agentEvidence,
  allocationsOf,
  failureOf,
  limitOfFailure,
} from '../../src/parsers/formats/agent-allocations.ts';
import { header } from '../../src/model/agent-header.ts';
import { parseAgentFile } from '../../src/parsers/formats/agent-file/agent-file.ts';
import type { AgentFile } from '../../src/parsers/formats/agent-file/facts.ts';
import { ask } from '../../src/record/final-snapshot/ask-file.ts';
import { cCompiler } from '../have.ts';
import { syntheticAgentFile, type Synthetic } from './synthetic.ts';

const app = (line: number, name = 'load') => ({ function: name, file: '/home/me/app.py', line });
const library = {
  function: 'ones',
  file: '/usr/lib/python3/site-packages/numpy/numeric.py',
  line: 9,
};

const read = (wanted: Synthetic): AgentFile => {
  const reading = parseAgentFile(syntheticAgentFile(wanted));
  if (reading.status === 'malformed') throw new Error(reading.detail);
  return reading.file;
};

test('a line is charged with all paths that led to it, exact and estimated, with the error of the estimate', () => {
  const file = read({
    paths: [
      { stack: [app(8), app(30, 'main')], live: [600, 0, 0] },
      { stack: [app(8), app(31, 'main')], live: [0, 200, 4] },
      { stack: [app(9)], live: [0, 200, 1] },
    ],
  });
  const [first, second] = allocationsOf(file, 'death');
  expect(first).toMatchObject({ file: '/home/me/app.py', line: 8, bytes: 800, share: 0.8 });
  expect(first?.plusMinus).toBeCloseTo(200 / 2 / 800);
  expect(first?.paths?.map(({ bytes }) => bytes)).toEqual([600, 200]);
  expect(second).toMatchObject({ line: 9, bytes: 200, plusMinus: 1 });
});

test("a library's allocation is charged to the user's line, with the library in the stack", () => {
  const [only] = allocationsOf(
    read({ paths: [{ stack: [library, app(3)], live: [10, 0, 0] }] }),
    'death',
  );
  expect(only).toMatchObject({ file: '/home/me/app.py', line: 3 });
  expect(only?.stack[0]).toEqual(library);
});

test('what the interpreter calls before the first line of the program is no line of it', () => {
  const codec = { function: 'search_function', file: '/usr/lib/python3.15/encodings/__init__.py' };
  const loader = { function: '_compile_bytecode', file: '<frozen importlib._bootstrap_external>' };
  const stack = [
    { ...loader, line: 500 },
    { ...codec, line: 96 },
  ];
  const [first, second, ...more] = allocationsOf(
    read({
      paths: [
        { stack, live: [20, 0, 0] },
        { stack: [...stack, app(3)], live: [10, 0, 0] },
      ],
    }),
    'death',
  );
  expect(first).toMatchObject({ file: null, function: '(Python itself and its start-up)' });
  expect(second).toMatchObject({ file: '/home/me/app.py', line: 3 });
  expect(more).toEqual([]);
});

test('native code outside Python is named by its module', () => {
  const file = read({
    pythonVersion: 0,
    modules: [{ start: 0x1000, end: 0x2000, offset: 0x40, path: '/usr/lib/libfoo.so' }],
    paths: [{ stack: [], native: [0x1010], live: [1000, 0, 0] }],
  });
  expect(file.paths[0]?.native).toEqual([{ module: '/usr/lib/libfoo.so', fileOffset: 0x50 }]);
  expect(allocationsOf(file, 'death')[0]).toMatchObject({
    file: '/usr/lib/libfoo.so',
    function: 'libfoo.so',
  });
});

test('a refusal says size, line, what refused it, and how long before the end', () => {
  const file = read({
    failures: [
      {
        sequence: 1,
        at: new Date('2026-01-31T12:00:05Z'),
        bytes: 10n ** 8n,
        vmBytes: 250_000_000,
        limitAsBytes: 300_000_000n,
        stack: [app(8)],
      },
    ],
  });
  const [fact] = agentEvidence(file, {
    place: 'agent/42.mem',
    endedAt: '2026-01-31T12:00:05.200Z',
  });
  expect(fact).toMatchObject({
    kind: 'failed-allocation',
    pid: 42,
    beforeEndMs: 200,
    limit: { owner: 'rlimit', path: 'RLIMIT_AS', bytes: 300_000_000 },
    failure: { bytes: 100_000_000, errno: 'ENOMEM', stack: [app(8)] },
    origin: {
      quote: 'malloc of 100000000 bytes = ENOMEM, thread 42 (main) at /home/me/app.py:8 in load',
    },
  });
});

test('beyond the address space nothing else is to blame; where no limit explains it none is named', () => {
  const at = new Date('2026-01-31T12:00:05Z');
  const file = read({
    failures: [
      { sequence: 1, at, bytes: 10n ** 16n, stack: [] },
      { sequence: 2, at, bytes: 10n ** 12n, stack: [] },
    ],
  });
  expect(file.failures.map((failure) => limitOfFailure(failure, file)?.owner)).toEqual([
    'address-space',
    undefined,
  ]);
});

test('what is not an agent file is malformed, with the reason', () => {
  expect(parseAgentFile(new Uint8Array(10))).toMatchObject({ status: 'malformed' });
  expect(parseAgentFile(new Uint8Array(8192))).toMatchObject({
    status: 'malformed',
    detail: 'no agent file',
  });
  const other = Buffer.from(syntheticAgentFile({}));
  other.writeUInt32LE(7, 8);
  expect(parseAgentFile(other)).toMatchObject({ detail: 'layout version 7, known is 1' });
});

const whole = syntheticAgentFile({
  paths: [1, 2, 3, 4].map((line) => ({
    stack: [library, app(line), app(99, 'main')],
    live: [line, line, 1],
    native: [4096],
  })),
  failures: [{ sequence: 1, at: new Date('2026-01-31T12:00:05Z'), bytes: 7n, stack: [app(1)] }],
  modules: [{ start: 4096, end: 8192, offset: 0, path: '/lib/a.so' }],
});
const use = (bytes: Uint8Array) => {
  const reading = parseAgentFile(bytes);
  if (reading.status === 'malformed') return;
  for (const when of ['peak', 'death'] as const)
    for (const { share, bytes: size } of allocationsOf(reading.file, when)) {
      expect(share).toBeGreaterThanOrEqual(0);
      expect(size).toBeGreaterThanOrEqual(0);
    }
  agentEvidence(reading.file, { place: 'x', endedAt: '2026-01-31T12:00:06Z' });
};

test('cut anywhere: never throws', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length }), (end) => use(whole.subarray(0, end))),
  );
});

test('bytes flipped anywhere: never throws, never runs away', () => {
  const flips = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(flips, (places) => {
      const bytes = Uint8Array.from(whole);
      for (const [at, value] of places) bytes[at] = value;
      use(bytes);
    }),
    { numRuns: 300 },
  );
});

test('nodes that go round without a known frame come to an end', () => {
  const bytes = syntheticAgentFile({ paths: [{ stack: [app(8)], live: [600, 0, 0] }] });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const node = view.getUint32(header.sections + 16, true);
  view.setUint32(node, 1, true);
  view.setUint32(node + 4, 99, true);
  expect(parseAgentFile(bytes)).toMatchObject({ status: 'read', file: { paths: [{ stack: [] }] } });
});

test.skipIf(cCompiler())(
  `the reader's offsets are the compiler's${cCompiler() ? ` (${cCompiler()})` : ''}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
    try {
      execFileSync('cc', [
        new URL('../../agent/test/layout.c', import.meta.url).pathname,
        '-o',
        join(folder, 'layout'),
      ]);
      const { stdout } = spawnSync(join(folder, 'layout'), { encoding: 'utf8' });
      const offsets = new Map(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.split(' ') as [string, string]),
      );
      const source = readFileSync(
        new URL('../../src/model/agent-header.ts', import.meta.url),
        'utf8',
      );
      const header = /const header = \{([^}]*)\}/.exec(source)?.[1] ?? '';
      const named: Readonly<Record<string, string>> = {
        startedRealtime: 'started_realtime_ns',
        startedMonotonic: 'started_monotonic_ns',
        stateMonotonic: 'state_monotonic_ns',
        sampleMean: 'sample_mean_bytes',
        firstSampleMean: 'first_sample_mean_bytes',
        peakMonotonic: 'peak_monotonic_ns',
        peakRss: 'peak_rss_bytes',
        lastEventMonotonic: 'last_event_monotonic_ns',
        weighedMonotonic: 'weighed_monotonic_ns',
        limitMonotonic: 'limit_monotonic_ns',
      };
      let compared = 0;
      for (const [, key = '', value] of header.matchAll(/(\w+): (\d+),/g)) {
        const field =
          named[key] ?? key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
        expect([key, offsets.get(`header.${field}`)]).toEqual([key, value]);
        compared += 1;
      }
      expect(compared).toBeGreaterThan(30);
      const sizes = stdout.split('\n').find((line) => line.startsWith('sizes '));
      expect(sizes?.split(' ').at(-1)).toBe(String(agentFileBytes));
      // The fields of entries that the reader takes by number.
      expect(Object.fromEntries(offsets)).toMatchObject({
        'stack.live_exact': '8',
        'stack.peak_exact': '24',
        'stack.live_samples': '48',
        'stack.node': '60',
        'stack.native': '72',
        'stack.refused_exact': '120',
        'stack.refused_samples': '136',
        'failure.bytes': '24',
        'failure.limit_as_bytes': '48',
        'failure.node': '72',
        'failure.flags': '78',
        'failure.native': '88',
        'code.file': '28',
        'frame.line': '8',
        'moment.top': '32',
        'tree.files': '8',
        'tree.processes': '16',
        'tree.spares_made': '20',
        'tree.spares_taken': '24',
        'tree.ask': '32',
        'tree.slots': String(ask.slots),
      });
      const inAsk = (field: string) => 32 + Number(offsets.get(`ask.${field}`));
      expect({ ...ask, slots: 0 }).toEqual({
        until: inAsk('until_ns'),
        notBefore: inAsk('not_before_ns'),
        asked: inAsk('asked_ns'),
        used: inAsk('used_bytes'),
        request: inAsk('request_bytes'),
        pid: inAsk('pid'),
        answers: inAsk('answers'),
        slots: 0,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test('the agent never names itself as who asked', () => {
  const file = read({
    failures: [{ sequence: 1, at: new Date('2026-01-31T12:00:05Z'), bytes: 7n, stack: [app(1)] }],
  });
  const caller = (...modules: readonly string[]) =>
    failureOf(
      { ...file.failures[0]!, native: modules.map((module) => ({ module, fileOffset: 0 })) },
      file,
    ).caller;
  const agent = '/opt/coroner/dist/agent/coroner-agent-linux-x64-gnu.so';
  expect(caller(agent, '/usr/lib/libffi.so.8')).toBe('libffi.so.8');
  expect(caller(agent)).toBeUndefined();
});
