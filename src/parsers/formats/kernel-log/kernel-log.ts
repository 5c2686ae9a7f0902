import type { Evidence } from '../../../model/evidence.ts';
import { logLines } from '../../text/log-lines.ts';
import type { Input, Parser } from '../../parser.ts';
import { killLine } from './kill-lines.ts';
import { KernelLog } from './log.ts';
import { memoryInfo, memoryInfoLiterals } from './memory-info.ts';
import { kernelNotice } from './notices.ts';
import { killersFrame, reportLine } from './report-lines.ts';
import { evidence } from './reports.ts';

const id = 'kernel-log';

/**
 * The kernel's log, of every kernel from 2.6 on, in every prefix.
 * A kill is proved by its `Killed process` line or by its
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
    killersFrame,
    ...memoryInfoLiterals,
    // Between the last two figures of a row of the table of tasks, where nothing but rows is left of a report.
    '             0 ',
  ],
  parse: (input) => read(input),
};

function read(input: Input): Evidence[] {
  const log = new KernelLog(id, input.name);
  for (const line of logLines(input)) {
    log.line = line;
    readLine(log, line.text);
  }
  const facts = evidence(log);
  return facts.length > 0 ? facts : memoryInfo(log, input);
}

function readLine(log: KernelLog, text: string): void {
  if (text === '') return;
  if (killLine(log, text)) return;
  if (reportLine(log, text)) return;
  const reaped = /oom_reaper: reaped process (\d+) \((.*)\)/.exec(text);
  if (reaped !== null)
    log.reaped.push({
      line: log.line,
      victim: { pid: Number(reaped[1]), name: reaped[2] ?? '' },
    });
  const notice = kernelNotice(text);
  if (notice !== null)
    log.others.push({ ...notice, origin: log.origin(), ...log.when() } as Evidence);
}
