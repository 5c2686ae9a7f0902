/** The kernel log of a run: copied while it runs, and asked for elsewhere where it may not be read. */
import { askForKernelLog, followKernelLog, type KernelLogFollower } from '../machine/kernel-log.ts';
import { recorderRoots } from '../machine/roots.ts';
import { defined } from '../model/defined.ts';
import { nameWithPid } from '../model/name-with-pid.ts';
import type { Ending } from './launch.ts';
import { sayKill, type Notices } from './notices.ts';
import { clockOf, rememberName, writeEvent, type Run } from './run.ts';

const budgetBytes = 8 * 2 ** 20;
/** Lines of the kernel that deserve a verdict although the command ends well: a worker killed, memory refused. A group is the pid. */
const tellingLine =
  /Killed process (\d+)|__vm_enough_memory: pid: (\d+)|\[(\d+)\](?:: segfault at| trap)|\((\d+)\): VmData/;
/** Since 5.0, just before the kill: the victim's own cgroup, name and pid. */
const victimLine = /\boom-kill:.*,task_memcg=([^,]*),task=(.*),pid=(\d+),uid=\d+/;
const killLine = /Killed process (\d+)(?:, UID \d+,)? \((.*?)\)(?: total-vm|,|$)/;

/** Opens the kernel log before the command starts. Reading it never blocks. */
export const tapKernelLog = ({ roots, startedUptimeSeconds }: Run): KernelLogFollower =>
  followKernelLog(roots.kernelLog, startedUptimeSeconds);

/** Reads over what is older than the run, in pieces that do not hold up the samples. */
export function skipOldRecords(run: Run, log: KernelLogFollower): void {
  if (!run.hasEnded && log.skipOld(300)) setTimeout(() => skipOldRecords(run, log), 3);
}

/** Copies at most `most` new records into the incident folder, and notices what they say of the run. */
export function readKernelLog(
  run: Run,
  notices: Notices,
  log: KernelLogFollower,
  most: number,
): void {
  const { writer } = run;
  for (const { raw, text } of log.read(most)) {
    if (writer.size('kernel.log') < budgetBytes) writer.append('kernel.log', `${raw}\n`);
    rememberVictim(run, text);
    run.isNotable ||= tellsOfRun(run, text);
    noticeKill(run, notices, text);
  }
}

/** In another pid namespace than the kernel log's its pids mean nothing: there every telling line counts. */
function tellsOfRun({ start, names }: Run, text: string): boolean {
  const groups = tellingLine.exec(text)?.slice(1);
  const pid = groups?.find((group) => group !== undefined);
  return pid !== undefined && (start.initialPidNamespace === false || names.has(Number(pid)));
}

/**
 * A process may fill its limit and die before any sample has seen it. What was killed in a cgroup of the run's, and started after the
 * recorder, counts as the run's own: the verdict takes it so too.
 */
function rememberVictim(run: Run, record: string): void {
  const [, path, name, digits] = victimLine.exec(record) ?? [];
  const pid = Number(digits);
  if (name === undefined || run.names.has(pid) || run.start.initialPidNamespace === false) return;
  const isOfRun = run.cgroups.all.some(({ leaf, place }) => leaf && place.path === path);
  if (isOfRun && path !== '/' && pid > run.start.recorderPid) rememberName(run, pid, name);
}

function noticeKill(run: Run, notices: Notices, record: string): void {
  const pid = Number(killLine.exec(record)?.[1]);
  const name = run.names.get(pid);
  if (name === undefined) return;
  const why = record.includes('emory cgroup out of memory')
    ? 'its cgroup reached its memory limit'
    : 'out of memory';
  const text = `the kernel killed ${nameWithPid({ name, pid })}: ${why}`;
  writeEvent(run, { what: 'kill', atMs: clockOf(run), pid, text });
  sayKill(run, notices, pid, text);
}

/** Closes the log and writes down how it could be read. Where it could not, and a signal ended the command, other programs are asked. */
export async function finishKernelLog(
  run: Run,
  log: KernelLogFollower,
  ending: Ending,
): Promise<void> {
  const place = run.roots.kernelLog;
  const source = { what: 'source', id: 'kernel-log' } as const;
  if (log.status === 'read') {
    const status = log.lost() ? 'truncated' : 'read';
    writeEvent(run, { ...source, atMs: clockOf(run), place, status });
    log.close();
    return;
  }
  // To ask another program takes time: only a death is worth it.
  const other =
    place === recorderRoots.kernelLog && ending.signal !== null
      ? await askForKernelLog(run.startedWallMs / 1000, run.startedUptimeSeconds)
      : null;
  if (other !== null) {
    for (const line of other.lines) run.writer.append('kernel.log', `${line}\n`);
    writeEvent(run, { ...source, atMs: clockOf(run), place: other.place, status: 'read' });
    return;
  }
  writeEvent(run, {
    ...source,
    atMs: clockOf(run),
    place,
    status: log.status,
    ...defined({ detail: log.detail }),
    command: 'sudo dmesg -T | grep -iE "killed process|out of memory"',
  });
}
