/** What has been read of kills and reports, put together as evidence. */
import { realLimit } from '../../../model/no-limit.ts';
import { defined } from '../../../model/defined.ts';
import type {
  Evidence,
  KernelOomKill,
  KernelOomWithoutKill,
  OomReport,
} from '../../../model/evidence.ts';
import type { ProcessRole, Task } from '../../../model/report.ts';
import type { KernelLog, MutableKill, Open } from './log.ts';
import { killersFrame } from './report-lines.ts';
import { tasksOf } from './tasks.ts';

export function evidence(log: KernelLog): Evidence[] {
  const facts: Evidence[] = [...log.others];
  for (const report of log.reports) {
    // The kill's own line was cut off: the choice is the last that is known of it.
    if (
      report.kills.length === 0 &&
      report.chosen !== undefined &&
      report.chosenLine !== undefined
    ) {
      const kill: MutableKill = {
        line: report.chosenLine,
        kind: 'choice',
        victim: report.chosen,
        prefix: null,
        report,
      };
      report.kills.push(kill);
      log.addKill(kill);
    }
    if (report.kills.length === 0 && isReport(report) && !isEcho(report, log.reports))
      facts.push(withoutKill(log, report));
  }
  if (log.kills.length === 0) killsFromReaper(log);
  for (const kill of log.kills) facts.push(killFact(log, kill));
  return facts.sort((a, b) => (a.origin.line ?? 0) - (b.origin.line ?? 0));
}

/** The reaper takes the memory of victims only (4.6 and later): where every kill line is missing, it names them. */
function killsFromReaper(log: KernelLog): void {
  for (const { line, victim } of log.reaped) {
    if (log.killsOf(victim.pid).length > 0) continue;
    log.addKill({ line, kind: 'reaped', victim, prefix: null, report: null });
  }
}

function killFact(log: KernelLog, kill: MutableKill): KernelOomKill {
  const { report } = kill;
  const row = kill.victim.pid === undefined ? undefined : report?.table.rows.get(kill.victim.pid);
  const pageSizeBytes = report === null ? undefined : pageSizeOf(kill.victim, row?.totalVmPages);
  const told = report === null ? null : reportFact(report, pageSizeBytes);
  const constraint = report?.constraint ?? kill.prefix;
  const target = report?.target?.pid === kill.victim.pid ? report?.target : undefined;
  const cgroup =
    report?.taskMemcg !== undefined && (target !== undefined || report.kills[0] === kill)
      ? report.taskMemcg
      : undefined;
  const chosen = report?.chosen;
  const sacrificed =
    chosen !== undefined &&
    kill.victim.pid !== undefined &&
    chosen.pid !== kill.victim.pid &&
    report?.kills.length === 1;
  const variant =
    kill.variant ??
    (sacrificed ? 'sacrificed-child' : undefined) ??
    (report?.groupOf !== undefined ? 'group-kill' : report?.variant);
  const task =
    kill.kind === 'killed' || row === undefined || told === null
      ? {}
      : taskRole(told.tasks.find(({ pid }) => pid === kill.victim.pid));
  return {
    kind: 'kernel-oom-kill',
    origin: log.origin(kill.line),
    ...defined({ when: kill.line.when }),
    victim: {
      ...task,
      ...target,
      ...kill.victim,
      ...defined({ cgroup }),
    },
    constraint,
    report: told,
    ...(report?.oomMemcg === undefined ? {} : { oomMemcg: report.oomMemcg }),
    ...(report?.taskMemcg === undefined ? {} : { taskMemcg: report.taskMemcg }),
    ...defined({ variant }),
    sourceKind: kill.kind,
  };
}

function withoutKill(log: KernelLog, report: Open): KernelOomWithoutKill {
  const anchor =
    report.lines.header ?? report.lines.limitOf ?? report.lines.usage ?? report.lines.choice;
  return {
    kind: 'kernel-oom-without-kill',
    origin: anchor ?? log.origin(report.first),
    ...defined({ when: report.first.when }),
    constraint: report.constraint ?? null,
    report: reportFact(report, undefined),
    ...defined({ oomMemcg: report.oomMemcg }),
    why: report.why ?? 'no-kill-line',
  };
}

