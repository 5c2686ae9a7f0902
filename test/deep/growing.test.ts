/** A block that grows by little until the kernel ends its process: one allocation, at the line that made it grow, as large as it was. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { makeCgroup } from '../cgroup.ts';
import { cCompiler, cgroup, pythons } from '../have.ts';
import { noAgent, underAgent } from '../agent/under-agent.ts';

const coroner = new URL('../../bin/coroner.js', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [, python = ''] =
  [...pythons()].find(([version]) => version.startsWith('3.11.')) ?? [...pythons()].at(-1) ?? [];
const reason = cgroup() ?? (python === '' ? 'needs CPython 3.6 to 3.13' : noAgent(python));
const limitBytes = 200 * 2 ** 20;

describe.skipIf(reason)(`one block that grows in Python${reason ? ` (${reason})` : ''}`, () => {
  const program = new URL('../../bench/workloads/grow_in_place.py', import.meta.url).pathname;
  const lines = readFileSync(program, 'utf8').split('\n');
  test.for([
    ['str', 'kept += "', 'string'],
    ['bytearray', 'kept += b"', 'byte_string'],
    ['array', 'kept.append(i)', 'numbers'],
    ['list', 'kept.append(None)', 'rows'],
    ['BytesIO', 'kept.write(', 'stream'],
  ] as const)('%s: line and variable', async ([kind, growing, name]) => {
    const group = makeCgroup(`growing-${kind}`, { limitBytes, swapBytes: 0 });
    const json = join(folder, `${kind}.json`);
    try {
      spawnSync(
        process.execPath,
        [coroner, 'run', '-q', '-o', join(folder, kind), '--json', json, '--'].concat(group.enter, [
          python,
          program,
          kind,
        ]),
        {
          stdio: 'ignore',
          timeout: 60_000,
          killSignal: 'SIGKILL',
        },
      );
    } finally {
      await group.remove();
    }
    const { incidents } = JSON.parse(readFileSync(json, 'utf8')) as Report;
    const incident = incidents.find(({ cause }) => cause === 'kernel-cgroup-oom');
    const [top] = (incident?.memory.allocations ?? []).filter(({ when }) => when === 'death');
    expect(top).toMatchObject({
      file: program,
      line: lines.findIndex((line) => line.includes(growing)) + 1,
      function: name,
    });
    expect(top?.share).toBeGreaterThan(0.8);
    // A list that is copied as it grows is there twice at that moment; the others move without a copy.
    expect(top?.bytes).toBeGreaterThan(limitBytes * (kind === 'list' ? 0.4 : 0.6));
    expect(top?.bytes).toBeLessThan(limitBytes * 1.2);
    // What a BytesIO holds is not read from outside yet.
    if (kind !== 'BytesIO') expect(incident?.memory.holders?.[0]).toMatchObject({ name: 'kept' });
  });
});

const noCompiler = cgroup() ?? cCompiler() ?? noAgent('/bin/sh');
describe.skipIf(noCompiler)(
  `one block that grows in C${noCompiler ? ` (${noCompiler})` : ''}`,
  () => {
    const program = join(folder, 'in-place');
    const source = new URL('../programs/agent/in_place.c', import.meta.url).pathname;
    test.for(['realloc', 'reallocarray', 'mremap'])('%s', async (how) => {
      expect(spawnSync('cc', ['-O1', '-o', program, source]).status).toBe(0);
      const group = makeCgroup(`growing-c-${how}`, { limitBytes: 60 * 2 ** 20, swapBytes: 0 });
      try {
        const { files, signal } = await underAgent([program, how], { enter: group.enter });
        expect(signal).toBe('SIGKILL');
        const [file] = files;
        const bytes = (file?.paths ?? [])
          .map(({ live }) => live.exactBytes + live.estimatedBytes)
          .toSorted((a, b) => b - a);
        expect(bytes[0]).toBeGreaterThan(50e6);
        expect(bytes[0]).toBeLessThan(66e6);
        // One, not one for each time that it grew.
        expect(file?.liveBytes).toBeLessThan(70e6);
      } finally {
        await group.remove();
      }
    });
  },
);
