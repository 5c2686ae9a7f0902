import { defined } from '../../model/defined.ts';
import type {
  Evidence,
  KernelNotice,
  KernelOomKill,
  KernelOomWithoutKill,
  OomConstraint,
  OomReport,
  Origin,
} from '../../model/evidence.ts';
import type { ProcessRole, Task } from '../../model/report.ts';
import { kernelNotice } from './kernel-notices.ts';
import {
  emptyTable,
  readTableHeader,
  readTaskRow,
  tasksOf,
  type TaskTable,
} from './kernel-tasks.ts';
import { logLines, type LogLine } from '../text/log-lines.ts';
import type { Input, Parser } from '../parser.ts';

const id = 'kernel-log';

/**
 * The kernel's log (K1 to K16, E2 to E4, E13, E15, P10, L1), of every kernel from 2.6 on, in every prefix.
 * Shapes are those of section 3.3 of the catalogue. A kill is proved by its `Killed process` line or by its
 * `oom-kill:` line alone: reports are limited to 10 in 5 s, kill lines never.
 */
export const kernelLog: Parser = {
  id,
  title: 'Kernel log',
  literals: [
    'invoked oom-killer',
    'oom-killer: gfp_mask',
    'oom-kill:constraint',
    'Killed process',
    'illed process (',
    'OOM killed process',
    'VM: killing process',
    'Kill process',
    'kill process',
    ' killed as a result of limit',
    ' as a result of limit of',
    'memory: usage ',
    'Memory cgroup stats for',
    'Tasks state (memory values',
    'total_vm      rss',
    'segfault at ',
    'segfault (11)',
    'traps: ',
    'trap invalid opcode',
    'trap divide error',
    'general protection',
    'unhandled level',
    '__vm_enough_memory',
    'enough memory for the allocation',
    'oom_reaper: reaped',
    'exceed data ulimit',
    'page allocation failure',
    'blocked for more than',
    'fork rejected by pids controller',
    'Memory failure: 0x',
    'Kernel panic - not syncing',
    'no killable process',
    'is deadlocked on memory',
    'memory.oom.group set',
    'soft lockup - CPU',
    'NVRM: Xid',
    'is already exiting. Skip killing',
    'Manual OOM execution',
  ],
  parse: (input) => new KernelLogReader(input).read(),
};

/** A report of the OOM killer while its lines come in. */
interface Open {
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

interface MutableKill {
  line: LogLine;
  kind: 'killed' | 'oom-kill' | 'choice' | 'reaped';
  victim: ProcessRole;
  prefix: OomConstraint | null;
  report: Open | null;
  variant?: KernelOomKill['variant'];
}

const cgroupWords = ['limit of', 'Task in ', ': usage', 'Memory cgroup stats', 'memory.oom.group'];

/** A log of many hosts has many reports open at once; of thousands of cut ones most are over. */
const mostCandidates = 256;
/** Lines of a report never lie further apart than this, unless another report stands between. */
const maxGapSeconds = 20;

class KernelLogReader {
  readonly #input: Input;
  readonly #reports: Open[] = [];
  readonly #kills: MutableKill[] = [];
  readonly #killsByPid = new Map<number | undefined, MutableKill[]>();
  readonly #others: Evidence[] = [];
  /** The last line that stands in front of the table of tasks in a report of the whole machine. */
  #beforeTable = -Infinity;
  readonly #reaped: { readonly line: LogLine; readonly victim: ProcessRole }[] = [];
  #line!: LogLine;

  constructor(input: Input) {
    this.#input = input;
  }

  read(): Evidence[] {
    const lines = logLines(this.#input);
    for (const line of lines) {
      this.#line = line;
      this.#readLine(line.text);
    }
    return this.#evidence();
  }

  #readLine(text: string): void {
    if (text === '') return;
    if (this.#killLine(text)) return;
    if (this.#reportLine(text)) return;
    const reaped = /oom_reaper: reaped process (\d+) \((.*)\)/.exec(text);
    if (reaped !== null)
      this.#reaped.push({
        line: this.#line,
        victim: { pid: Number(reaped[1]), name: reaped[2] ?? '' },
      });
    const notice = kernelNotice(text);
    if (notice !== null)
      this.#others.push({ ...notice, origin: this.#origin(), ...this.#when() } as Evidence);
  }

