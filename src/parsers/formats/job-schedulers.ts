/** Batch systems that end jobs at their memory limit: Slurm, PBS, LSF, SGE, HTCondor, YARN, Flux, Cobalt, OAR; and at their time limit. */
import { defined } from '../../model/defined.ts';
import type { Bytes } from '../../model/units.ts';
import type { DeathNotice, Evidence, KillerRecord } from '../../model/evidence.ts';
import type { Input, Line, Parser } from '../parser.ts';
import {
  elsewhere,
  lineAt,
  maxPasted,
  mentions,
  originOf,
  wholeText,
  type Found,
} from '../text/lines.ts';
import { readKillers, type KillerWording } from '../text/killers.ts';
import { readNotices, type NoticeWording } from '../text/notices.ts';
import { integer, sizeBytes } from '../text/sizes.ts';

const id = 'job-schedulers';
const job = { cause: 'job-scheduler-limit', owner: 'scheduler' } as const;

const kills: readonly KillerWording[] = [
  // Slurm
  {
    ...job,
    reporter: 'slurm',
    literal: 'State: O',
    pattern: /State: (?:OUT_OF_MEMORY|Out of memory) \(exit code .{1,20}\)/,
    message: 'seff tells that the job was out of memory',
    // `Memory Efficiency: 99.94% of 16.00 GB`
    refine: figuresElsewhere({
      limit: /Memory Efficiency: [\d.]{1,8}% of ([\d.]{1,12} [KMGT]B)/,
      used: /Memory Utilized: ([\d.]{1,12} [KMGT]B)/,
    }),
  },
  {
    ...job,
    reporter: 'slurm',
    literal: 'Detected ',
    pattern:
      /Detected \d{1,9} oom[-_ ]kill event(?:\(s\)|s)? in (?:[Ss]tep[Ii]d ?= ?|[Ss]tep )(?<subject>[\w.+[\]-]{1,60}?)(?: cgroup)?\./,
    message: 'slurmstepd counted OOM kills in the cgroup of the step',
  },
  {
    ...job,
    reporter: 'slurm',
    literal: 'memory limit',
    pattern:
      /(?:slurmstepd: )?(?:error: )?(?:Step|Job) (?<subject>[\d._a-z]{1,40}) exceeded (?:virtual )?memory limit \((?<used>\d{1,16}) > (?<limit>\d{1,16})\)(?:, being killed)?/,
    message: 'Slurm polled the memory of the job above its limit and killed it',
    refine: kilobytes,
  },
  {
    ...job,
    reporter: 'slurm',
    // Up to 17.11: written where the counter of failed charges was not 0, which page cache that was given back makes it too.
    literal: 'memory limit at some point',
    sourceKind: 'indirect',
    pattern: /(?:error: )?Exceeded (?:step|job|virtual)? ?memory limit at some point/,
    message: 'Slurm tells that the job was at its memory limit at some point',
  },
  {
    ...job,
    reporter: 'slurm',
    literal: 'OUT_OF_ME',
    // One row is one line: the exit code `0:125` of the row before is no job.
    span: 1,
    pattern:
      /(?:^|[\s|])(?<subject>\d{1,12}(?:_\d{1,9})?(?:\.\w{1,20})?(?=[\s|]))?[^\n]{0,200}?\bOUT_OF_ME(?:MORY|M\+|\+|MO\+)?/,
    message: 'the accounting of Slurm has the state OUT_OF_MEMORY',
    refine: sacct,
  },
  {
    ...job,
    reporter: 'slurm',
    literal: 'Out Of Memory',
    pattern: /srun: error: (?<cgroup>[\w.-]{1,80}): tasks? [\d,-]{1,80}: Out Of Memory/,
    message: 'srun tells that tasks were out of memory',
    refine: (_, { victim: __, ...record }) => record,
  },
  {
    ...job,
    reporter: 'slurm',
    literal: 'Out Of Memory',
    pattern:
      /(?:Slurm )?(?:Job_id=(?<subject>\d{1,12})|job (?<cgroup>\d{1,12})).{0,120}(?:Failed|Ended).{0,80}(?:OUT_OF_MEMORY|Out Of Memory)/i,
    message: 'Slurm mailed that the job was out of memory',
    refine: (_, { victim: __, ...record }) => record,
  },
  {
    ...job,
    reporter: 'slurm',
    literal: 'cgroup out-of-memory handler',
    pattern: /Some of your processes may have been killed by the cgroup out-of-memory handler/,
    message: 'slurmstepd tells of kills at the limit of the job',
  },
  // PBS / Torque
  {
    ...job,
    reporter: 'pbs',
    literal: 'exceeded limit',
    pattern:
      /(?:PBS: job killed: |job killed: )?(?<signal>p?v?mem)(?: job total)? (?<used>\d{1,16} ?(?:[kmg]?b)?) exceeded limit (?<limit>\d{1,16} ?(?:[kmg]?b)?)/,
    message: 'PBS polled the memory of the job above its limit and killed it',
    refine: dropSignal,
  },
  {
    ...job,
    reporter: 'pbs',
    literal: 'Cgroup mem',
    pattern: /Cgroup mem(?:sw)? limit exceeded: .{0,200}/,
    message: 'the cgroup hook of PBS saw the limit exceeded',
  },
  {
    ...job,
    reporter: 'pbs',
    literal: 'exceeded MEM usage hard limit',
    pattern:
      /job (?<subject>\S{1,60}) exceeded MEM usage (?:hard|soft) limit \((?<used>\d{1,16}) > (?<limit>\d{1,16})\)/,
    message: 'the batch system saw the memory limit exceeded',
    refine: megabytes,
  },
  {
    ...job,
    reporter: 'pbs',
    literal: 'exceeded a memory resource limit',
    pattern: /Job exceeded a memory resource limit \(.{1,60}\)\. Job was aborted/,
    message: 'Torque aborted the job at a memory limit',
    refine: figuresElsewhere({
      limit: /req_information\.(?:total_memory|memory)\.0=(\d{1,15}kb)/,
      used: /resources_used\.v?mem=(\d{1,15}kb)/,
    }),
  },
  {
    // The mail of Torque has the status alone: 256 + the signal. Whoever got it adds what the job died of.
    ...job,
    reporter: 'pbs',
    literal: 'Exit_status=2',
    sourceKind: 'indirect',
    pattern: /Exit_status=(?:265|271)\b/,
    message: 'the job ended by a signal, and the text says that it was out of memory',
    refine: ({ input }, record) =>
      mentions(
        input,
        /\bjob\b[^.\n]{0,40}\b(?:exit(?:ed)?|died|killed|ended|crashed|failed)\b[^.\n]{0,40}\b(?:OOM|out of memory)\b/i,
      )
        ? record
        : undefined,
  },
  // LSF
  {
    ...job,
    reporter: 'lsf',
    literal: 'TERM_MEMLIMIT',
    pattern: /TERM_MEMLIMIT: job killed after reaching LSF memory usage limit/,
    message: 'LSF killed the job at its memory limit',
    refine: lsfLimit,
  },
  {
    ...job,
    reporter: 'lsf',
    literal: 'TERM_SWAP',
    pattern: /TERM_SWAP: job killed after reaching LSF swap usage limit/,
    message: 'LSF killed the job at its swap limit',
    refine: lsfLimit,
  },
  // SGE / UGE
  {
    ...job,
    reporter: 'sge',
    literal: 'exceeds job hard limit',
    pattern:
      /job (?<subject>[\d.]{1,40}) exceeds job (?:master )?hard limit "(?:h_vmem|h_rss|mem_free|h_data)" of queue.{0,120}? \((?<used>[\d.]{1,20}[KMGkmg]?) > limit: ?(?<limit>[\d.]{1,20}[KMGkmg]?)\)/,
    message: 'SGE saw the job above its hard memory limit',
  },
  {
    ...job,
    reporter: 'sge',
    literal: 'h_vmem',
    pattern:
      /(?:killed|exceed\w{0,4}|over).{0,80}\bh_vmem\b|\bh_vmem\b.{0,60}(?:exceeded|limit reached|killed)/,
    message: 'the text says that the job was over h_vmem',
    // `failed 37` names three limits, of which this is one.
    refine: ({ match, passage }, record) =>
      /h_rt|h_cpu/.test(match[0]) ||
      // The manual says what happens if.
      /\b(?:[Ii]f|[Ww]hen(?:ever)?|[Ss]hould)\b[^.]{0,60}$/.test(passage.slice(0, match.index)) ||
      /enforced h_rt, ?h_cpu,? or $/.test(passage.slice(0, match.index))
        ? undefined
        : record,
  },
  // HTCondor
  {
    ...job,
    reporter: 'htcondor',
    literal: 'request_memory',
    pattern:
      /(?:[Jj]ob )?(?:(?:has gone over|exceeded|used more than).{0,40})?(?:cgroup )?memory (?:limit of (?<limit>\d{1,9} megabytes)|usage exceeded request_memory).{0,120}/,
    message: 'HTCondor held or removed the job for its memory',
  },
  {
    ...job,
    reporter: 'htcondor',
    literal: 'gone over',
    pattern:
      /Job has gone over (?:cgroup )?memory limit of (?<limit>\d{1,9}) megabytes(?:\. (?:Last measured|Peak) usage: (?<used>\d{1,9}) megabytes)?/,
    message: 'HTCondor held the job for its memory',
    refine: megabytes,
  },
  {
    ...job,
    reporter: 'htcondor',
    literal: 'Error from',
    pattern:
      /Error from .{1,80}: (?:Docker job|Job) has (?:gone over|exhausted) (?:its )?memory (?:limit|usage).{0,60}?(?:of (?<limit>\d{1,9}) (?:Mb|megabytes))?/i,
    message: 'HTCondor held the job for its memory',
    refine: megabytes,
  },
  {
    ...job,
    reporter: 'htcondor',
    literal: 'excessive memory use',
    pattern:
      /[Jj]ob (?:was )?killed by HTCondor due to excessive memory use(?: \(RSS=(?<used>\d{1,9} MB)\))?/,
    message: 'HTCondor killed the job for its memory',
  },
  {
    ...job,
    reporter: 'htcondor',
    literal: 'due to memory',
    pattern: /(?:put on hold|held|removed) by SYSTEM_PERIODIC_(?:HOLD|REMOVE) due to memory.{0,80}/,
    message: 'HTCondor held or removed the job for its memory',
  },
  {
    // condor_holdcodes.h: JobOutOfResources; its other resource is the disk, which the reason names. In an expression it is `=?=`.
    ...job,
    reporter: 'htcondor',
    literal: 'HoldReasonCode = 34',
    sourceKind: 'indirect',
    pattern: /\bHoldReasonCode = 34\b/,
    message: 'HTCondor held the job with the code of one that used more than it had asked for',
    refine: ({ input }, record) =>
      mentions(input, /\bdisk (?:usage|limit)\b/i) ? undefined : record,
  },
  // YARN, Spark on YARN
  {
    ...job,
    reporter: 'yarn',
    literal: 'beyond ',
    span: 5,
    pattern:
      /Container \[pid=(?<pid>\d{1,9}),container(?:ID|Id)=(?<subject>container_\w{1,60})\] is running (?:\d{1,16}B )?beyond (?:the '?)?(?:physical|PHYSICAL|virtual|VIRTUAL)'? memory limits?\. Current usage: (?<used>[\d.]{1,12} ?[KMGT]?B) of (?<limit>[\d.]{1,12} ?[KMGT]?B) physical memory used(?:; (?<signal>[\d.]{1,12} ?[KMGT]?B) of (?<code>[\d.]{1,12} ?[KMGT]?B) virtual memory used)?/,
    message: 'the node manager of YARN killed the container because it was over its memory limit',
    refine: yarnLimit,
  },
  {
    ...job,
    reporter: 'yarn',
    literal: 'exceeding ',
    pattern:
      /Container killed by YARN for exceeding (?:physical |virtual )?memory limits\.? ?(?:(?<used>[\d.]{1,12} ?[KMGT]?B) of (?<limit>[\d.]{1,12} ?[KMGT]?B) (?:physical|virtual) memory used)?/,
    message: 'YARN killed the container because it was over its memory limit',
    refine: yarnLimit,
  },
  {
    ...job,
    reporter: 'yarn',
    literal: 'beyond ',
    span: 4,
    pattern:
      /[Cc]ontainer (?:(?<subject>container_\w{1,60})|\[pid=(?<pid>\d{1,9})[^\]]{0,120}\]) is running (?:\d{1,16}B )?beyond (?:the )?'?(?:physical|virtual|PHYSICAL|VIRTUAL)'? memory limits?/,
    message: 'YARN killed the container because it was over its memory limit',
    refine: yarnLimit,
  },
  // Others
  {
    ...job,
    reporter: 'flux',
    literal: 'oom: Memory cgroup out of memory',
    pattern: /oom: Memory cgroup out of memory: killed \d{1,6} tasks? on \S{1,80}/,
    message: 'Flux counted OOM kills in the cgroup of the job',
  },
  {
    ...job,
    reporter: 'cromwell',
    literal: 'memory retry',
    pattern: /job exited with (?:return )?code.{0,60}(?:OutOfMemory|memory retry)/,
    message: 'the workflow engine tells of a lack of memory',
  },
  {
    ...job,
    reporter: 'snakemake',
    literal: 'SLURM status is',
    pattern: /SLURM status is: 'OUT_OF_MEMORY'/,
    message: 'Snakemake tells what Slurm gave as the state',
  },
];

