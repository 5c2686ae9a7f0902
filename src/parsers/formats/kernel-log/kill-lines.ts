/** The lines that name who is killed. */
import type { KernelLog, MutableKill, Open } from './log.ts';
import { constraintOf, killedVictim, prefixConstraint } from './words.ts';

/** `Killed process`, `oom-kill:`, `Kill process … or sacrifice child`. */
export function killLine(log: KernelLog, text: string): boolean {
  if (/oom-kill:\s?constraint=/.test(text)) return constraintLine(log, text);
  if (!text.includes('ill')) return false;
  // 2.4 and 2.6, where a page fault found no page: the name is all there is.
  const fault = /(?:^|\s)VM: killing process (\S.{0,14}?)\s*$/.exec(text);
  if (fault !== null) {
    const victim = { name: fault[1] ?? '' };
    log.addKill({ line: log.line, kind: 'killed', victim, prefix: 'none', report: null });
    return true;
  }
  const choiceAt = text.search(/\b[Kk]ill process \d/);
  const killedAt = text.search(/\b[Kk]illed process (?:\d|\()/);
  if (choiceAt < 0 && killedAt < 0) return false;
  // Joined by node-problem-detector, or by a copy that lost its line ends.
  if (choiceAt >= 0) choiceLine(log, killedAt > choiceAt ? text.slice(0, killedAt) : text);
  if (killedAt >= 0) killedLine(log, text, killedAt);
  return true;
}

function choiceLine(log: KernelLog, text: string): void {
  const match = /[Kk]ill process (\d+) \((.*)\)(?:,? score (-?\d+)| or |$)/.exec(text);
  if (match === null) return;
  const report = log.openFor(Number(match[1]));
  report.chosen = { pid: Number(match[1]), name: match[2] ?? '' };
  report.chosenLine = log.line;
  report.lines.choice = log.origin();
  report.constraint ??= prefixConstraint(text) ?? undefined!;
  if (report.constraint === undefined) delete (report as Partial<Open>).constraint;
  log.setVariant(report, text);
  log.touch(report);
}

function killedLine(log: KernelLog, text: string, at: number): void {
  const victim = killedVictim(text.slice(at));
  if (victim === null) return;
  const prefix = prefixConstraint(text.slice(0, at));
  const twin = log.killsOf(victim.pid).find((kill) => log.sameKill(kill, victim, text.slice(at)));
  if (twin !== undefined) {
    if (twin.kind !== 'killed')
      Object.assign(twin, {
        kind: 'killed',
        line: log.line,
        victim: { ...twin.victim, ...victim },
      });
    twin.prefix ??= prefix;
    return;
  }
  const report = log.reportOf(victim.pid, prefix);
  const kill: MutableKill = { line: log.line, kind: 'killed', victim, prefix, report };
  if (report !== null) {
    if (report.groupOf !== undefined && report.kills.length > 0) kill.variant = 'group-kill';
    log.setVariant(report, text);
    report.kills.push(kill);
    log.touch(report);
  }
  log.addKill(kill);
}

/** `oom-kill:constraint=…,oom_memcg=…,task_memcg=…,task=…,pid=…,uid=…` (5.0 and later). */
function constraintLine(log: KernelLog, text: string): boolean {
  const at = text.indexOf('oom-kill:');
  const body = text.slice(at);
  const target = targetOf(body);
  const known = target === undefined ? [] : log.killsOf(target.pid);
  if (known.some((kill) => isRepeated(log, kill, body))) return true;
  const twin = known.findLast(
    (kill) => kill.report?.lines.constraint === undefined && log.near(kill.line),
  );
  const report = twin?.report ?? log.openFor(target?.pid);
  if (twin !== undefined && twin.report === null) {
    twin.report = report;
    report.kills.push(twin);
  }
  const constraint = constraintOf(/constraint=(?:CONSTRAINT_)?(\w+)/.exec(body)?.[1]);
  if (constraint !== null) report.constraint = constraint;
  const oomMemcg = /\boom_?memcg=(.*?),\s*task_?memcg=/.exec(body)?.[1];
  const taskMemcg = /\btask_?memcg=(.*?),\s*task=/.exec(body)?.[1];
  if (oomMemcg !== undefined) report.oomMemcg = oomMemcg;
  if (taskMemcg !== undefined) report.taskMemcg = taskMemcg;
  if (target !== undefined) report.target = target;
  report.lines.constraint = log.origin();
  log.touch(report);
  if (twin === undefined && target !== undefined) {
    const kill: MutableKill = {
      line: log.line,
      kind: 'oom-kill',
      victim: target,
      prefix: null,
      report,
    };
    report.kills.push(kill);
    log.addKill(kill);
  }
  // Text without line ends: the kill may stand behind on the same line.
  const killedAt = text.search(/\bKilled process \d/);
  if (killedAt > at) killedLine(log, text, killedAt);
  return true;
}

/** The victim that an `oom-kill:` line names; a name may hold commas, and text without line ends a second victim. */
function targetOf(body: string): { pid: number; name: string; uid?: number } | undefined {
  const found =
    /\btask=(.*),\s*pid=(\d+)(?:,\s*uid=(\d+))?/.exec(body.split(/\bKilled process/)[0] ?? body) ??
    /\btask=(.*?),\s*pid=(\d+)(?:,\s*uid=(\d+))?/.exec(body);
  if (found === null) return undefined;
  const [, name = '', pid, uid] = found;
  return { pid: Number(pid), name, ...(uid === undefined ? {} : { uid: Number(uid) }) };
}

/** The same `oom-kill:` line again: a log given twice, or printed to two places. */
const isRepeated = (log: KernelLog, { report, victim, line }: MutableKill, body: string): boolean =>
  report?.lines.constraint !== undefined &&
  report.target?.pid === victim.pid &&
  report.lines.constraint.quote?.includes(body.slice(0, 400)) === true &&
  log.sameTime(line);