function reportFact(open: Open, pageSizeBytes: number | undefined): OomReport {
  const hostBytes: Record<string, number> = { ...open.hostBytes };
  if (pageSizeBytes !== undefined)
    for (const [key, pages] of Object.entries(open.hostPages))
      hostBytes[key] ??= pages * pageSizeBytes;
  const chosen = open.chosen;
  // v1 prints the limit among its statistics too.
  const hierarchical = open.statBytes['hierarchical_memory_limit'];
  if (open.limitBytes === undefined && hierarchical !== undefined) {
    const limitBytes = realLimit(hierarchical);
    if (limitBytes !== null) open.limitBytes = limitBytes;
  }
  return {
    trigger: open.trigger,
    ...defined({
      order: open.order,
      gfpMask: open.gfpMask,
      usageBytes: open.usageBytes,
      limitBytes: open.limitBytes,
      swapUsageBytes: open.swapUsageBytes,
      swapLimitBytes: open.swapLimitBytes,
      failcnt: open.failcnt,
    }),
    ...(Object.keys(open.statBytes).length === 0 ? {} : { statBytes: open.statBytes }),
    ...(Object.keys(hostBytes).length === 0 ? {} : { hostBytes }),
    tasks: tasksOf(open.table, pageSizeBytes),
    ...defined({ pageSizeBytes }),
    ...(open.head
      ? open.kills.length === 0 && open.why === undefined
        ? { truncated: 'tail' as const }
        : {}
      : { truncated: 'head' as const }),
    ...(open.trace.length === 0 ? {} : { callTrace: open.trace }),
    lines: open.lines,
    ...defined({ chosen }),
  };
}

/** Enough to say that the killer ran; a lone table header or a stray statistic is not. */
const isReport = (open: Open): boolean =>
  open.head ||
  open.why !== undefined ||
  open.lines.limitOf !== undefined ||
  open.lines.usage !== undefined ||
  open.lines.constraint !== undefined ||
  open.tableHead ||
  open.trace.some((name) => name.startsWith(killersFrame)) ||
  open.table.rows.size > 2;

/** A line of another report that somebody quotes beside it: in a verdict, a summary, a letter. */
const isEcho = (open: Open, reports: readonly Open[]): boolean =>
  open.why === undefined &&
  open.table.rows.size === 0 &&
  reports.some(
    (other) =>
      other !== open &&
      other.kills.length > 0 &&
      (['header', 'limitOf', 'usage', 'constraint'] as const).every(
        (line) =>
          open.lines[line] === undefined ||
          bare(other.lines[line]?.quote).startsWith(bare(open.lines[line].quote)),
      ),
  );

/** The words of a line from where the killer's begin; a quotation may be cut. */
const bare = (quote = ''): string =>
  quote
    .replace(/^.*?(?=\S{1,16} invoked oom-killer|Task in |memory: usage|oom-kill:)/s, '')
    .replace(/\s*(?:…|\.{3})$/, '');

/** Sizes of pages that Linux runs with. */
const pageSizes = [4096, 8192, 16384, 65536, 262144];

/** Derived from the victim's row (pages) against its kill line (kB): never assumed. */
function pageSizeOf(victim: ProcessRole, totalVmPages: number | undefined): number | undefined {
  if (victim.totalVmBytes === undefined || totalVmPages === undefined || totalVmPages === 0)
    return undefined;
  const ratio = victim.totalVmBytes / totalVmPages;
  return pageSizes.find((size) => Math.abs(ratio / size - 1) < 0.02);
}

const taskRole = (task: Task | undefined): ProcessRole => {
  if (task === undefined) return {};
  const { rssBytes, pageTablesBytes, ...role } = task;
  void rssBytes;
  void pageTablesBytes;
  return role;
};