function dropSignal(_: Found, { signal: __, ...record }: KillerRecord): KillerRecord {
  return record;
}
/** Slurm's poll counts in kB, `(8391248 > 8388608)`. */
function kilobytes({ groups }: Found, record: KillerRecord): KillerRecord {
  return scaled(record, groups, 1024);
}
function megabytes({ groups }: Found, record: KillerRecord): KillerRecord {
  return scaled(record, groups, 1024 ** 2);
}
function scaled(record: KillerRecord, groups: Found['groups'], unit: number): KillerRecord {
  const times = (count: number | undefined) => (count === undefined ? undefined : count * unit);
  return withFigures(record, times(integer(groups['limit'])), times(integer(groups['used'])));
}

/** A `sacct` row: the words of the state may be cut to a column (`OUT_OF_ME+`); ReqMem and MaxRSS stand in the same row. */
function sacct(
  { passage, groups, match, input, index }: Found,
  record: KillerRecord,
): KillerRecord | undefined {
  const { subject } = groups;
  const near = `${lineAt(input, index - 1)} ${passage} ${lineAt(input, index + 1)}`;
  if (subject === undefined && !/[Ss]tate|STATE|sacct|slurm|Slurm|0:125/.test(near))
    return undefined;
  const sizes = [
    ...passage
      .slice(match.index, match.index + 400)
      .matchAll(/\b(\d[\d.]{0,12})([KMGT])([nc]?)\b/g),
  ];
  const request = sizes.find(([, , unit]) => unit === 'G' || unit === 'M');
  return {
    ...record,
    // The rows of its steps (`4711.batch`, `4711.0`) tell of the same job.
    ...(subject === undefined ? {} : { subject: subject.replace(/\..*$/, '') }),
    ...(request === undefined || request[3] === 'c'
      ? {}
      : { limit: { owner: 'scheduler', bytes: sizeBytes(`${request[1]}${request[2]}`)! } }),
  };
}