  // --- kills -----------------------------------------------------------------------------------

  /** `Killed process`, `oom-kill:`, `Kill process … or sacrifice child`. */
  #killLine(text: string): boolean {
    if (/oom-kill:\s?constraint=/.test(text)) return this.#constraintLine(text);
    if (!text.includes('ill')) return false;
    // 2.4 and 2.6, where a page fault found no page: the name is all there is.
    const fault = /(?:^|\s)VM: killing process (\S.{0,14}?)\s*$/.exec(text);
    if (fault !== null) {
      const victim = { name: fault[1] ?? '' };
      this.#addKill({ line: this.#line, kind: 'killed', victim, prefix: 'none', report: null });
      return true;
    }
    const choiceAt = text.search(/\b[Kk]ill process \d/);
    const killedAt = text.search(/\b[Kk]illed process (?:\d|\()/);
    if (choiceAt < 0 && killedAt < 0) return false;
    // Joined by node-problem-detector, or by a copy that lost its line ends.
    if (choiceAt >= 0) this.#choiceLine(killedAt > choiceAt ? text.slice(0, killedAt) : text);
    if (killedAt >= 0) this.#killedLine(text, killedAt);
    return true;
  }

  #choiceLine(text: string): void {
    const match = /[Kk]ill process (\d+) \((.*)\)(?:,? score (-?\d+)| or |$)/.exec(text);
    if (match === null) return;
    const report = this.#openFor(Number(match[1]));
    report.chosen = { pid: Number(match[1]), name: match[2] ?? '' };
    report.chosenLine = this.#line;
    report.lines.choice = this.#origin();
    report.constraint ??= prefixConstraint(text) ?? undefined!;
    if (report.constraint === undefined) delete (report as Partial<Open>).constraint;
    this.#setVariant(report, text);
    this.#touch(report);
  }

