/** A run within a run: each has the agent and the hook once, and only the inner one looks into the command. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { makeCgroup, type TestCgroup } from '../cgroup.ts';
import * as have from '../have.ts';

const coroner = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));
const grow = fileURLToPath(new URL('../programs/heap/grow.py', import.meta.url));
const python = [...have.pythons().values()].at(-1) ?? have.systemPython;
const mib = 2 ** 20;
vi.setConfig({ testTimeout: 120_000 });

let folder = '';
let group: TestCgroup | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-nested-'));
});
afterEach(async () => {
  await group?.remove();
  group = null;
  rmSync(folder, { recursive: true, force: true });
});

/** The reports of the outer and of the inner run. */
function nested(command: readonly string[]): Record<'outer' | 'inner', () => Report> {
  const under = (name: string) => {
    mkdirSync(join(folder, name));
    const json = join(folder, `${name}.json`);
    return [process.execPath, coroner, 'run', '-q', '-o', join(folder, name), '--json', json];
  };
  const [file, ...args] = [...under('outer'), ...under('inner'), ...command];
  spawnSync(file!, args, { stdio: 'ignore', timeout: 100_000, killSignal: 'SIGKILL' });
  const read = (name: string) => () =>
    JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Report;
  return { outer: read('outer'), inner: read('inner') };
}

test('the command has the agent once, the hook once, and the marks of the inner run', () => {
  const file = join(folder, 'environment.json');
  const program = `
import json, os, sys
with open(sys.argv[1], 'w') as file:
    json.dump(dict(os.environ), file)
bytearray(10**15)`;
  const { inner } = nested([python, '-c', program, file]);
  const environment = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  expect(environment['CORONER_RUN']).toContain(join(folder, 'inner'));
  expect(environment['PYTHONPATH']?.match(/python-hook/g)).toHaveLength(1);
  // Where no agent fits this machine there is none to be doubled.
  const agents = environment['LD_PRELOAD']?.match(/coroner-agent-linux-/g) ?? [];
  expect(agents).toHaveLength(environment['CORONER_AGENT_FOLDER'] === undefined ? 0 : 1);
  const { incidents, sources } = inner();
  expect(incidents.map(({ cause }) => cause)).toEqual(['alloc-failure-exception']);
  const places = sources.filter(({ id }) => id === 'agent').map(({ place }) => place);
  expect(new Set(places).size).toBe(places.length);
});

const why = have.cgroup();
test.skipIf(why !== null)(
  `the inner run names the variable, the outer one leaves the command alone${why === null ? '' : ` (${why})`}`,
  () => {
    group = makeCgroup('python-nested', { limitBytes: 200 * mib, swapBytes: 0 });
    const { outer, inner } = nested([...group.enter, python, grow, 'small', '80']);
    const [innermost] = inner().incidents;
    expect(innermost).toMatchObject({ cause: 'kernel-cgroup-oom' });
    expect(innermost!.memory.holders?.[0]).toMatchObject({ name: 'rows' });
    const { incidents, sources } = outer();
    expect(incidents.map(({ cause }) => cause)).toContain('kernel-cgroup-oom');
    const [id] = readdirSync(join(folder, 'inner'));
    expect(sources).toContainEqual(
      expect.objectContaining({
        id: 'last-look',
        detail: `it belongs to another coroner run: ${join(folder, 'inner', id!)}`,
      }),
    );
  },
);
