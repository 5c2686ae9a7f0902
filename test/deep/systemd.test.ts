/**
 * Deaths under systemd and its guards, in a virtual machine that systemd has booted: each under `coroner run`, and once more bare, of which
 * coroner has to tell from the journal, inside the guest and from what `journalctl` gave out in three formats.
 *
 * Building the image takes minutes and 150 MB of Debian's packages, so it is asked for: CORONER_SYSTEMD_GUEST=1. Once it lies in
 * the cache the tests run without being asked. CORONER_ROWS=PATTERN runs the rows whose id matches. CORONER_KEEP=1 keeps what
 * the guest left behind and says where.
 */
import { appendFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cause } from '../../src/model/causes.ts';
import type { Report } from '../../src/model/report.ts';
import { buildSystemdVm, missingForSystemd, runVm, type SystemdVm, type VmRun } from '../vm/vm.ts';
import { judge } from './matrix/judge.ts';
import { diagnose } from './matrix/provoke.ts';
import type { Expected } from './matrix/row.ts';

interface Job {
  readonly what: string;
  /** The package in the image without which it cannot be provoked. */
  readonly needs?: string;
  readonly live: Expected;
  readonly after: Expected;
  readonly besides?: readonly Cause[];
  /** Further files that were left behind, each judged alone. */
  readonly alone?: readonly RegExp[];
}
const MiB = 2 ** 20;
const unitKill = (unit: string): Expected => ({
  cause: ['kernel-cgroup-oom'],
  limitOwner: 'cgroup',
  limitBytes: 200 * MiB,
  path: `/system.slice/${unit}.service`,
  atLeast: 'certain',
});
const guard: Expected = { cause: ['userspace-oom-daemon'], atLeast: 'certain' };

const jobs = {
  'systemd-stop': {
    what: 'OOMPolicy=stop: a child is killed, the unit stopped',
    live: unitKill('stop-recorded'),
    after: unitKill('stop-bare'),
  },
  'systemd-continue': {
    what: 'OOMPolicy=continue: a child is killed, the unit goes on',
    live: unitKill('continue-recorded'),
    after: unitKill('continue-bare'),
  },
  'systemd-kill': {
    what: 'OOMPolicy=kill: all are killed, the recorder too',
    live: { ...unitKill('kill-recorded'), variant: 'group-kill' },
    after: { ...unitKill('kill-bare'), variant: 'group-kill' },
  },
  'systemd-coredump': {
    what: 'malloc gives NULL, nobody looks; systemd-coredump has the core',
    needs: 'systemd-coredump',
    live: { cause: ['alloc-failure-segfault'], atLeast: 'strong' },
    after: { cause: ['alloc-failure-segfault'], atLeast: 'strong' },
    alone: [/^core\./],
  },
  'systemd-oomd-pressure': {
    what: 'systemd-oomd, memory pressure',
    needs: 'systemd-oomd',
    live: { ...guard, variant: 'pressure' },
    after: { ...guard, variant: 'pressure' },
  },
  'systemd-oomd-swap': {
    what: 'systemd-oomd, swap nearly full',
    needs: 'systemd-oomd',
    live: { ...guard, variant: 'swap' },
    after: { ...guard, variant: 'swap' },
  },
  'systemd-earlyoom': {
    what: 'earlyoom',
    needs: 'earlyoom',
    live: guard,
    after: guard,
  },
  'systemd-nohang': {
    what: 'nohang',
    needs: 'nohang',
    live: guard,
    after: guard,
  },
} as const satisfies Record<string, Job>;
type JobName = keyof typeof jobs;

/** What a unit's journal must say, where docs/recipes/systemd.md was followed to the letter. */
const recipes = [
  ['recorded.txt', 'the unit runs under coroner'],
  ['app.txt', 'ExecStopPost'],
  ['coroner@failing.service.service.txt', 'OnFailure, for all units'],
] as const;

/** Jobs that are no rows of the table. */
const others = {
  'systemd-recipes': 'docs/recipes/systemd.md, to the letter',
  'systemd-user': 'an ordinary user is told what he may not read',
} as const;
const isOther = (name: JobName | keyof typeof others): name is keyof typeof others =>
  name in others;

interface Boot {
  readonly jobs: readonly (JobName | keyof typeof others)[];
  readonly memoryMiB: number;
  readonly swapMiB?: number;
}
const boots: readonly Boot[] = [
  {
    memoryMiB: 768,
    jobs: [
      'systemd-stop',
      'systemd-continue',
      'systemd-kill',
      'systemd-coredump',
      'systemd-recipes',
      'systemd-user',
    ],
  },
  { memoryMiB: 512, swapMiB: 256, jobs: ['systemd-oomd-pressure', 'systemd-oomd-swap'] },
  { memoryMiB: 512, jobs: ['systemd-earlyoom', 'systemd-nohang'] },
];

const results = process.env['CORONER_MATRIX_RESULTS'];
const pattern = new RegExp(process.env['CORONER_ROWS'] ?? '');
const write = (line: object): void => {
  if (results) appendFileSync(results, `${JSON.stringify(line)}\n`);
};
const reason = missingForSystemd(Boolean(process.env['CORONER_SYSTEMD_GUEST']));