/** The limit and the use of the job, which stand in other lines of the same text. */
function figuresElsewhere(patterns: { readonly limit: RegExp; readonly used: RegExp }) {
  return ({ input }: Found, record: KillerRecord): KillerRecord =>
    withFigures(record, sizeElsewhere(input, patterns.limit), sizeElsewhere(input, patterns.used));
}
function sizeElsewhere(input: Input, pattern: RegExp): number | undefined {
  const size = elsewhere(input, pattern)?.[1];
  return size === undefined ? undefined : sizeBytes(size);
}
const withFigures = (
  record: KillerRecord,
  bytes: number | undefined,
  usedBytes: number | undefined,
): KillerRecord => ({
  ...record,
  ...(bytes === undefined ? {} : { limit: { owner: 'scheduler', bytes } }),
  ...defined({ usedBytes }),
});

/** `MEMLIMIT` and, on the next line, `4 G`; in the mail `Max Memory : 4096 MB`, `Total Requested Memory : 4000.00 MB`. */
function lsfLimit({ input }: Found, record: KillerRecord): KillerRecord {
  const stated =
    sizeElsewhere(input, /MEMLIMIT\s{0,80}\n\s{0,80}([\d.]{1,12} ?[KMGT])/) ??
    sizeElsewhere(input, /Total Requested Memory ?:\s{0,80}([\d.]{1,12} [KMG]B)/);
  const used = sizeElsewhere(input, /Max Memory ?:\s{0,80}([\d.]{1,12} [KMGT]?B)/);
  // What was reserved for the whole job is not the limit of one process (LSB_JOB_MEMLIMIT=N), where it was killed far below.
  const isReserved = stated !== undefined && used !== undefined && used < stated / 2;
  return withFigures(record, isReserved ? undefined : stated, used);
}

