/** The lines of a report around its kill: head, cgroup, statistics, table of tasks, outcome. */
import type { KernelOomWithoutKill } from '../../../model/evidence.ts';
import type { KernelLog, Open } from './log.ts';
import { emptyTable, readTableHeader, readTaskRow } from './tasks.ts';
import { limitOf, triggerName } from './words.ts';

const cgroupWords = ['limit of', 'Task in ', ': usage', 'Memory cgroup stats', 'memory.oom.group'];

/** Every other line of a report. */
export function reportLine(log: KernelLog, text: string): boolean {
  const invokedAt = text.indexOf('invoked oom-killer');
  if (invokedAt >= 0) {
    const after = text.slice(invokedAt + 'invoked oom-killer'.length).replace(/^:/, '');
    if (/gfp_mask=|order[=:]|^[:,]?\s*$/.test(after))
      return header(log, text.slice(0, invokedAt), after);
  }
  if (text.startsWith('oom-killer: gfp_mask')) return header(log, '', text);
  if (/^(?:Tasks state \(memory values|\d+ pages (?:reserved|cma reserved|hwpoisoned))/.test(text))
    log.beforeTable = log.line.number;
  const table = readTableHeader(text);
  if (table !== null) {
    const report = log.body(({ table }) => table.columns === null);
    report.table.columns = table;
    // Nothing but the killer prints the table; a header alone may be quoted in a sentence.
    report.tableHead ||= log.line.number - log.beforeTable <= 3;
    log.touch(report);
    return true;
  }
  const current = log.current() ?? killerInTrace(log, text) ?? rowsAlone(log, text);
  if (text.startsWith('[') && current !== undefined) {
    if (readTaskRow(current.table, text)) {
      log.touch(current);
      return true;
    }
  }
  return (
    cgroupLine(log, text) ||
    outcomeLine(log, text) ||
    (current !== undefined && detail(log, current, text))
  );
}

/** A report whose head is cut off: nothing but the killer at work calls this function. */
export const killersFrame = 'oom_kill_process';
function killerInTrace(log: KernelLog, text: string): Open | undefined {
  return text.includes(killersFrame) &&
    new RegExp(
      // 32-bit ARM writes the caller's offset alone: `name from caller+0x1c/0x40`, up to 5.x `[<c01>] (name) from [<c02>] (caller+0x1c/0x40)`.
      String.raw`^(?:\[<[0-9a-f]+>\] )?\(?${killersFrame}(?:\.\w{1,20}){0,3}(?:\+0x[0-9a-f]|\)? from )`,
    ).test(text)
    ? log.start()
    : undefined;
}

/** So many rows one below the other are the table of tasks; fewer may be anything in brackets. */
const leastRows = 3;

/** Rows whose header, and everything before, is cut off: their columns are told by their number. */
function rowsAlone(log: KernelLog, text: string): Open | undefined {
  const row = text.startsWith('[') ? emptyTable() : undefined;
  if (row === undefined || !readTaskRow(row, text)) {
    log.looseRows.length = 0;
    return undefined;
  }
  log.looseRows.push(text);
  if (log.looseRows.length < leastRows) return undefined;
  const report = log.start();
  for (const earlier of log.looseRows.splice(0)) readTaskRow(report.table, earlier);
  return report;
}

function header(log: KernelLog, before: string, after: string): boolean {
  const report = log.start();
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
  report.lines.header = log.origin();
  return true;
}

function cgroupLine(log: KernelLog, text: string): boolean {
  return (
    cgroupWords.some((word) => text.includes(word)) &&
    (limitOfLine(log, text) || usageLine(log, text) || statsLine(log, text) || groupLine(log, text))
  );
}

/** `Task in /job killed as a result of limit of /job`, which 3.15 to 3.19 broke in two. */
function limitOfLine(log: KernelLog, text: string): boolean {
  const whole = /Task in (\S+).*?(?:killed )?as a result of limit of (\S+)/.exec(text);
  const task = whole?.[1] ?? /^Task in (\S+)\s*$/.exec(text)?.[1];
  const owner = whole?.[2] ?? /^(?:killed )?as a result of limit of (\S+)/.exec(text)?.[1];
  if (task === undefined && owner === undefined) return false;
  const report = log.body((open) => open.lines.limitOf === undefined);
  report.constraint = 'memcg';
  if (task !== undefined) report.taskMemcg = task;
  if (owner !== undefined) {
    report.oomMemcg = owner;
    report.lines.limitOf = log.origin();
  }
  log.touch(report);
  return true;
}

/** `memory: usage 1kB, limit 1kB, failcnt 1`, and the same of swap and of the kernel's memory. */
function usageLine(log: KernelLog, text: string): boolean {
  const usage =
    /^(memory|memory\+swap|swap|kmem): usage (\d+)kB, limit (\d+)kB(?:, failcnt (\d+))?/.exec(text);
  if (usage === null) return false;
  const [, what, used, limit, failcnt] = usage;
  const report = log.body((open) =>
    what === 'memory' ? open.usageBytes === undefined : open.kills.length === 0,
  );
  if (what === 'memory') {
    report.constraint ??= 'memcg';
    report.usageBytes = Number(used) * 1024;
    report.limitBytes = limitOf(limit);
    if (failcnt !== undefined) report.failcnt = Number(failcnt);
    report.lines.usage = log.origin();
  } else if (what !== 'kmem') {
    report.swapUsageBytes = Number(used) * 1024;
    report.swapLimitBytes = limitOf(limit);
  } else report.statBytes['kmem_usage'] = Number(used) * 1024;
  log.touch(report);
  return true;
}

function statsLine(log: KernelLog, text: string): boolean {
  const stats = /^Memory cgroup stats for (\S+?):?(?:\s|$)(.*)$/.exec(text);
  if (stats === null) return false;
  const report = log.body((open) => open.kills.length === 0);
  report.constraint ??= 'memcg';
  report.oomMemcg ??= stats[1]?.replace(/:$/, '') ?? '';
  for (const [, key = '', value] of (stats[2] ?? '').matchAll(/\b(\w{1,40}):(\d{1,15})KB/g))
    report.statBytes[key] ??= Number(value) * 1024;
  log.touch(report);
  return true;
}

function groupLine(log: KernelLog, text: string): boolean {
  const group = /Tasks in (\S+) are going to be killed due to memory\.oom\.group set/.exec(text);
  if (group === null) return false;
  const report = log.current() ?? log.start();
  report.groupOf = group[1] ?? '';
  report.constraint ??= 'memcg';
  report.lines.group = log.origin();
  log.touch(report);
  return true;
}

/** Lines that say that the killer killed nobody. */
function outcomeLine(log: KernelLog, text: string): boolean {
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
  const report = log.current() ?? log.start();
  if (report.why === undefined || why === 'panic' || why === 'deadlock') report.why = why;
  report.panic ||= why === 'panic' || why === 'deadlock';
  report.lines.choice ??= log.origin();
  log.touch(report);
  return true;
}

/** Statistics, call trace and the trigger's line: only where a report is open. */
function detail(log: KernelLog, report: Open, text: string): boolean {
  if (triggerLine(report, text) || frameLine(report, text) || figuresLine(log, report, text)) {
    log.touch(report);
    return true;
  }
  return hostFigures(report, text);
}

/** `CPU: 1 PID: 7 Comm: python3 Not tainted …`: who asked for the memory that was not there. */
function triggerLine(report: Open, text: string): boolean {
  const cpu =
    /\bPID: (\d+) Comm: (.{1,64}?)\s{1,8}(?:Kdump: \S+ )?(?:Not tainted|Tainted:|G |$)/.exec(
      text,
    ) ?? /^Pid: (\d+), comm: (.+?)\s+(?:Not tainted|Tainted|xid|$)/.exec(text);
  if (cpu === null || report.trigger?.pid !== undefined) return false;
  const uid = /\bUID: (\d+) PID:/.exec(text)?.[1];
  report.trigger = {
    name: cpu[2] ?? '',
    ...report.trigger,
    pid: Number(cpu[1]),
    ...(uid === undefined ? {} : { uid: Number(uid) }),
  };
  return true;
}

function frameLine(report: Open, text: string): boolean {
  const frame =
    /^(?:\[<[0-9a-f]+>\] )?(\? )?\(?([A-Za-z_][\w.]*)(?:\+0x[0-9a-f]+(?:\/0x[0-9a-f]+|$)|\)? from (?:\[<[0-9a-f]+>\] )?\(?[A-Za-z_])/.exec(
      text,
    );
  if (frame === null) return false;
  const [, doubtful, name = ''] = frame;
  if (report.trace.length < 64) report.trace.push(name);
  // `__mem_cgroup_try_charge` up to 3.19, `try_charge` after. What stands behind a `?` may be left from an earlier call.
  if (
    doubtful === undefined &&
    /^mem_cgroup_(?:out_of_memory|oom_synchronize|handle_oom)|^_*(?:mem_cgroup_)?try_charge/.test(
      name,
    )
  )
    report.constraint ??= 'memcg';
  // The page allocator asked, not a cgroup's charge.
  if (
    doubtful === undefined &&
    name.startsWith('__alloc_pages') &&
    report.trace.some((one) => one.startsWith(killersFrame))
  )
    report.constraint ??= 'none';
  return true;
}

/** `anon 104857600`: lines of nothing but names and numbers. */
function figuresLine(log: KernelLog, report: Open, text: string): boolean {
  const pairs = [...text.matchAll(/(?:^|\s)([a-z]\w*) (\d+)(?=\s|$)/g)];
  if (pairs.length === 0 || pairs.reduce((sum, [pair]) => sum + pair.length, 0) < text.length - 8)
    return false;
  for (const [, key = '', value] of pairs) report.statBytes[key] ??= Number(value);
  if (/\bshmem \d/.test(text)) report.lines.shmem ??= log.origin();
  return true;
}

function hostFigures(report: Open, text: string): boolean {
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