const settle = (
  id: string,
  what: string,
  phase: string,
  expected: Expected,
  report: Report,
  ms: number,
  besides: readonly Cause[] = [],
): void => {
  const judgement = judge(report, expected, besides, null);
  write({ id, what, phase, expected: expected.cause, ...judgement, ms });
  const { said, right, faults, certainAndWrong } = judgement;
  expect(certainAndWrong, `${id} ${phase}: certain and wrong`).toEqual([]);
  expect(
    { said: right ? 'as expected' : said, faults },
    `${id} ${phase}: ${said.headline ?? 'no incident'}`,
  ).toEqual({ said: 'as expected', faults: [] });
};

for (const { memoryMiB, swapMiB, jobs: all } of boots) {
  const names = all.filter((name) => pattern.test(name));
  if (names.length === 0) continue;
  if (reason !== null) {
    for (const name of names) {
      const what = isOther(name) ? others[name] : jobs[name].what;
      test.skip(`${name}: ${what} (${reason})`, () => {});
      write({ id: name, what, skipped: reason });
    }
    continue;
  }
  describe(`systemd on a machine of ${memoryMiB} MiB`, () => {
    let vm: SystemdVm | undefined;
    let unavailable = '';
    let run: VmRun | undefined;
    beforeAll(async () => {
      try {
        vm = buildSystemdVm();
      } catch (error) {
        unavailable = String(error).split('\n', 1)[0] ?? 'it cannot be built';
        return;
      }
      const { packages } = vm;
      const possible = names.filter((name) => {
        const job: Job | null = isOther(name) ? null : jobs[name];
        return job?.needs === undefined || packages.has(job.needs);
      });
      run = await runVm(vm, {
        jobs: possible,
        memoryMiB,
        ...(swapMiB === undefined ? {} : { swapMiB }),
        timeoutMs: 1_500_000,
      });
    }, 2_700_000);
    afterAll(() => {
      if (process.env['CORONER_KEEP']) console.log(`kept: ${run?.out}\n${run?.console}`);
      else run?.dispose();
    });

    for (const name of names) {
      if (name === 'systemd-recipes') {
        for (const [file, what] of recipes)
          test(`${name}: ${what}`, (context) => {
            if (!run) return context.skip(`no such guest: ${unavailable}`);
            const text = readFileSync(join(run.out, name, file), 'utf8');
            expect(text).toMatch(/The kernel killed python3 \(pid \d+\)/);
            expect(text).toContain('certain');
          });
        test(`${name}: what is kept can be shown, and nothing starts itself over and over`, (context) => {
          if (!run) return context.skip(`no such guest: ${unavailable}`);
          const folder = join(run.out, name);
          expect(readFileSync(join(folder, 'shown.txt'), 'utf8')).toContain('The kernel killed');
          expect(readFileSync(join(folder, 'failing.service.html'), 'utf8')).toContain(
            'The kernel killed',
          );
          expect(run.job(name)).not.toContain('coroner@coroner');
        });
        continue;
      }
      if (name === 'systemd-user') {
        test(`${name}: ${others[name]}`, (context) => {
          if (!run) return context.skip(`no such guest: ${unavailable}`);
          const reportOf = (file: string): Report =>
            JSON.parse(readFileSync(join(run?.out ?? '', name, file), 'utf8')) as Report;
          const his = reportOf('report.json');
          const denied = his.sources.find(({ id }) => id === 'journal');
          expect(denied).toMatchObject({ status: 'denied' });
          expect(denied?.command).toContain('systemd-journal');
          expect(his.incidents.filter(({ confidence }) => confidence === 'certain')).toEqual([]);
          expect(reportOf('here.json').incidents).toMatchObject([{ cause: 'kernel-cgroup-oom' }]);
        });
        continue;
      }
      const job: Job = jobs[name];
      const left = (context: { skip(why: string): void }): string | null => {
        const why =
          vm === undefined
            ? `no such guest: ${unavailable}`
            : job.needs !== undefined && !vm.packages.has(job.needs)
              ? `Debian has no ${job.needs} here`
              : null;
        if (why === null) return join(run?.out ?? '', name);
        context.skip(why);
        return null;
      };
      const reportAt = (file: string): Report => {
        if (!existsSync(file))
          throw new Error(`no report from the guest:\n${run?.job(name).slice(-3000)}`);
        return JSON.parse(readFileSync(file, 'utf8')) as Report;
      };
      const ms = (): number => run?.ms ?? 0;
      test(`${name}: ${job.what}, under coroner run`, (context) => {
        const folder = left(context);
        if (folder === null) return;
        const report = reportAt(join(folder, 'report.json'));
        settle(name, job.what, 'live', job.live, report, ms(), job.besides);
      });
      test(`${name}: ${job.what}, coroner diagnose in the guest`, (context) => {
        const folder = left(context);
        if (folder === null) return;
        const report = reportAt(join(folder, 'here.json'));
        settle(name, job.what, 'after', job.after, report, ms(), job.besides);
      });
      test(`${name}: ${job.what}, from the journal that was carried out`, (context) => {
        const folder = left(context);
        if (folder === null) return;
        for (const format of ['export', 'json', 'short', 'monotonic']) {
          const report = diagnose([join(folder, `journal.${format}`)]);
          settle(`${name}-${format}`, job.what, 'after', job.after, report, ms(), job.besides);
        }
        for (const pattern of job.alone ?? []) {
          const file = readdirSync(folder).find((entry) => pattern.test(entry));
          if (file === undefined) throw new Error(`nothing like ${pattern} was left behind`);
          const report = diagnose([join(folder, file)]);
          const what = file.replace(/\..*/, '');
          settle(`${name}-${what}`, job.what, 'after', job.after, report, ms(), job.besides);
        }
      });
    }
  });
}