/** Killed for virtual memory (`yarn.nodemanager.vmem-check-enabled`): then that is the limit, and that is what was used of it. */
function yarnLimit(
  { groups, match }: Found,
  { signal: _ignored, exitCode: __, ...record }: KillerRecord,
): KillerRecord {
  if (!/virtual'? memory limit/i.test(match[0].slice(0, 200))) return record;
  const [used, limit] = [groups['signal'], groups['code']].map((figure) =>
    figure === undefined ? undefined : sizeBytes(figure),
  );
  return {
    ...record,
    variant: 'virtual-memory',
    ...(limit === undefined ? {} : { limit: { owner: 'scheduler', bytes: limit } }),
    ...defined({ usedBytes: used ?? record.usedBytes }),
  };
}

const endings: readonly NoticeWording[] = [
  {
    reporter: 'slurm',
    literal: ': Killed',
    signal: 'SIGKILL',
    pattern: /srun: error: (?<name>[\w.-]{1,80}): tasks? [\d,-]{1,80}: Killed/,
  },
  {
    reporter: 'slurm',
    literal: 'DUE TO TIME LIMIT',
    signal: 'SIGKILL',
    otherReason: 'its time limit',
    pattern: /CANCELLED AT \S{1,40} DUE TO TIME LIMIT/,
  },
  {
    reporter: 'slurm',
    literal: 'DUE TO PREEMPTION',
    signal: 'SIGKILL',
    otherReason: 'preemption by another job',
    pattern: /CANCELLED AT \S{1,40} DUE TO (?:PREEMPTION|NODE FAILURE)/,
  },
  {
    reporter: 'slurm',
    literal: 'DUE TO NODE FAILURE',
    signal: 'SIGKILL',
    otherReason: 'the failure of the node',
    pattern: /CANCELLED AT \S{1,40} DUE TO NODE FAILURE/,
  },
  {
    reporter: 'slurm',
    literal: 'CANCELLED by',
    signal: 'SIGKILL',
    otherReason: 'it was cancelled (scancel)',
    pattern: /\bCANCELLED by \d{1,10}/,
  },
  {
    reporter: 'slurm',
    literal: '*** JOB',
    signal: 'SIGKILL',
    otherReason: 'it was cancelled',
    pattern: /\*{3} (?:JOB|STEP) \S{1,40} ON \S{1,80} CANCELLED AT \S{1,40} \*{3}/,
  },
  {
    reporter: 'pbs',
    literal: 'walltime',
    signal: 'SIGKILL',
    otherReason: 'its time limit (walltime)',
    pattern: /(?:PBS: )?job killed: (?:walltime|cput|ncpus) \S{1,30} exceeded limit \S{1,30}/,
  },
  {
    reporter: 'lsf',
    literal: 'TERM_RUNLIMIT',
    signal: 'SIGKILL',
    otherReason: 'its time limit (run limit)',
    pattern: /TERM_RUNLIMIT: job killed after reaching LSF run time limit/,
  },
  {
    reporter: 'lsf',
    literal: 'TERM_OWNER',
    signal: 'SIGKILL',
    otherReason: 'its owner killed it',
    pattern: /TERM_OWNER: job killed by owner/,
  },
  {
    reporter: 'pbs',
    literal: 'deleted at request of',
    signal: 'SIGKILL',
    otherReason: 'it was deleted (qdel)',
    pattern:
      /(?:(?<name>\d{1,12}(?:\[\d{0,9}\])?\.[\w.-]{1,60});)?[Jj]ob deleted at request of \S{1,80}/,
    refine: (found, notice) => ({
      ...notice,
      ...defined({
        name:
          notice.name ??
          elsewhere(found.input, /PBS Job I[dD]: {1,4}(\d{1,12}[\w.[\]-]{0,60})/)?.[1],
      }),
    }),
  },
  {
    reporter: 'pbs',
    literal: 'deleted by',
    signal: 'SIGKILL',
    otherReason: 'it was deleted (qdel)',
    pattern:
      /(?:(?<name>\d{1,12}(?:\[\d{0,9}\])?\.[\w.-]{1,60});)?\bJob (?:to be )?deleted by \S{1,80}/,
  },
  // PBS and Torque add the signal to 256
  {
    reporter: 'pbs',
    literal: 'Exit_status=26',
    signal: 'SIGKILL',
    pattern: /Exit_status=265\b/,
    unless: pbsSaysWhy,
  },
  {
    reporter: 'sge',
    literal: 'h_rt',
    signal: 'SIGKILL',
    otherReason: 'its time limit (h_rt)',
    pattern: /exceed\w{0,4} job hard limit "h_rt"|exceeded hard wallclock time/,
  },
];

function pbsSaysWhy({ input }: Found): boolean {
  return /exceeded|deleted (?:at request|by)|walltime \d+ /i.test(wholeText(input));
}

/** What `qacct -j` prints of a job that SGE ended: sge_status(5), accounting(5). */
const qacctLiteral = 'assumedly after job';
const enforcedLiteral = 'qmaster enforced h_rt';

/**
 * `failed 100 : assumedly after job` and an exit status of 128 + n tell only that a signal ended the job. Beside a
 * `maxvmem` at the `h_vmem` that was asked for it is the memory limit. `h_vmem` is per slot, and `maxvmem` is sampled, so it
 * may stop a little short.
 */
function* qacct(input: Input): Iterable<KillerRecord | DeathNotice> {
  const whole = wholeText(input);
  if (!whole.includes(qacctLiteral) && !whole.includes(enforcedLiteral)) return;
  // Several jobs: each begins with a line of its own.
  const starts = input.lines.flatMap(({ text }, at) => (/^\s*qname\s/.test(text) ? [at] : []));
  if (starts.length === 0) starts.push(0);
  for (const [nth, from] of starts.entries()) {
    const to = starts[nth + 1] ?? input.lines.length;
    const rows = input.lines.slice(from, to);
    const field = (name: RegExp): string | undefined =>
      rows
        .map(({ text }) => name.exec(text.slice(0, 4096))?.[1])
        .find((text) => text !== undefined);
    const at = rows.findIndex(({ text }) => /^\s*failed:?\s+(?:100|37)\b/.test(text));
    const status = integer(field(/^\s*exit_status:?\s+(\d{1,3})/));
    if (at === -1 || status === undefined || status <= 128) continue;
    const asked = field(/\bh_vmem=([\d.]{1,12}[KMGTkmgt]?)/);
    const highest = field(/^\s*maxvmem\s+([\d.]{1,12}[KMGTkmgt]?)/);
    const slots = integer(field(/^\s*slots\s+(\d{1,5})/)) ?? 1;
    const each = asked === undefined ? undefined : sizeBytes(asked);
    const usedBytes = highest === undefined ? undefined : sizeBytes(highest);
    const subject = field(/^\s*jobnumber\s+(\d{1,12})/);
    const origin = originOf(input, id, from + at, from + at);
    const limit =
      each === undefined || usedBytes === undefined
        ? undefined
        : [each * slots, each].find((bytes) => usedBytes >= 0.97 * bytes);
    const killed = (
      message: string,
      limitBytes: Bytes | undefined,
      highestBytes?: Bytes,
    ): KillerRecord => ({
      kind: 'killer-record',
      origin,
      reporter: 'sge',
      cause: 'job-scheduler-limit',
      message,
      ...defined({ subject }),
      ...(limitBytes === undefined ? {} : { limit: { owner: 'scheduler', bytes: limitBytes } }),
      ...defined({ usedBytes: highestBytes }),
      sourceKind: 'indirect',
      exitCode: status,
    });
    const ended = ({
      signal,
      otherReason,
    }: Pick<DeathNotice, 'signal' | 'otherReason'>): DeathNotice => ({
      kind: 'death-notice',
      origin,
      reporter: 'sge',
      ...defined({ signal }),
      exitCode: status,
      ...defined({ otherReason }),
      ...(subject === undefined ? {} : { name: `job ${subject}` }),
    });
    if (limit !== undefined)
      yield killed(
        'SGE ended the job by a signal, and its highest use (maxvmem) was at the h_vmem that it had asked for',
        limit,
        usedBytes,
      );
    else if (isOverInWords(whole, asked))
      yield killed(
        'SGE ended the job by a signal, and the text says that it was over the memory that it had asked for (h_vmem)',
        each === undefined ? undefined : each * slots,
      );
    else if (isOutOfTime(status, rows))
      yield ended({ otherReason: 'its time limit (h_rt or h_cpu)' });
    else if (status === 137) yield ended({ signal: 'SIGKILL' });
  }
}

/** What somebody writes above the accounting that they paste. */
const isOverInWords = (whole: string, asked: string | undefined): boolean =>
  asked !== undefined &&
  whole.length <= maxPasted &&
  /\bexceed(?:s|ed|ing)?\b[^.\n]{0,40}\b(?:memory limit|memory|h_vmem)\b|\b(?:went |was |is )?over (?:the |its )?(?:memory|h_vmem)\b/.test(
    whole,
  );

/** SIGXCPU (128 + 24), or as much time as was asked for. */
function isOutOfTime(status: number, rows: readonly Line[]): boolean {
  const text = rows.map((row) => row.text.slice(0, 4096)).join('\n');
  const asked = Number(/\bh_rt=(\d{1,9})\b/.exec(text)?.[1] ?? Number.NaN);
  const used = Number(/^\s*ru_wallclock:?\s+(\d{1,9})/m.exec(text)?.[1] ?? Number.NaN);
  return status === 152 || used >= asked;
}

export const jobSchedulers: Parser = {
  id,
  title: 'Slurm, PBS, LSF, SGE, HTCondor, YARN: jobs ended at a memory limit, or at another one',
  literals: [
    ...new Set([
      ...[...kills, ...endings].map(({ literal }) => literal),
      qacctLiteral,
      enforcedLiteral,
    ]),
  ],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  const records = [...readKillers(input, id, kills)];
  yield* records;
  if (records.every(({ reporter }) => reporter !== 'sge')) yield* qacct(input);
  // A job that ran out of memory is often cancelled in the same breath.
  if (records.length === 0) yield* readNotices(input, id, endings);
}