  #killedLine(text: string, at: number): void {
    const victim = killedVictim(text.slice(at));
    if (victim === null) return;
    const prefix = prefixConstraint(text.slice(0, at));
    const twin = this.#killsOf(victim.pid).find((kill) =>
      this.#sameKill(kill, victim, text.slice(at)),
    );
    if (twin !== undefined) {
      if (twin.kind !== 'killed')
        Object.assign(twin, {
          kind: 'killed',
          line: this.#line,
          victim: { ...twin.victim, ...victim },
        });
      twin.prefix ??= prefix;
      return;
    }
    const report = this.#reportOf(victim.pid, prefix);
    const kill: MutableKill = { line: this.#line, kind: 'killed', victim, prefix, report };
    if (report !== null) {
      if (report.groupOf !== undefined && report.kills.length > 0) kill.variant = 'group-kill';
      this.#setVariant(report, text);
      report.kills.push(kill);
      this.#touch(report);
    }
    this.#addKill(kill);
  }

  /** `oom-kill:constraint=…,oom_memcg=…,task_memcg=…,task=…,pid=…,uid=…` (5.0 and later). */
  #constraintLine(text: string): boolean {
    const at = text.indexOf('oom-kill:');
    const body = text.slice(at);
    const constraint = /constraint=(?:CONSTRAINT_)?(\w+)/.exec(body)?.[1];
    const task = /\btask=(.*?),\s*pid=(\d+)(?:,\s*uid=(\d+))?/.exec(body);
    const greedy = /\btask=(.*),\s*pid=(\d+)(?:,\s*uid=(\d+))?/.exec(
      body.split(/\bKilled process/)[0] ?? body,
    );
    const found = greedy ?? task;
    const pid = found === null ? undefined : Number(found[2]);
    const twin =
      pid === undefined
        ? undefined
        : this.#killsOf(pid).findLast(
            (kill) =>
              kill.victim.pid === pid &&
              kill.report?.lines.constraint === undefined &&
              this.#near(kill.line),
          );
    const again =
      pid === undefined
        ? undefined
        : this.#killsOf(pid).find(
            (kill) =>
              kill.report?.lines.constraint !== undefined &&
              kill.report.target?.pid === pid &&
              kill.report.lines.constraint.quote?.includes(body.slice(0, 400)) === true &&
              this.#sameTime(kill.line),
          );
    if (again !== undefined) return true;
    const report = twin?.report ?? this.#openFor(pid);
    if (twin !== undefined && twin.report === null) {
      twin.report = report;
      report.kills.push(twin);
    }
    const kind = constraintOf(constraint);
    if (kind !== null) report.constraint = kind;
    const oomMemcg = /\boom_?memcg=(.*?),\s*task_?memcg=/.exec(body)?.[1];
    const taskMemcg = /\btask_?memcg=(.*?),\s*task=/.exec(body)?.[1];
    if (oomMemcg !== undefined) report.oomMemcg = oomMemcg;
    if (taskMemcg !== undefined) report.taskMemcg = taskMemcg;
    if (found !== null && pid !== undefined)
      report.target = {
        pid,
        name: found[1] ?? '',
        ...(found[3] === undefined ? {} : { uid: Number(found[3]) }),
      };
    report.lines.constraint = this.#origin();
    this.#touch(report);
    if (twin === undefined && report.target !== undefined && pid !== undefined) {
      const kill: MutableKill = {
        line: this.#line,
        kind: 'oom-kill',
        victim: report.target,
        prefix: null,
        report,
      };
      report.kills.push(kill);
      this.#addKill(kill);
    }
    // Text without line ends: the kill may stand behind on the same line.
    const killedAt = text.search(/\bKilled process \d/);
    if (killedAt > at) this.#killedLine(text, killedAt);
    return true;
  }

  #killsOf(pid: number | undefined): readonly MutableKill[] {
    return this.#killsByPid.get(pid) ?? [];
  }

  #addKill(kill: MutableKill): void {
    this.#kills.push(kill);
    const others = this.#killsByPid.get(kill.victim.pid);
    if (others === undefined) this.#killsByPid.set(kill.victim.pid, [kill]);
    else others.push(kill);
  }

  /**
   * The same kill again: printed to the console and to syslog, quoted twice, read from kmsg and from the journal.
   * A pid that comes again with other figures or at another time is another process.
   */
  #sameKill(kill: MutableKill, victim: ProcessRole, text: string): boolean {
    if (kill.victim.pid !== victim.pid || victim.pid === undefined) return false;
    if (kill.victim.name !== victim.name && victim.name !== undefined) return false;
    if (kill.kind !== 'killed') {
      return kill.report?.kills.includes(kill) === true && this.#near(kill.line, 400);
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
    if (bare && text.length < 40 && !this.#near(kill.line, 40)) return false;
    return this.#sameTime(kill.line);
  }

  #sameTime(other: LogLine): boolean {
    const { when } = this.#line;
    if (when === undefined || other.when === undefined) return true;
    if (when.uptimeSeconds !== undefined && other.when.uptimeSeconds !== undefined)
      return Math.abs(when.uptimeSeconds - other.when.uptimeSeconds) < 2;
    if (when.wall !== undefined && other.when.wall !== undefined)
      return Math.abs(Date.parse(when.wall) - Date.parse(other.when.wall)) < 60_000;
    if (when.printed !== undefined && other.when.printed !== undefined)
      return when.printed.slice(0, -3) === other.when.printed.slice(0, -3);
    return true;
  }

  #near(other: LogLine, lines = 60): boolean {
    return this.#line.number - other.number <= lines && this.#sameTime(other);
  }

  // --- reports ---------------------------------------------------------------------------------

  /** Every other line of a report. */
  #reportLine(text: string): boolean {
    const invokedAt = text.indexOf('invoked oom-killer');
    if (invokedAt >= 0) {
      const after = text.slice(invokedAt + 'invoked oom-killer'.length).replace(/^:/, '');
      if (/gfp_mask=|order[=:]|^[:,]?\s*$/.test(after))
        return this.#header(text.slice(0, invokedAt), after);
    }
    if (text.startsWith('oom-killer: gfp_mask')) return this.#header('', text);
    if (
      /^(?:Tasks state \(memory values|\d+ pages (?:reserved|cma reserved|hwpoisoned))/.test(text)
    )
      this.#beforeTable = this.#line.number;
    const table = readTableHeader(text);
    if (table !== null) {
      const report = this.#body(({ table }) => table.columns === null);
      report.table.columns = table;
      // Nothing but the killer prints the table; a header alone may be quoted in a sentence.
      report.tableHead ||= this.#line.number - this.#beforeTable <= 3;
      this.#touch(report);
      return true;
    }
    const current = this.#current();
    if (text.startsWith('[') && current !== undefined) {
      if (readTaskRow(current.table, text)) {
        this.#touch(current);
        return true;
      }
    }
    return (
      this.#cgroupLine(text) ||
      this.#outcomeLine(text) ||
      (current !== undefined && this.#detail(current, text))
    );
  }

  #header(before: string, after: string): boolean {
    const report = this.#start();
    report.head = true;
    const name = triggerName(before);
    const adj = /oom(?:_score)?_adj=(-?\d+)/.exec(after)?.[1];
    report.trigger = {
      ...(name === '' ? {} : { name }),
      ...(adj === undefined ? {} : { oomScoreAdj: Number(adj) }),
    };
    const order = /order[=:]\s?(-?\d+)/.exec(after)?.[1];
    if (order !== undefined) report.order = Number(order);
    const mask = /gfp_mask=(0x[0-9a-f]+(?:\([A-Z_|]+\))?)/.exec(after)?.[1];
    if (mask !== undefined) report.gfpMask = mask;
    if (report.order === -1) report.variant = 'sysrq';
    report.lines.header = this.#origin();
    return true;
  }

  #cgroupLine(text: string): boolean {
    if (!cgroupWords.some((word) => text.includes(word))) return false;
    const killed = /Task in (\S+).*?(?:killed )?as a result of limit of (\S+)/.exec(text);
    if (killed !== null) {
      const report = this.#body((open) => open.lines.limitOf === undefined);
      report.constraint = 'memcg';
      report.taskMemcg = killed[1] ?? '';
      report.oomMemcg = killed[2] ?? '';
      report.lines.limitOf = this.#origin();
      this.#touch(report);
      return true;
    }
    // 3.15 to 3.19 broke this line in two.
    const half = /^Task in (\S+)\s*$/.exec(text);
    if (half !== null) {
      const report = this.#body((open) => open.lines.limitOf === undefined);
      report.constraint = 'memcg';
      report.taskMemcg = half[1] ?? '';
      this.#touch(report);
      return true;
    }
    const otherHalf = /^(?:killed )?as a result of limit of (\S+)/.exec(text);
    if (otherHalf !== null) {
      const report = this.#body((open) => open.lines.limitOf === undefined);
      report.constraint = 'memcg';
      report.oomMemcg = otherHalf[1] ?? '';
      report.lines.limitOf = this.#origin();
      this.#touch(report);
      return true;
    }
    const usage =
      /^(memory|memory\+swap|swap|kmem): usage (\d+)kB, limit (\d+)kB(?:, failcnt (\d+))?/.exec(
        text,
      );
    if (usage !== null) {
      const [, what, used, limit, failcnt] = usage;
      const report = this.#body((open) =>
        what === 'memory' ? open.usageBytes === undefined : open.kills.length === 0,
      );
      if (what === 'memory') {
        report.constraint ??= 'memcg';
        report.usageBytes = Number(used) * 1024;
        report.limitBytes = limitOf(limit);
        if (failcnt !== undefined) report.failcnt = Number(failcnt);
        report.lines.usage = this.#origin();
      } else if (what !== 'kmem') {
        report.swapUsageBytes = Number(used) * 1024;
        report.swapLimitBytes = limitOf(limit);
      } else report.statBytes['kmem_usage'] = Number(used) * 1024;
      this.#touch(report);
      return true;
    }
    const stats = /^Memory cgroup stats for (\S+?):?(?:\s|$)(.*)$/.exec(text);
    if (stats !== null) {
      const report = this.#body((open) => open.kills.length === 0);
      report.constraint ??= 'memcg';
      report.oomMemcg ??= stats[1]?.replace(/:$/, '') ?? '';
      for (const [, key = '', value] of (stats[2] ?? '').matchAll(/\b(\w{1,40}):(\d{1,15})KB/g))
        report.statBytes[key] ??= Number(value) * 1024;
      this.#touch(report);
      return true;
    }
    const group = /Tasks in (\S+) are going to be killed due to memory\.oom\.group set/.exec(text);
    if (group !== null) {
      const report = this.#current() ?? this.#start();
      report.groupOf = group[1] ?? '';
      report.constraint ??= 'memcg';
      report.lines.group = this.#origin();
      this.#touch(report);
      return true;
    }
    return false;
  }

  /** Lines that say that the killer killed nobody. */
  #outcomeLine(text: string): boolean {
    const why: KernelOomWithoutKill['why'] | null =
      /Kernel panic - not syncing: .*(?:panic_on_oom|out of memory|Out of memory)/.test(text)
        ? 'panic'
        : /deadlocked on memory/.test(text)
          ? 'deadlock'
          : /(?:Out of memory|[Mm]emory cgroup out of memory).*no killable process/i.test(text)
            ? 'no-killable-process'
            : /OOM victim \d+ \(.*\) is already exiting/.test(text)
              ? 'already-exiting'
              : null;
    if (why === null) return false;
    const report = this.#current() ?? this.#start();
    if (report.why === undefined || why === 'panic' || why === 'deadlock') report.why = why;
    report.panic ||= why === 'panic' || why === 'deadlock';
    report.lines.choice ??= this.#origin();
    this.#touch(report);
    return true;
  }

  /** Statistics, call trace and the trigger's line: only where a report is open. */
  #detail(report: Open, text: string): boolean {
    const cpu =
      /\bPID: (\d+) Comm: (.{1,64}?)\s{1,8}(?:Kdump: \S+ )?(?:Not tainted|Tainted:|G |$)/.exec(
        text,
      ) ?? /^Pid: (\d+), comm: (.+?)\s+(?:Not tainted|Tainted|xid|$)/.exec(text);
    if (cpu !== null && report.trigger?.pid === undefined) {
      const uid = /\bUID: (\d+) PID:/.exec(text)?.[1];
      report.trigger = {
        name: cpu[2] ?? '',
        ...report.trigger,
        pid: Number(cpu[1]),
        ...(uid === undefined ? {} : { uid: Number(uid) }),
      };
      this.#touch(report);
      return true;
    }
    const frame =
      /^(?:\[<[0-9a-f]+>\] )?(\? )?([A-Za-z_][\w.]*)\+0x[0-9a-f]+(?:\/0x[0-9a-f]+|$)/.exec(text);
    if (frame !== null) {
      if (report.trace.length < 64) report.trace.push(frame[2] ?? '');
      // `__mem_cgroup_try_charge` up to 3.19, `try_charge` after. What stands behind a `?` may be left from an earlier call.
      if (
        frame[1] === undefined &&
        /^mem_cgroup_(?:out_of_memory|oom_synchronize|handle_oom)|^_*(?:mem_cgroup_)?try_charge/.test(
          frame[2] ?? '',
        )
      )
        report.constraint ??= 'memcg';
      this.#touch(report);
      return true;
    }
    const pairs = [...text.matchAll(/(?:^|\s)([a-z]\w*) (\d+)(?=\s|$)/g)];
    if (
      pairs.length > 0 &&
      pairs.reduce((sum, [pair]) => sum + pair.length, 0) >= text.length - 8
    ) {
      for (const [, key = '', value] of pairs) report.statBytes[key] ??= Number(value);
      if (/\bshmem \d/.test(text)) report.lines.shmem ??= this.#origin();
      this.#touch(report);
      return true;
    }
    return this.#hostFigures(report, text);
  }

  #hostFigures(report: Open, text: string): boolean {
    const swap = /^(Free|Total) swap\s+= (\d+)kB/.exec(text);
    if (swap !== null) {
      report.hostBytes[swap[1] === 'Free' ? 'freeSwap' : 'totalSwap'] = Number(swap[2]) * 1024;
      return true;
    }
    const ram = /^(\d+) pages (RAM|reserved)/.exec(text);
    if (ram !== null) {
      report.hostPages[ram[2] === 'RAM' ? 'totalRam' : 'reserved'] = Number(ram[1]);
      return true;
    }
    const zone = /^Node \d+ \w+ free:(\d+)kB (?:boost:\d+kB )?min:(\d+)kB/.exec(text);
    if (zone !== null) {
      report.hostBytes['free'] = (report.hostBytes['free'] ?? 0) + Number(zone[1]) * 1024;
      report.hostBytes['min'] = (report.hostBytes['min'] ?? 0) + Number(zone[2]) * 1024;
      return true;
    }
    let any = false;
    for (const [, key = '', value] of text.matchAll(
      /\b(active_anon|inactive_anon|active_file|inactive_file|unevictable|slab_reclaimable|slab_unreclaimable|shmem|pagetables|free):(\d+)(?=\s|$)/g,
    )) {
      report.hostPages[key] ??= Number(value);
      any = true;
    }
    return any;
  }

  #setVariant(report: Open, text: string): void {
    if (text.includes('oom_kill_allocating_task')) report.variant = 'allocating-task';
    else if (/SysRq|sysrq/.test(text)) report.variant = 'sysrq';
  }

  // --- which report a line belongs to ----------------------------------------------------------

  #start(): Open {
    const report: Open = {
      stream: this.#line.stream,
      first: this.#line,
      last: this.#line,
      lastUptime: this.#line.when?.uptimeSeconds,
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
    this.#reports.push(report);
    return report;
  }

  #touch(report: Open): void {
    report.last = this.#line;
    report.lastUptime = this.#line.when?.uptimeSeconds ?? report.lastUptime;
  }

  /** Reports a line could still belong to, the likeliest first: same source, nearest in time, latest. */
  #candidates(): Open[] {
    const { stream, when } = this.#line;
    const uptime = when?.uptimeSeconds;
    const distance = (open: Open) =>
      uptime === undefined || open.lastUptime === undefined
        ? 0
        : Math.abs(uptime - open.lastUptime);
    const found: Open[] = [];
    const last = Math.max(0, this.#reports.length - mostCandidates);
    for (let index = this.#reports.length - 1; index >= last && found.length < 8; index -= 1) {
      const open = this.#reports[index];
      if (open === undefined) break;
      if (open.stream !== stream && !this.#sameHost(open.stream, stream)) continue;
      if (distance(open) > maxGapSeconds) continue;
      if (this.#line.number - open.last.last > 5000) break;
      found.push(open);
    }
    const exact = (open: Open) => (open.stream === stream ? 0 : 1);
    return found.sort((a, b) => exact(a) - exact(b) || Math.round(distance(a) - distance(b)));
  }

  /** Another thread's line (oom_reaper) may follow, another host's never. */
  #sameHost(a: string, b: string): boolean {
    return a.split('|')[0] === b.split('|')[0] && (a.endsWith('|') || b.endsWith('|'));
  }

  #current(): Open | undefined {
    return this.#candidates()[0];
  }

  /** The open report that still lacks this line; a new one where its head was cut off. */
  #body(lacks: (open: Open) => boolean): Open {
    const current = this.#current();
    if (current !== undefined && lacks(current) && !done(current)) return current;
    return this.#start();
  }

  /** The report whose kill this is going to be. */
  #openFor(pid: number | undefined): Open {
    const candidates = this.#candidates();
    const named = candidates.find(
      (open) =>
        pid !== undefined &&
        !done(open) &&
        (open.target?.pid === pid || open.chosen?.pid === pid || open.table.rows.has(pid)),
    );
    const current = named ?? candidates.find((open) => !done(open));
    return current ?? this.#start();
  }

  #reportOf(pid: number | undefined, prefix: OomConstraint | null): Open | null {
    const candidates = this.#candidates();
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

  // --- evidence --------------------------------------------------------------------------------

  #evidence(): Evidence[] {
    const facts: Evidence[] = [...this.#others];
    for (const report of this.#reports) {
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
        this.#addKill(kill);
      }
      if (report.kills.length === 0 && isReport(report)) facts.push(this.#withoutKill(report));
    }
    if (this.#kills.length === 0) this.#killsFromReaper();
    for (const kill of this.#kills) facts.push(this.#kill(kill));
    return facts.sort((a, b) => (a.origin.line ?? 0) - (b.origin.line ?? 0));
  }

  /** The reaper takes the memory of victims only (4.6 and later): where every kill line is missing, it names them. */
  #killsFromReaper(): void {
    for (const { line, victim } of this.#reaped) {
      if (this.#killsOf(victim.pid).length > 0) continue;
      this.#addKill({ line, kind: 'reaped', victim, prefix: null, report: null });
    }
  }

  #kill(kill: MutableKill): KernelOomKill {
    const { report } = kill;
    const row = kill.victim.pid === undefined ? undefined : report?.table.rows.get(kill.victim.pid);
    const pageSizeBytes = report === null ? undefined : pageSizeOf(kill.victim, row?.totalVmPages);
    const told = report === null ? null : this.#report(report, pageSizeBytes);
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
      origin: this.#origin(kill.line),
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

  #withoutKill(report: Open): KernelOomWithoutKill {
    const anchor =
      report.lines.header ?? report.lines.limitOf ?? report.lines.usage ?? report.lines.choice;
    return {
      kind: 'kernel-oom-without-kill',
      origin: anchor ?? this.#origin(report.first),
      ...defined({ when: report.first.when }),
      constraint: report.constraint ?? null,
      report: this.#report(report, undefined),
      ...defined({ oomMemcg: report.oomMemcg }),
      why: report.why ?? 'no-kill-line',
    };
  }

  #report(open: Open, pageSizeBytes: number | undefined): OomReport {
    const hostBytes: Record<string, number> = { ...open.hostBytes };
    if (pageSizeBytes !== undefined)
      for (const [key, pages] of Object.entries(open.hostPages))
        hostBytes[key] ??= pages * pageSizeBytes;
    const chosen = open.chosen;
    // v1 prints the limit among its statistics too.
    const hierarchical = open.statBytes['hierarchical_memory_limit'];
    if (open.limitBytes === undefined && hierarchical !== undefined && hierarchical < 2 ** 60)
      open.limitBytes = hierarchical;
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

  #origin(line: LogLine = this.#line): Origin {
    const place = line.last === line.number ? `${line.number}` : `${line.number}-${line.last}`;
    return {
      source: id,
      place: `${this.#input.name}:${place}`,
      line: line.number,
      quote: quoteOf(line.raw),
    };
  }

  #when(): Pick<KernelNotice, 'when'> {
    const { when } = this.#line;
    return when === undefined ? {} : { when };
  }
}

