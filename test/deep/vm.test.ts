/**
 * Deaths that only a machine of one's own can show: cgroup v2, the whole machine out of memory, panics, swap. `coroner run` runs inside the
 * guest; what is left behind (the console) is diagnosed outside.
 */
import { appendFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { buildVm, missing, runVm, type KernelPackage, type Vm, type VmRun } from '../vm/vm.ts';
import { judge, type Judgement } from './matrix/judge.ts';
import { diagnose } from './matrix/provoke.ts';
import type { Expected } from './matrix/row.ts';

interface Job {
  readonly what: string;
  readonly live?: Expected;
  readonly after?: Expected;
  readonly besides?: Parameters<typeof judge>[2];
  /** What else must be true of what the guest left in the job's folder. */
  readonly also?: (folder: string) => void;
}
const MiB = 2 ** 20;
const cgroupKill = (path: string, limitBytes: number): Expected => ({
  cause: ['kernel-cgroup-oom'],
  limitOwner: 'cgroup',
  limitBytes,
  atLeast: 'certain',
  path,
});
const jobs = {
  'v2-leaf': { what: 'memory.max of the own cgroup', live: cgroupKill('/web', 64 * MiB) },
  'v2-parent': { what: 'memory.max of the parent', live: cgroupKill('/job', 64 * MiB) },
  'v2-group': {
    what: 'memory.oom.group: all die together',
    live: { ...cgroupKill('/pool', 96 * MiB), variant: 'group-kill' },
  },
  'v2-same': {
    what: 'coroner inside the limited cgroup, as in a container',
    live: cgroupKill('/box', 200 * MiB),
  },
  'v2-look': {
    what: 'memory.max of the own cgroup, the last look before it names the variable',
    live: cgroupKill('/grow', 140 * MiB),
    also: (folder) => {
      const { incidents, sources } = JSON.parse(
        readFileSync(join(folder, 'report.json'), 'utf8'),
      ) as Report;
      const { memory } = incidents.find(({ cause }) => cause === 'kernel-cgroup-oom')!;
      const looks = sources.filter(({ id }) => id === 'last-look');
      expect(memory.holders?.[0], JSON.stringify(looks)).toMatchObject({ name: 'rows' });
      expect(memory.ageAtDeathMs).toBeGreaterThanOrEqual(0);
    },
  },
  'v2-kill': {
    what: 'look-alike: kill -9, the limit never fired',
    live: { cause: ['not-memory', 'undetermined'] },
    after: { cause: ['none', 'not-memory', 'undetermined'] },
  },
  overcommit: {
    what: 'vm.overcommit_memory=2 refuses',
    live: { cause: ['alloc-failure-exception'], limitOwner: 'overcommit', variant: 'overcommit' },
    after: { cause: ['alloc-failure-exception'] },
  },
  segfault: {
    what: 'malloc gives NULL, nobody looks',
    live: { cause: ['alloc-failure-segfault'], atLeast: 'strong' },
    // With the hook's faulthandler the console has the refusal and no crash: what the program made of it cannot be told.
    after: { cause: ['alloc-failure-segfault', 'alloc-failure-exception'], atMost: 'likely' },
  },
  innocent: {
    what: 'the victim is not who asked',
    live: { cause: ['kernel-global-oom'], limitOwner: 'host', atLeast: 'certain' },
  },
  sysrq: {
    what: 'an OOM kill by SysRq',
    live: { cause: ['kernel-global-oom', 'not-memory'], atLeast: 'strong' },
  },
  global: {
    what: 'the whole machine is out of memory',
    live: { cause: ['kernel-global-oom'], limitOwner: 'host', atLeast: 'certain' },
  },
  'v2-high': {
    what: 'S: memory.high throttles, nobody is killed',
    live: { cause: ['swap-thrash'], variant: 'memory-high-throttle' },
    after: { cause: ['none'] },
  },
  thrash: {
    what: 'swap thrash under memory.max',
    live: { cause: ['swap-thrash'] },
    after: { cause: ['none'] },
  },
  clock: {
    what: 'the wall clock leaps an hour ahead and back during the run',
    live: cgroupKill('/leap', 64 * MiB),
    also: (folder) => {
      const [store = ''] = readdirSync(join(folder, 'store'));
      const text = (name: string): string =>
        readFileSync(join(folder, 'store', store, name), 'utf8');
      const { durationMs } = JSON.parse(text('end.json')) as { durationMs: number };
      expect(durationMs).toBeGreaterThan(8000);
      expect(durationMs).toBeLessThan(600_000);
      const moments = text('samples.ndjson')
        .split('\n')
        .filter(Boolean)
        .flatMap((line) => /"atMs":([\d.]+)/.exec(line)?.[1] ?? [])
        .map(Number);
      expect(moments.length).toBeGreaterThan(5);
      expect(moments).toEqual(moments.toSorted((a, b) => a - b));
      expect(Math.max(...moments)).toBeLessThanOrEqual(durationMs);
    },
  },
  'thrash-inside': {
    what: 'coroner itself inside the cgroup that thrashes',
    live: { cause: ['swap-thrash'] },
    after: { cause: ['none'] },
  },
  panic: {
    what: 'panic_on_oom, from the saved console',
    after: { cause: ['kernel-global-oom'] },
  },
} as const satisfies Record<string, Job>;
type JobName = keyof typeof jobs;

interface Boot {
  readonly kernel: KernelPackage;
  readonly jobs: readonly JobName[];
  readonly memoryMiB: number;
  readonly swapMiB?: number;
}
const older = 'linux-image-cloud-amd64';
const newer = 'linux-image-6.12-cloud-amd64';
const boots: readonly Boot[] = [
  {
    kernel: older,
    memoryMiB: 384,
    jobs: [
      ...(['v2-leaf', 'v2-parent', 'v2-group', 'v2-same', 'v2-look', 'v2-kill', 'clock'] as const),
      ...(['overcommit', 'segfault', 'innocent', 'sysrq', 'global'] as const),
    ],
  },
  { kernel: older, memoryMiB: 320, swapMiB: 256, jobs: ['thrash', 'v2-high', 'thrash-inside'] },
  { kernel: older, memoryMiB: 320, jobs: ['panic'] },
  {
    kernel: newer,
    memoryMiB: 384,
    jobs: ['v2-leaf', 'v2-parent', 'v2-group', 'overcommit', 'segfault', 'global'],
  },
];

const results = process.env['CORONER_MATRIX_RESULTS'];
const pattern = new RegExp(process.env['CORONER_ROWS'] ?? '');
const write = (line: object): void => {
  if (results) appendFileSync(results, `${JSON.stringify(line)}\n`);
};
const reason = missing();

for (const { kernel, memoryMiB, swapMiB, jobs: all } of boots) {
  const names = all.filter((name) => pattern.test(`vm-${name}`));
  if (names.length === 0) continue;
  const short = kernel === older ? '' : '6.12-';
  if (reason !== null) {
    for (const name of names) {
      test.skip(`${short}${name}: ${jobs[name].what} (${reason})`, () => {});
      write({ id: `vm-${short}${name}`, what: jobs[name].what, skipped: reason });
    }
    continue;
  }
  describe(`a machine of ${memoryMiB} MiB with ${kernel}`, () => {
    let vm: Vm | undefined;
    let unavailable = '';
    let run: VmRun | undefined;
    beforeAll(async () => {
      try {
        vm = buildVm(kernel);
      } catch (error) {
        unavailable = String(error).split('\n', 1)[0] ?? 'it cannot be built';
        return;
      }
      run = await boot(vm, names);
    }, 1_000_000);
    const runs: VmRun[] = [];
    afterAll(() => {
      for (const { dispose } of runs) dispose();
    });
    const boot = async (on: Vm, some: readonly JobName[]): Promise<VmRun> => {
      const made = await runVm(on, {
        jobs: some,
        memoryMiB,
        ...(swapMiB === undefined ? {} : { swapMiB }),
        // Boots and jobs take 20 to 120 s on two cores of their own.
        timeoutMs: 600_000,
      });
      runs.push(made);
      return made;
    };

    for (const name of names) {
      const job: Job = jobs[name];
      const id = `vm-${short}${name}`;
      const settle = (phase: string, expected: Expected, judgement: Judgement): void => {
        write({ id, what: job.what, phase, expected: expected.cause, ...judgement, ms: run?.ms });
        const { said, right, faults, certainAndWrong } = judgement;
        expect(certainAndWrong, 'certain and wrong').toEqual([]);
        expect(
          { said: right ? 'as expected' : said, faults },
          said.headline ?? 'no incident',
        ).toEqual({
          said: 'as expected',
          faults: [],
        });
      };
      let tries = 0;
      if (job.live)
        test(`${id}: ${job.what}, under coroner run`, { timeout: 700_000 }, async (context) => {
          if (!run || !vm) return context.skip(`no such kernel: ${unavailable}`);
          // Judging one boot twice would be no other try: that is another boot, of this job alone.
          const ran = tries > 0 ? await boot(vm, [name]) : run;
          tries += 1;
          const file = join(ran.out, name, 'report.json');
          if (!existsSync(file))
            throw new Error(`no report from the guest:\n${ran.job(name).slice(-3000)}`);
          const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
          settle(
            'live',
            job.live ?? { cause: [] },
            judge(report, job.live ?? { cause: [] }, job.besides ?? [], null),
          );
          job.also?.(join(ran.out, name));
        });
      const after = job.after ?? job.live;
      if (after)
        test(`${id}: ${job.what}, from the console`, (context) => {
          if (!run) return context.skip(`no such kernel: ${unavailable}`);
          const file = join(run.out, `${name}.console`);
          // What coroner itself said on the console must not be what it reads: only the kernel's and the program's own lines.
          writeFileSync(file, ownWords(run.job(name)));
          const {
            limitBytes: _,
            path: __,
            variant: ___,
            limitOwner: ____,
            atLeast: _____,
            ...expected
          } = after;
          settle(
            'after',
            { ...expected, cause: [...expected.cause, 'undetermined'] },
            judge(
              diagnose([file]),
              { ...expected, cause: [...expected.cause, 'undetermined'] },
              job.besides ?? [],
              null,
            ),
          );
        });
    }
  });
}

/** The console without coroner's verdict, which begins with its headline's mark and ends before `exit=`. */
function ownWords(console: string): string {
  const lines: string[] = [];
  let verdict = false;
  for (const line of console.split('\n')) {
    if (/^ {2}[X!?+i] [A-Z]/.test(line)) verdict = true;
    if (line.startsWith('exit=')) verdict = false;
    if (!verdict || /^\[ *\d+\.\d+\]/.test(line)) lines.push(line);
  }
  return lines.join('\n');
}
