import type { ProcessRole } from '../../../model/report.ts';
import type {
  Evidence,
  KernelNotice,
  KernelOomKill,
  KernelOomWithoutKill,
  OomConstraint,
  OomReport,
  Origin,
} from '../../../model/evidence.ts';
import type { LogLine } from '../../text/log-lines.ts';
import { emptyTable, type TaskTable } from './tasks.ts';
import { quoteOf } from './words.ts';

/** A report of the OOM killer while its lines come in. */
export interface Open {
  readonly stream: string;
  readonly first: LogLine;
  last: LogLine;
  lastUptime: number | undefined;
  head: boolean;
  trigger: { name?: string; pid?: number; uid?: number; oomScoreAdj?: number } | null;
  order?: number;
  gfpMask?: string;
  constraint?: OomConstraint;
  oomMemcg?: string;
  taskMemcg?: string;
  target?: { name?: string; pid?: number; uid?: number };
  chosen?: { name: string; pid: number };
  chosenLine?: LogLine;
  usageBytes?: number;
  limitBytes?: number | null;
  failcnt?: number;
  swapUsageBytes?: number;
  swapLimitBytes?: number | null;
  statBytes: Record<string, number>;
  hostBytes: Record<string, number>;
  hostPages: Record<string, number>;
  table: TaskTable;
  trace: string[];
  groupOf?: string;
  variant?: KernelOomKill['variant'];
  panic: boolean;
  tableHead: boolean;
  why?: KernelOomWithoutKill['why'];
  kills: MutableKill[];
  lines: { -readonly [Key in keyof NonNullable<OomReport['lines']>]: Origin };
}

export interface MutableKill {
  line: LogLine;
  kind: 'killed' | 'oom-kill' | 'choice' | 'reaped';
  victim: ProcessRole;
  prefix: OomConstraint | null;
  report: Open | null;
  variant?: KernelOomKill['variant'];
}

/** A log of many hosts has many reports open at once; of thousands of cut ones most are over. */
const mostCandidates = 256;
/** Lines of a report never lie further apart than this, unless another report stands between. */
const maxGapSeconds = 20;

/** A kernel log while it is read: its open reports, its kills, and which report a line belongs to. */
export class KernelLog {
  readonly source: string;
  readonly name: string;
  readonly reports: Open[] = [];
  readonly kills: MutableKill[] = [];
  readonly #killsByPid = new Map<number | undefined, MutableKill[]>();
  readonly others: Evidence[] = [];
  /** The last line that stands in front of the table of tasks in a report of the whole machine. */
  beforeTable = -Infinity;
  /** Rows of a table of tasks that stand in no report, one below the other. */
  readonly looseRows: string[] = [];
  readonly reaped: { readonly line: LogLine; readonly victim: ProcessRole }[] = [];
  line!: LogLine;

  constructor(source: string, name: string) {
    this.source = source;
    this.name = name;
  }

  killsOf(pid: number | undefined): readonly MutableKill[] {
    return this.#killsByPid.get(pid) ?? [];
  }

  addKill(kill: MutableKill): void {
    this.kills.push(kill);
    const others = this.#killsByPid.get(kill.victim.pid);
    if (others === undefined) this.#killsByPid.set(kill.victim.pid, [kill]);
    else others.push(kill);
  }

  /**
   * The same kill again: printed to the console and to syslog, quoted twice, read from kmsg and from the journal.
   * A pid that comes again with other figures or at another time is another process.
   */
  sameKill(kill: MutableKill, victim: ProcessRole, text: string): boolean {
    if (kill.victim.pid !== victim.pid || victim.pid === undefined) return false;
    if (kill.victim.name !== victim.name && victim.name !== undefined) return false;
    if (kill.kind !== 'killed') {
      return kill.report?.kills.includes(kill) === true && this.near(kill.line, 400);
    }
    const same = (['anonRssBytes', 'totalVmBytes', 'fileRssBytes'] as const).every(
      (key) =>
        kill.victim[key] === undefined ||
        victim[key] === undefined ||
        kill.victim[key] === victim[key],
    );
    if (!same) return false;
    const bare = victim.anonRssBytes === undefined && kill.victim.anonRssBytes === undefined;
    // Kills without figures can only be told apart by their reports.
    if (bare && text.length < 40 && !this.near(kill.line, 40)) return false;
    return this.sameTime(kill.line);
  }

  sameTime(other: LogLine): boolean {
    const { when } = this.line;
    if (when === undefined || other.when === undefined) return true;
    if (when.uptimeSeconds !== undefined && other.when.uptimeSeconds !== undefined)
      return Math.abs(when.uptimeSeconds - other.when.uptimeSeconds) < 2;
    if (when.wall !== undefined && other.when.wall !== undefined)
      return Math.abs(Date.parse(when.wall) - Date.parse(other.when.wall)) < 60_000;
    if (when.printed !== undefined && other.when.printed !== undefined)
      return when.printed.slice(0, -3) === other.when.printed.slice(0, -3);
    return true;
  }