/** Long lines (flattened text, JSON records) are quoted around what they prove. */
function quoteOf(raw: string): string {
  const trimmed = raw.replace(/(?:#012|\\n)$/, '').trim();
  if (trimmed.length <= 600) return trimmed;
  const at = Math.max(
    0,
    trimmed.search(/[Kk]ill(?:ed)? process|oom-kill:|invoked oom-killer|as a result of limit/) - 60,
  );
  return trimmed.slice(at, at + 600);
}

const done = (open: Open): boolean =>
  open.kills.some(({ kind }) => kind === 'killed') || open.panic;

/** Enough to say that the killer ran; a lone table header or a stray statistic is not. */
const isReport = (open: Open): boolean =>
  open.head ||
  open.why !== undefined ||
  open.lines.limitOf !== undefined ||
  open.lines.usage !== undefined ||
  open.lines.constraint !== undefined ||
  open.tableHead ||
  open.table.rows.size > 2;

function prefixConstraint(before: string): OomConstraint | null {
  if (/[Mm]emory cgroup out of memory/.test(before)) return 'memcg';
  // OpenVZ's 2.6.32: the container's user beancounter is what a cgroup is elsewhere.
  if (/[Oo]ut of memory in UB \d/.test(before)) return 'memcg';
  if (/No available memory in cpuset/.test(before)) return 'cpuset';
  if (/No available memory/.test(before)) return 'memory-policy';
  if (/out of memory/i.test(before)) return 'none';
  return null;
}

function constraintOf(word: string | undefined): OomConstraint | null {
  switch (word) {
    case 'NONE':
      return 'none';
    case 'MEMCG':
      return 'memcg';
    case 'CPUSET':
      return 'cpuset';
    case 'MEMORY_POLICY':
      return 'memory-policy';
    default:
      return null;
  }
}

/** `9007199254740988kB` and its kin mean: no limit. */
const limitOf = (kib: string | undefined): number | null =>
  kib === undefined || Number(kib) > 2 ** 52 ? null : Number(kib) * 1024;

/** The kernel's name has 15 characters at most: what an unknown prefix left in front is cut off. */
function triggerName(before: string): string {
  const name = before.trim();
  if (name.length <= 15) return name;
  const tail = name.slice(-15);
  const space = tail.indexOf(' ');
  return space < 0 ? tail : tail.slice(space + 1);
}

/**
 * `Killed process 123 (name) total-vm:1kB, anon-rss:1kB, …` and its forms: `123, UID 500, (name)` (RHEL 6),
 * `123 (name), UID 0, total-vm:` (RHEL 7), `vsz:` and no figures at all (2.6), no pid.
 */
function killedVictim(text: string): ProcessRole | null {
  const head = /^[Kk]illed process (?:(\d+)\b)?(?:,? UID (\d+),)?\s*/.exec(text);
  if (head === null) return null;
  const rest = text.slice(head[0].length);
  const name =
    /^\((.*)\),?\s+(?:UID:? ?\d+,?\s+)?(?:total-vm|vsz|anon-rss):/.exec(rest)?.[1] ??
    /^\((.{0,40}?)\)(?=[\s,.;:"'\\]|$)/.exec(rest)?.[1];
  if (name === undefined && head[1] === undefined) return null;
  const kib = (key: string): number | undefined => {
    const value = new RegExp(`\\b${key}: ?(\\d+) ?[kK][bB]`).exec(rest)?.[1];
    return value === undefined ? undefined : Number(value) * 1024;
  };
  const uid = head[2] ?? /\bUID:? ?(\d+)/.exec(rest)?.[1];
  const adj = /oom_score_adj: ?(-?\d+)/.exec(rest)?.[1];
  const fields = {
    pid: head[1] === undefined ? undefined : Number(head[1]),
    name: name?.slice(0, 64),
    uid: uid === undefined ? undefined : Number(uid),
    totalVmBytes: kib('total-vm') ?? kib('vsz'),
    anonRssBytes: kib('anon-rss'),
    fileRssBytes: kib('file-rss'),
    shmemRssBytes: kib('shmem-rss'),
    oomScoreAdj: adj === undefined ? undefined : Number(adj),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

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
