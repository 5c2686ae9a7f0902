import { nameWithPid } from '../../model/name-with-pid.ts';
import type { ProcessExit } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { defineRule, reason } from '../shared/define-rule.ts';
import { subjectOf, victimOf } from '../shared/recorded.ts';

/** Programs that kill for memory: their kill is theirs to explain. */
const oomDaemons = /^(?:earlyoom|nohang|systemd-oomd|oomd|below|kubelet)/;

/** A process sent the deadly signal, and a tracepoint saw which: not the kernel, whatever the counters say. */
export const signalTrace = defineRule({
  id: 'signal-trace',
  title: 'A tracepoint saw which process sent the signal',
  needs: ['process-exit'],
  judge: (facts) =>
    facts['process-exit'].flatMap((exit): readonly Finding[] => {
      const { sender, signal } = exit;
      if (sender === undefined || sender.kernel || sender.pid === exit.pid) return [];
      // Guards ask first: SIGTERM of one of them is a kill, of anybody else a normal stop.
      if (oomDaemons.test(sender.name) && (signal === 'SIGKILL' || signal === 'SIGTERM'))
        return [guard(exit, sender.name, signal)];
      return signal === 'SIGKILL' ? [other(exit, sender)] : [];
    }),
});

const other = (exit: ProcessExit, { pid, name }: NonNullable<ProcessExit['sender']>): Finding => ({
  subject: subjectOf(exit),
  cause: 'not-memory',
  variant: 'killed-by-process',
  confidence: 'certain',
  headline: `${nameWithPid(exit)} was killed by ${nameWithPid({ name, pid })}: not by the kernel`,
  because: [reason(exit, `a tracepoint saw ${nameWithPid({ name, pid })} send SIGKILL to it`)],
  ruledOut: [
    { cause: 'kernel-cgroup-oom', because: 'the kernel did not send the signal' },
    { cause: 'kernel-global-oom', because: 'the kernel did not send the signal' },
  ],
  killer: { name, pid },
  victim: victimOf(exit),
});

const guard = (exit: ProcessExit, name: string, signal: string): Finding => ({
  subject: subjectOf(exit),
  cause: 'userspace-oom-daemon',
  confidence: 'strong',
  headline: `${name} killed ${nameWithPid(exit)}`,
  because: [reason(exit, `a tracepoint saw ${name} send ${signal} to it`)],
  killer: { name, ...(exit.sender === undefined ? {} : { pid: exit.sender.pid }) },
  victim: victimOf(exit),
});