  near(other: LogLine, lines = 60): boolean {
    return this.line.number - other.number <= lines && this.sameTime(other);
  }

  setVariant(report: Open, text: string): void {
    if (text.includes('oom_kill_allocating_task')) report.variant = 'allocating-task';
    else if (/SysRq|sysrq/.test(text)) report.variant = 'sysrq';
  }

  start(): Open {
    const report: Open = {
      stream: this.line.stream,
      first: this.line,
      last: this.line,
      lastUptime: this.line.when?.uptimeSeconds,
      head: false,
      trigger: null,
      statBytes: {},
      hostBytes: {},
      hostPages: {},
      table: emptyTable(),
      trace: [],
      panic: false,
      tableHead: false,
      kills: [],
      lines: {},
    };
    this.reports.push(report);
    return report;
  }

  touch(report: Open): void {
    report.last = this.line;
    report.lastUptime = this.line.when?.uptimeSeconds ?? report.lastUptime;
  }

  /** Reports a line could still belong to, the likeliest first: same source, nearest in time, latest. */
  candidates(): Open[] {
    const { stream, when } = this.line;
    const uptime = when?.uptimeSeconds;
    const distance = (open: Open) =>
      uptime === undefined || open.lastUptime === undefined
        ? 0
        : Math.abs(uptime - open.lastUptime);
    const found: Open[] = [];
    const last = Math.max(0, this.reports.length - mostCandidates);
    for (let index = this.reports.length - 1; index >= last && found.length < 8; index -= 1) {
      const open = this.reports[index];
      if (open === undefined) break;
      if (open.stream !== stream && !this.sameHost(open.stream, stream)) continue;
      if (distance(open) > maxGapSeconds) continue;
      if (this.line.number - open.last.last > 5000) break;
      found.push(open);
    }
    const exact = (open: Open) => (open.stream === stream ? 0 : 1);
    return found.sort((a, b) => exact(a) - exact(b) || Math.round(distance(a) - distance(b)));
  }

  /** Another thread's line (oom_reaper) may follow, another host's never. */
  sameHost(a: string, b: string): boolean {
    return a.split('|')[0] === b.split('|')[0] && (a.endsWith('|') || b.endsWith('|'));
  }

  current(): Open | undefined {
    return this.candidates()[0];
  }

  /** The open report that still lacks this line; a new one where its head was cut off. */
  body(lacks: (open: Open) => boolean): Open {
    const current = this.current();
    if (current !== undefined && lacks(current) && !done(current)) return current;
    return this.start();
  }

  /** The report whose kill this is going to be. */
  openFor(pid: number | undefined): Open {
    const candidates = this.candidates();
    const named = candidates.find(
      (open) =>
        pid !== undefined &&
        !done(open) &&
        (open.target?.pid === pid || open.chosen?.pid === pid || open.table.rows.has(pid)),
    );
    const current = named ?? candidates.find((open) => !done(open));
    return current ?? this.start();
  }

  reportOf(pid: number | undefined, prefix: OomConstraint | null): Open | null {
    const candidates = this.candidates();
    if (pid !== undefined) {
      const named = candidates.find(
        (open) => open.target?.pid === pid || (open.chosen?.pid === pid && !done(open)),
      );
      if (named !== undefined) return named;
    }
    const fits = (open: Open) =>
      prefix === null ||
      open.constraint === undefined ||
      (prefix === 'memcg') === (open.constraint === 'memcg');
    const open = candidates.find((candidate) => !done(candidate) && fits(candidate));
    if (open !== undefined) return open;
    // More victims of one report: a group kill, or a storm inside the cgroup whose table named them.
    const group = candidates[0];
    if (group?.groupOf !== undefined && fits(group)) return group;
    return (
      candidates.find(
        (candidate) =>
          fits(candidate) &&
          pid !== undefined &&
          candidate.table.rows.has(pid) &&
          candidate.constraint === 'memcg',
      ) ?? null
    );
  }

  origin(line: LogLine = this.line): Origin {
    const place = line.last === line.number ? `${line.number}` : `${line.number}-${line.last}`;
    return {
      source: this.source,
      place: `${this.name}:${place}`,
      line: line.number,
      quote: quoteOf(line.raw),
    };
  }

  when(): Pick<KernelNotice, 'when'> {
    const { when } = this.line;
    return when === undefined ? {} : { when };
  }
}

/** Its kill was seen, or the machine went down: no line of another kill belongs to it. */
export const done = (open: Open): boolean =>
  open.kills.some(({ kind }) => kind === 'killed') || open.panic;
