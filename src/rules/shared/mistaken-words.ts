/** Words that are mistaken for a lack of memory, and what ran out instead. */
import type { ProgramAbort, ProgramError } from '../../model/evidence.ts';
import type { Finding } from '../../model/finding.ts';
import { reason } from './define-rule.ts';
import { atUsersLine, subjectOf } from './subjects.ts';

/** Resources whose shortage is mistaken for one of memory. */
export const others: Partial<
  Record<
    ProgramError['resource'],
    { readonly what: string; readonly remedy: string; readonly command: string | null }
  >
> = {
  disk: {
    what: 'the disk was full',
    remedy: 'Free space, or write elsewhere; a full /tmp counts too.',
    command: 'df -h; df -i',
  },
  descriptors: {
    what: 'too many files were open or watched',
    remedy: 'Close what is no longer used; raise ulimit -n or fs.inotify.max_user_watches.',
    command: 'ulimit -n; ls /proc/PID/fd | wc -l',
  },
  threads: {
    what: 'no thread or process could be started',
    remedy:
      'Fewer threads (OPENBLAS_NUM_THREADS=1, OMP_NUM_THREADS=1) or a higher ulimit -u / pids.max. A finite ulimit -v stops threads as well: each reserves its stack.',
    command: 'ulimit -u -v; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids.events',
  },
  stack: {
    what: 'calls were nested too deeply',
    remedy:
      'Turn the recursion into a loop, or end it: raising the recursion limit trades the exception for a crash.',
    command: null,
  },
  none: {
    what: 'the words only sound like memory',
    remedy: 'See what the words really mean.',
    command: null,
  },
};

export function mistaken(fact: ProgramError | ProgramAbort, again: number): Finding {
  const other = others[fact.resource]!;
  const means = fact.actualMeaning ?? other.what;
  const who = fact.kind === 'program-error' ? fact.type.split('.').at(-1)! : fact.reporter;
  return {
    subject: subjectOf(fact, fact),
    cause: 'not-memory',
    variant: fact.variant ?? fact.resource,
    confidence: 'strong',
    headline: `Not memory${atUsersLine(fact.stack)}: ${means}`,
    because: [reason(fact, `${who}: ${other.what}${again === 0 ? '' : ` (${again + 1} times)`}`)],
    ruledOut: [{ cause: 'alloc-failure-exception', because: means }],
    ...(fact.stack.length === 0 ? {} : { stack: fact.stack }),
    ...(fact.pid === undefined ? {} : { victim: { pid: fact.pid } }),
    remedies: [{ title: 'What helps', detail: other.remedy, command: other.command }],
  };
}
