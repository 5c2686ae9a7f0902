import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { makeCgroup } from '../cgroup.ts';
import { cCompiler, cgroup, everyPython } from '../have.ts';
import { noAgent } from './under-agent.ts';

const coroner = new URL('../../bin/coroner.js', import.meta.url).pathname;
const program = (name: string) => new URL(`../programs/${name}`, import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const found = [...everyPython()];
const [, python = ''] =
  found.find(([version]) => version.startsWith('3.11.')) ?? found.at(-1) ?? [];
const reason = python === '' ? 'needs CPython 3.6 to 3.15' : noAgent(python);

let count = 0;
/** `coroner run COMMAND`; the report it wrote. */
function run(command: readonly string[], enter: readonly string[] = []): Report {
  const json = join(folder, `${(count += 1)}.json`);
  const [file = '', ...args] = [
    ...enter,
    process.execPath,
    coroner,
    'run',
    '--output',
    join(folder, 'incidents'),
    '--json',
    json,
    '--',
    ...command,
  ];
  spawnSync(file, args, { stdio: 'ignore', timeout: 60_000, killSignal: 'SIGKILL' });
  return JSON.parse(readFileSync(json, 'utf8')) as Report;
}

const leak = `
keep = []
def remember(i):
    keep.append({"id": i, "name": "row-%d" % i})  # leak
i = 0
while True:
    remember(i)
    i += 1
`;
const leakFile = join(folder, 'leak.py');
writeFileSync(leakFile, leak);
const leakLine = leak.split('\n').findIndex((line) => line.endsWith('# leak')) + 1;

describe.skipIf(reason)(`coroner run with the agent${reason ? ` (${reason})` : ''}`, () => {
  const noCgroup = cgroup();
  test.skipIf(noCgroup)(
    `killed by the kernel: the line that had allocated the memory${noCgroup ? ` (${noCgroup})` : ''}`,
    async () => {
      const group = makeCgroup('agent-oom', { limitBytes: 160 * 2 ** 20, swapBytes: 0 });
      try {
        const { incidents } = run([...group.enter, python, leakFile]);
        const incident = incidents.find(({ cause }) => cause === 'kernel-cgroup-oom');
        expect(incident?.memory.allocations?.find(({ when }) => when === 'death')).toMatchObject({
          file: leakFile,
          line: leakLine,
          function: 'remember',
        });
        expect(incident?.memory.allocations?.[0]?.share).toBeGreaterThan(0.8);
      } finally {
        await group.remove();
      }
    },
  );

  test('malloc gave NULL and nobody looked: size, line and limit, without core or kernel log', () => {
    const { incidents } = run([python, program('malloc_null.py')]);
    expect(incidents[0]).toMatchObject({ cause: 'alloc-failure-segfault', death: 'disguised' });
    expect(['strong', 'certain']).toContain(incidents[0]?.confidence);
    const source = readFileSync(program('malloc_null.py'), 'utf8').split('\n');
    // `stack` is where it crashed, as faulthandler printed it; the refusal has its own.
    const line = incidents[0]?.memory.failures?.[0]?.stack[0]?.line ?? 0;
    expect(source[line - 1]).toContain('malloc');
    expect(incidents[0]?.request.bytes).toBeGreaterThan(1e9);
  });

  test('growth under a limit of address space: the rlimit and the growing line', () => {
    const { incidents } = run(['bash', '-c', `ulimit -v 200000; exec ${python} ${leakFile}`]);
    expect(incidents[0]).toMatchObject({ limit: { owner: 'rlimit', path: 'RLIMIT_AS' } });
    expect(incidents[0]?.memory.allocations?.[0]).toMatchObject({ line: leakLine });
    expect(incidents[0]?.request.bytes).toBeGreaterThan(0);
  });

  const noCompiler = cCompiler();
  test.skipIf(noCompiler)(
    `a C program's unchecked malloc: size and function${noCompiler ? ` (${noCompiler})` : ''}`,
    () => {
      const binary = join(folder, 'naive');
      expect(spawnSync('cc', ['-O1', '-o', binary, program('naive-malloc.c')]).status).toBe(0);
      const bytes = 9_000_000_000_000_000;
      const { incidents } = run([binary, String(bytes)]);
      expect(incidents[0]).toMatchObject({
        cause: 'alloc-failure-segfault',
        request: { bytes },
      });
      expect(incidents[0]?.stack[0]).toMatchObject({ function: 'main', file: binary });
    },
  );

  test.for([
    ['ulimit -f 1000; exec "$0" -c "print(1)"', '1'],
    ['ulimit -f 1; exec "$0" -c "print(1)"', '1'],
    ['ulimit -f 0; exec "$0" -c "print(1)"', '1'],
    // Forks, and children that nobody knew of before.
    ['ulimit -f 100; for i in $(seq 40); do "$0" -c "" || echo failed; done; echo 1', '1'],
    [
      'ulimit -f 100; "$0" -c "import os; [os.fork() or (bytearray(9 << 20), os._exit(0)) for i in range(9)]; [os.wait() for i in range(9)]"; echo $?',
      '0',
    ],
  ] as const)('a limit of file size ends nothing: %s', ([script, said]) => {
    const output = join(folder, 'limited');
    const { stdout, status } = spawnSync(
      process.execPath,
      [coroner, 'run', '-q', '-o', output, '--', 'bash', '-c', script, python],
      { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL' },
    );
    expect({ stdout: stdout.trim(), status }).toEqual({ stdout: said, status: 0 });
    const [incident = ''] = readdirSync(output);
    const left = readdirSync(join(output, incident, 'agent'));
    expect(left.filter((name) => name.endsWith('.mem')).length).toBeGreaterThan(0);
    expect(left.filter((name) => !/^(?:\d+\.mem|tree)$/.test(name))).toEqual([]);
    rmSync(output, { recursive: true });
  });
  test('the recorder has that limit itself: no file lies ready, and the run goes on', () => {
    const { stdout, status } = spawnSync(
      'bash',
      [
        '-c',
        'ulimit -f 1000; exec "$@"',
        'sh',
        process.execPath,
        coroner,
        'run',
        '-q',
        '-o',
        join(folder, 'own-limit'),
        '--',
        python,
        '-c',
        'print(1)',
      ],
      { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL' },
    );
    expect({ stdout, status }).toEqual({ stdout: '1\n', status: 0 });
  });
  test('a trivial run takes kilobytes of the disk', () => {
    const output = join(folder, 'small');
    spawnSync(process.execPath, [coroner, 'run', '-q', '-o', output, '--', python, '-c', 'pass'], {
      timeout: 60_000,
    });
    const [incident = ''] = readdirSync(output);
    const agent = join(output, incident, 'agent');
    const bytes = readdirSync(agent).reduce(
      (sum, name) => sum + statSync(join(agent, name)).blocks * 512,
      0,
    );
    expect(readdirSync(agent)).toHaveLength(2);
    expect(bytes).toBeLessThan(300_000);
  });

  test('the recorder itself is killed: the folder still has the lines up to the death of the command', async () => {
    const output = join(folder, 'orphan');
    const recorder = spawn(
      process.execPath,
      [
        coroner,
        'run',
        '--output',
        output,
        '--',
        python,
        program('agent/grow.py'),
        'dicts',
        String(80 * 2 ** 20),
      ],
      { stdio: 'ignore' },
    );
    const incident = await until(() => existsSync(output) && readdirSync(output)[0]);
    const name = await until(() =>
      readdirSync(join(output, incident, 'agent')).find((entry) => entry.endsWith('.mem')),
    );
    recorder.kill('SIGKILL');
    // The command goes on to its end by itself: 80 MiB.
    await until(() => !existsSync(`/proc/${Number.parseInt(name, 10)}`), 60_000);
    const { readAgentFiles } = await import('../../src/gather/incident-folder/agent-files.ts');
    const { allocationsOf } = await import('../../src/parsers/formats/agent-allocations.ts');
    const { snapshots } = readAgentFiles(join(output, incident));
    const [top] = snapshots.flatMap(({ file }) => allocationsOf(file, 'peak'));
    expect(top).toMatchObject({ function: 'grow' });
    expect(top?.bytes).toBeGreaterThan(40 * 2 ** 20);
    const diagnosis = spawnSync(
      process.execPath,
      [coroner, 'diagnose', '--json', '-', join(output, incident)],
      {
        encoding: 'utf8',
      },
    );
    expect(JSON.parse(diagnosis.stdout)).toMatchObject({ format: 'coroner/1' });
  });

  test.skipIf(noCompiler)(
    `a static launcher: what it starts has the agent, and only where nothing has is it said${noCompiler ? ` (${noCompiler})` : ''}`,
    () => {
      const launcher = join(folder, 'launcher');
      writeFileSync(
        `${launcher}.c`,
        '#include <unistd.h>\nint main(int count, char **words) { return count > 1 ? execv(words[1], words + 1) : 0; }\n',
      );
      const { status } = spawnSync('cc', ['-static', '-o', launcher, `${launcher}.c`]);
      expect(status, 'cc -static').toBe(0);
      const launch = (...words: readonly string[]) => {
        const output = join(folder, `static-${words.length}`);
        spawnSync(
          process.execPath,
          [coroner, 'run', '--quiet', '--output', output, '--', launcher, ...words],
          { stdio: 'ignore', timeout: 60_000, killSignal: 'SIGKILL' },
        );
        const [incident = ''] = readdirSync(output);
        return {
          files: readdirSync(join(output, incident, 'agent')).filter((name) =>
            name.endsWith('.mem'),
          ),
          said: readFileSync(join(output, incident, 'events.ndjson'), 'utf8').includes(
            'is statically linked',
          ),
        };
      };
      expect(launch()).toEqual({ files: [], said: true });
      const { files, said } = launch(python, '-c', 'pass');
      expect({ files: files.length, said }).toEqual({ files: 1, said: false });
    },
  );
});

async function until<T>(look: () => T | false | undefined, ms = 10_000): Promise<T> {
  for (let i = 0; i < ms / 50; i += 1) {
    const seen = look();
    if (seen !== false && seen !== undefined) return seen;
    await sleep(50);
  }
  throw new Error('it never came');
}
