/** The root folder as a container: coroner inside of it, and runc with its own namespaces while coroner is outside. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Incident, Report } from '../../src/model/report.ts';
import { makeCgroup } from '../cgroup.ts';
import { cgroup, command, newestPythons, testRoot } from '../have.ts';
import { coroner } from './under-coroner.ts';

const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const program = new URL('../programs/named_end.py', import.meta.url).pathname;
const mib = 2 ** 20;

const found = [...newestPythons()].map(([version, python]) => ({
  version,
  python,
  name: `python${version.replace(/\.\d+$/, '')}`,
}));
const reason = found.length === 0 ? 'needs the root folder of npm run pythons' : cgroup();
const noRunc = reason ?? command('runc');
const because = (why: string | null) => (why === null ? '' : ` (${why})`);

let count = 0;
/** Runs a command that writes its report to the file that it is given; the first incident. */
function incidentOf(
  words: (json: string) => readonly string[],
  env: NodeJS.ProcessEnv = {},
): Incident {
  const json = join(folder, `${(count += 1)}.json`);
  const [file = '', ...args] = words(json);
  spawnSync(file, args, {
    stdio: 'ignore',
    timeout: 50_000,
    killSignal: 'SIGKILL',
    env: { ...process.env, ...env },
  });
  return (JSON.parse(readFileSync(json, 'utf8')) as Report).incidents[0]!;
}

function expectNamed(incident: Incident): void {
  expect(incident).toMatchObject({ cause: 'kernel-cgroup-oom', confidence: 'certain' });
  expect(incident.stack.map((frame) => frame.function)).toContain('load');
  // A look has so much time for each stop: on a busy machine it may end with the stacks. That it could not read more is no such reason.
  if (incident.memory.holders === undefined)
    expect(JSON.stringify(incident.unknown)).not.toContain('only the stacks can be read');
  else expect(incident.memory.holders[0]).toMatchObject({ name: 'records', function: 'load' });
}

describe.skipIf(reason)(`coroner inside${because(reason)}`, () => {
  test.each(found)('$version: a kill names the variable', async ({ python, name }) => {
    const group = makeCgroup('other-root', { limitBytes: 200 * mib, swapBytes: 0 });
    const node = join(folder, 'node');
    copyFileSync(process.execPath, node);
    try {
      const run = [coroner, 'run', '-o', join(folder, 'inside'), '--json'];
      const incident = incidentOf(
        (json) => [python, ...run, json, '--', ...group.enter, `/usr/bin/${name}`, program, 'grow'],
        { CORONER_TEST_PYTHON: node },
      );
      expectNamed(incident);
      expect(incident.memory.allocations?.[0]).toMatchObject({ file: program, function: 'load' });
    } finally {
      await group.remove();
    }
  });
});

describe.skipIf(noRunc)(`runc, with coroner outside${because(noRunc)}`, () => {
  test.each(found)('$version: a kill names the variable', ({ name }) => {
    const bundle = mkdtempSync(join(folder, 'bundle-'));
    const id = `coroner-test-${process.pid}-${name}`;
    expect(spawnSync('runc', ['spec'], { cwd: bundle }).status).toBe(0);
    const file = join(bundle, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as {
      root: object;
      process: { terminal: boolean; args: readonly string[] };
      mounts: object[];
      linux: { resources: { memory?: object }; cgroupsPath?: string };
    };
    config.root = { path: testRoot, readonly: true };
    config.process.terminal = false;
    config.process.args = [`/usr/bin/${name}`, '/mnt/named_end.py', 'grow'];
    config.mounts.push({
      destination: '/mnt',
      type: 'bind',
      source: dirname(program),
      options: ['rbind', 'ro'],
    });
    config.linux.resources.memory = { limit: 200 * mib, swap: 200 * mib };
    config.linux.cgroupsPath = `/${id}`;
    writeFileSync(file, JSON.stringify(config));
    try {
      const incident = incidentOf((json) => [
        process.execPath,
        coroner,
        'run',
        '-o',
        join(folder, 'outside'),
        '--json',
        json,
        '--',
        'runc',
        'run',
        '--bundle',
        bundle,
        id,
      ]);
      expectNamed(incident);
      expect(incident.limit).toMatchObject({ bytes: 200 * mib });
    } finally {
      spawnSync('runc', ['delete', '--force', id]);
    }
  });
});
