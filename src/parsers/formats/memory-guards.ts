/**
 * Guards in user space that end processes before the kernel must: earlyoom (five generations of its line), nohang,
 * oomd, dask's nanny, ray's monitor, Android's lmkd, Talos; supervisors with a memory limit for their workers. systemd-oomd has a
 * file of its own.
 */
import { defined } from '../../model/defined.ts';
import type { KillerRecord } from '../../model/evidence.ts';
import { lineAt, mentions, type Found } from '../text/lines.ts';
import { killerParser, type KillerWording } from '../text/killers.ts';
import { integer, sizeBytes } from '../text/sizes.ts';

const guard = { cause: 'userspace-oom-daemon', owner: 'daemon' } as const;

const wordings: readonly KillerWording[] = [
  // earlyoom 1.3 to 1.9: `sending SIGTERM to process 200 uid 0 "python3": badness 1208, VmRSS 289 MiB`
  {
    ...guard,
    reporter: 'earlyoom',
    literal: 'to process ',
    pattern:
      /[Ss]ending (?<signal>SIG(?:TERM|KILL)) to process (?<pid>\d{1,9})(?: uid (?<uid>\d{1,10}))? "(?<name>[^"]{0,64})": (?:badness|oom_score) -?\d{1,6}(?:, oom_score_adj -?\d{1,5})?(?:, VmRSS (?<used>\d{1,12} ?[KMG]iB))?/,
    message:
      'earlyoom names the process that it ended because memory and swap were below its thresholds',
  },
  // 1.0 to 1.2: `Killing process: python3, pid: 200, badness: 800, VmRSS: 289 MiB`, `Killing process 200 python3`.
  // `Killing process 200 (python3) with signal SIGKILL.` are systemd's words.
  {
    ...guard,
    reporter: 'earlyoom',
    literal: 'illing process',
    pattern:
      /(?:^|earlyoom(?:\[\d{1,9}\])?: )Killing process:? (?:(?<pid>\d{1,9}) (?<name>[^\s,()]{1,64})(?![^\s,]| with signal SIG)|(?<subject>[^\s,]{1,64}), pid: (?<uid>\d{1,9}))/,
    message: 'earlyoom (an early version) names the process that it killed',
    refine: (found, record) => {
      const { subject, uid } = found.groups;
      const { subject: _ignored, ...rest } = record;
      return subject === undefined
        ? record
        : { ...rest, victim: { pid: integer(uid)!, name: subject } };
    },
  },
  // 0.x: `Killing process 200 (python3)`; words so plain are earlyoom's only below its own warning
  {
    ...guard,
    reporter: 'earlyoom',
    literal: 'illing process',
    pattern: /(?:^|\s)Killing process (?<pid>\d{1,9}) \((?<name>[^()]{1,64})\)\s*$/,
    span: 1,
    message: 'earlyoom (an early version) names the process that it killed',
    refine: ({ input }, record) =>
      mentions(input, /Out of memory! avail:|earlyoom v?\d/) ? record : undefined,
  },
  // 1.0.x: `Killing process 'bash' with signal 15, pid: 5874, badness: 538, VmRSS: 3160 MiB`
  {
    ...guard,
    reporter: 'earlyoom',
    literal: "illing process '",
    pattern:
      /Killing process '(?<name>[^']{1,64})' with signal \d{1,2}, pid: (?<pid>\d{1,9}), badness: -?\d{1,6}(?:, VmRSS: (?<used>\d{1,12} MiB))?/,
    message: 'earlyoom (an early version) names the process that it killed',
  },
  // 1.3-rc: `killing process 27541 "bash" with signal 15: badness 550, VmRSS 7609 MiB`
  {
    ...guard,
    reporter: 'earlyoom',
    literal: 'illing process ',
    pattern:
      /killing process (?<pid>\d{1,9}) "(?<name>[^"]{1,64})" with signal \d{1,2}: badness -?\d{1,6}(?:, VmRSS (?<used>\d{1,12} MiB))?/,
    message: 'earlyoom (an early version) names the process that it killed',
  },
  // nohang: the corrective action is many lines
  {
    ...guard,
    reporter: 'nohang',
    literal: 'a corrective action:',
    pattern: /Implement(?:ing)? a corrective action:/,
    span: 1,
    message: 'nohang names its victim',
    refine: nohangVictim,
  },
  // oomd (Meta), to the kernel log: averages, cgroup, bytes, rules
  {
    ...guard,
    reporter: 'oomd',
    literal: 'oomd kill: ',
    pattern:
      /oomd kill: [\d.]{1,12} [\d.]{1,12} [\d.]{1,12} (?<subject>\S{1,400}) (?<used>\d{1,18}) ruleset:\[.{0,200}?\]/,
    message: 'oomd names the cgroup that it killed and the rule that fired',
  },
  // its own log, where the line above is cut off
  {
    ...guard,
    reporter: 'oomd',
    sourceKind: 'indirect',
    literal: 'BaseKillPlugin',
    pattern:
      /BaseKillPlugin\.cpp:\d{1,5}\] Trying to kill (?:\/sys\/fs\/cgroup\/)?(?<subject>\S{1,400})/,
    message: 'oomd tells which cgroup it is about to kill',
  },
  {
    ...guard,
    reporter: 'dask nanny',
    literal: 'memory budget',
    pattern:
      /Worker (?<subject>\S{1,120}) \(pid=(?<pid>\d{1,9})\) exceeded (?<code>\d{1,3})% memory budget\. Restarting/,
    message: "dask's nanny ended the worker because it was over its memory budget",
    refine: daskBudget,
  },
  {
    ...guard,
    reporter: 'dask nanny',
    literal: 'memory budget',
    pattern: /Worker exceeded (?<code>\d{1,3})% memory budget\. Restarting/,
    message: "dask's nanny ended the worker because it was over its memory budget",
    refine: daskBudget,
  },
  {
    ...guard,
    reporter: 'dask nanny',
    death: 'slow',
    variant: 'paused',
    literal: 'Pausing worker',
    pattern:
      /Worker is at (?<code>\d{1,3})% memory usage\. Pausing worker\.? {0,3}Process memory: (?<used>[\d.]{1,12} ?[KMGT]?i?B) -- Worker memory limit: (?<limit>[\d.]{1,12} ?[KMGT]?i?B)/,
    span: 3,
    message: 'dask paused the worker because it was near its memory limit',
    // What the nanny did next says more, and says of which worker. A pause that passed is no death.
    refine: ({ input }, { exitCode: _ignored, ...record }) =>
      mentions(input, /memory budget|was killed by|all those workers died/) || resumes(input)
        ? undefined
        : record,
  },
  {
    // Until Ray 1.13 the monitor raised it in the task, before the kernel would have killed.
    ...guard,
    reporter: 'ray',
    death: 'obvious',
    literal: 'RayOutOfMemoryError',
    pattern:
      /RayOutOfMemoryError: More than \d{1,3}% of the memory on node \S{1,120} is used \((?<used>[\d.]{1,12}) \/ (?<limit>[\d.]{1,12} [KMGT]?B)\)/,
    span: 3,
    message: "ray's memory monitor ended the task because the node was over its threshold",
    refine: ({ match }, record) => {
      const used = sizeBytes(
        `${match.groups?.['used']} ${/[KMGT]?B/.exec(match.groups?.['limit'] ?? '')?.[0]}`,
      );
      return { ...record, ...defined({ usedBytes: used }) };
    },
  },
  {
    ...guard,
    reporter: 'ray',
    literal: 'was killed due to the node running low on memory',
    pattern:
      /(?:Task|Actor|[Ww]orker|\d{1,6} worker\(s\)).{0,80}was killed due to the node running low on memory\.? ?(?:Memory on the node \(IP: .{0,60}?\)(?: where .{0,200}? was running)? was (?<used>[\d.]{1,12} ?[KMGT]?i?B) \/ (?<limit>[\d.]{1,12} ?[KMGT]?i?B))?/,
    span: 6,
    message: "ray's memory monitor ended the task because the node was over its threshold",
    refine: (found, record) => {
      const pid =
        /(?:Worker PID|pid)[:= ]{1,3}(\d{1,9})/.exec(found.passage.slice(found.match.index)) ??
        actorPid(found);
      const task = /\bname=([^,()]{1,120}), pid=/.exec(found.passage.slice(found.match.index));
      return {
        ...record,
        ...(pid === null ? {} : { victim: { ...record.victim, pid: Number(pid[1]) } }),
        ...(task === null ? {} : { subject: task[1]! }),
      };
    },
  },
  {
    ...guard,
    reporter: 'ray',
    literal: 'killed due to memory pressure (OOM)',
    pattern: /(?<code>\d{1,6}) Workers \(tasks \/ actors\) killed due to memory pressure \(OOM\)/,
    message: "ray's memory monitor counts the workers that it ended",
    refine: (_, { exitCode: _ignored, ...record }) => record,
  },
  {
    ...guard,
    reporter: 'ray',
    literal: 'to free up memory',
    pattern:
      /Killing worker with .{1,80}? to free up memory\.(?:.{0,20}worker pid: (?<pid>\d{1,9}))?/,
    message: 'the raylet names the worker that its memory monitor ends',
  },
  {
    ...guard,
    reporter: 'lmkd',
    literal: 'to free',
    pattern:
      /(?:lowmemorykiller|lmkd)(?: ?\( ?\d{1,9}\)|\[\d{1,9}\])?: Kill(?:ing)? '?(?<name>[\w.:/-]{1,120})'? \((?<pid>\d{1,9})\), (?:uid (?<uid>\d{1,9}),)?.{0,60}?(?:adj|oom_score_adj) -?\d{1,5},? to free (?<used>\d{1,12}kB)/,
    message: "Android's low memory killer names its victim",
  },
  {
    ...guard,
    reporter: 'lmkd',
    literal: 'lowmemorykiller',
    pattern: /lowmemorykiller: Killing '(?<name>[^']{1,80})' \((?<pid>\d{1,9})\),? adj -?\d{1,5}/,
    message: "Android's low memory killer names its victim",
  },
  {
    ...guard,
    reporter: 'Talos',
    literal: 'Sending SIGKILL to cgroup',
    pattern: /Sending SIGKILL to cgroup .{0,40}?(?<subject>\/?[\w./-]{1,300})/,
    message: "Talos' OOM controller killed the cgroup",
  },
  // Supervisors with a memory limit of their own for a worker
  {
    ...guard,
    reporter: 'pm2',
    literal: '--max-memory-restart',
    pattern:
      /Process (?<subject>[\w.@-]{1,80}) restarted because it exceeds --max-memory-restart value(?: \(current_memory=(?<used>\d{1,16}) max_memory_limit=(?<limit>\d{1,16}) \[octets\]\))?/,
    message: 'PM2 restarted the process because it was over its max_memory_restart',
    // PM2's own number of the process, or its name.
    refine: (found, record) => ({
      ...inUnits(1)(found, record),
      ...defined({ subject: found.groups['subject']?.replace(/^(?=\d)/, 'PM2 process ') }),
    }),
  },
  {
    ...guard,
    reporter: 'celery',
    literal: 'after exceeding memory limit',
    pattern:
      /(?:\/(?<name>[\w-]{1,60})\] )?child process exiting after exceeding memory limit \((?<used>\d{1,12})KiB \/ (?<limit>\d{1,12})KiB\)/,
    message: 'the worker was over its max_memory_per_child, ended after its task and was replaced',
    refine: inUnits(1024),
  },
  {
    ...guard,
    reporter: 'puma_worker_killer',
    literal: 'PumaWorkerKiller: Out of memory',
    pattern:
      /PumaWorkerKiller: Out of memory\. \d{1,4} workers consuming total: [\d.]{1,16} mb out of max: (?<limit>[\d.]{1,16}) mb\. Sending TERM to (?:#<.{1,200}?> |pid (?<pid>\d{1,9}) )?consuming (?<used>[\d.]{1,16}) mb/i,
    message:
      'puma_worker_killer ended the largest worker because all workers together were over its limit',
    refine: inUnits(1024 ** 2),
  },
  {
    ...guard,
    reporter: 'unicorn-worker-killer',
    literal: 'exceeds memory limit (',
    pattern:
      /worker \(pid: (?<pid>\d{1,9})\) exceeds memory limit \((?<used>\d{1,16}) bytes > (?<limit>\d{1,16}) bytes\)/,
    message: 'unicorn-worker-killer ended the worker because it was over its memory limit',
    refine: inUnits(1),
  },
  {
    ...guard,
    reporter: 'memmon',
    literal: 'consuming too much memory (',
    pattern:
      /restarted the process named (?<subject>\S{1,120}) at .{1,40}? because it was consuming too much memory \((?<used>\d{1,16}) bytes RSS\)/,
    message: 'memmon of supervisord restarted the process because it was over its limit',
    refine: inUnits(1),
  },
  {
    ...guard,
    reporter: 'monit',
    literal: 'matches resource limit [',
    span: 2,
    pattern:
      /'(?<subject>[^'\n]{1,80})' (?:total )?mem (?:amount|usage) of (?<used>[\d.]{1,12} ?[kMG]?B)(?: \[[^\]]{1,80}\])? matches resource limit \[(?:total )?mem (?:amount|usage) ?> ?(?<limit>[\d.]{1,12} ?[kMG]?B)\](?<code>.{0,200}?' (?:trying to )?(?:restart|stop)\b)?/,
    message:
      'monit restarted the service because it was over the memory limit in its configuration',
    // An alert alone ends nobody.
    refine: ({ groups }, { exitCode: _words, ...record }) =>
      groups['code'] === undefined ? undefined : record,
  },
  {
    ...guard,
    reporter: 'odoo',
    literal: 'memory limit (',
    pattern:
      /[Ww]orker \((?<pid>\d{1,9})\) (?:virtual )?memory limit \((?:VMS: ?)?(?<used>\d{1,16})\) reached/,
    message:
      'Odoo replaced the worker because it was over limit_memory_soft; the figure is what it had mapped',
    refine: inUnits(1),
  },
  {
    ...guard,
    reporter: 'odoo',
    literal: 'erver memory limit (',
    pattern: /[Ss]erver (?:virtual )?memory limit \((?<used>\d{1,16})\) reached/,
    message: 'Odoo restarted its server because it was over limit_memory_soft',
    refine: inUnits(1),
  },
  {
    ...guard,
    reporter: 'IIS',
    literal: 'memory limit',
    span: 3,
    pattern:
      /worker process with (?:process id|pid) (?:of )?'(?<pid>\d{1,9})'(?: that serves| serving) application pool '(?<subject>[^'\n]{1,120})' has requested a recycle because it reached its (?:private bytes|virtual) memory limit/,
    message: "IIS recycled the worker because it reached its application pool's memory limit",
  },
  {
    ...guard,
    reporter: 'uWSGI',
    literal: 'EVIL RELOAD ON WORKER',
    pattern:
      /EVIL RELOAD ON WORKER \d{1,4} (?:ADDRESS SPACE|RSS): (?<used>\d{1,16}) \(pid: (?<pid>\d{1,9})\)/,
    message: 'uWSGI ended the worker because it was over evil-reload-on-rss or evil-reload-on-as',
    refine: inUnits(1),
  },
  {
    ...guard,
    reporter: 'LXD/Proxmox watchdog',
    literal: 'memory-watchdog',
    pattern: /memory-watchdog.{0,80}(?:killed|killing) (?:process |pid )?(?<pid>\d{1,9})/i,
    message: 'a memory watchdog names its victim',
  },
];

/** Figures without a unit of their own. */
function inUnits(unit: number): (found: Found, record: KillerRecord) => KillerRecord {
  return ({ groups }, { limit: _unscaled, usedBytes: __, exitCode: ___, ...record }) => {
    const bytes = (figure: string | undefined): number | undefined =>
      figure === undefined ? undefined : Math.round(Number(figure) * unit);
    const limit = bytes(groups['limit']);
    return {
      ...record,
      ...(limit === undefined ? {} : { limit: { owner: 'daemon', bytes: limit } }),
      ...defined({ usedBytes: bytes(groups['used']) }),
    };
  };
}

/** The block that follows `Implementing a corrective action:`. */
function nohangVictim(
  {
    input,
    index,
  }: {
    readonly input: { readonly lines: readonly { readonly text: string }[] };
    readonly index: number;
  },
  record: KillerRecord,
): KillerRecord | undefined {
  const block = messages(input, index, 1, 60).join('\n');
  const signal = /Send(?:ing)? (SIG\w{3,4}) to the victim/.exec(block);
  const who =
    /(?:PID|Pid):? {1,12}(\d{1,9})(?:[\s\S]{0,400}?\b(?:Name|name):? {1,12}'?([^\n']{1,64}))?/.exec(
      block,
    ) ?? /Name: {1,12}([^\n]{1,64})[\s\S]{0,200}?PID: {1,12}(\d{1,9})/.exec(block);
  const before = messages(input, index, -1, 40).toReversed().join('\n');
  const listed = /PID: (\d{1,9}), [Nn]ame: ([^,\n]{1,64}), badness/.exec(`${before}\n${block}`);
  const pid = who === null ? listed?.[1] : who[1];
  const name = listed?.[2] ?? who?.[2];
  if (signal === null && pid === undefined) return undefined;
  const rss = /VmRSS:? {1,12}(\d{1,12} ?[kMG]i?B)/.exec(block);
  const used = rss === null ? undefined : sizeBytes(rss[1]!);
  return {
    ...record,
    ...(signal === null ? {} : { signal: signal[1]! }),
    ...(pid === undefined
      ? {}
      : { victim: { pid: Number(pid), ...(name === undefined ? {} : { name: name.trim() }) } }),
    ...defined({ usedBytes: used }),
  };
}

/** So many messages from a line on. In journalctl's export format each is one of some thirty lines of its entry. */
function messages(
  input: { readonly lines: readonly { readonly text: string }[] },
  index: number,
  step: 1 | -1,
  most: number,
): readonly string[] {
  const exported = input.lines[index]?.text.startsWith('MESSAGE=') === true;
  const found: string[] = [];
  for (let line = 0; line < (exported ? most * 40 : most) && found.length < most; line += 1) {
    const at = index + line * step;
    if (!exported || input.lines[at]?.text.startsWith('MESSAGE=') === true)
      found.push(lineAt(input as never, at));
  }
  return found;
}

/** Whether the last word on workers that were paused is that one went on. */
function resumes(input: Found['input']): boolean {
  let answer = resumed.get(input);
  if (answer === undefined) {
    const last = (words: string): number =>
      input.lines.findLastIndex(({ text }) => text.includes(words));
    answer = last('Resuming worker') > last('Pausing worker');
    resumed.set(input, answer);
  }
  return answer;
}
/** Kept: each pause of a storm asks. */
const resumed = new WeakMap<Found['input'], boolean>();

/** ActorDiedError lists its actor above the reason: `class_name: Loader`, `actor_id: …`, `pid: 40213`, `ip: …`. */
function actorPid({ input, index }: Found): RegExpExecArray | null {
  const block = Array.from({ length: 9 }, (_, back) => lineAt(input, index - 8 + back)).join('\n');
  return /\bactor_id: \w{1,64}\n(?:\s{0,8}\w{1,20}: [^\n]{0,100}\n){0,4}?\s{0,8}pid: (\d{1,9})\n(?:\s{0,8}\w{1,20}: [^\n]{0,100}\n){0,4}The actor /.exec(
    block,
  );
}

/** Lines within which the nanny tells whom it ended. */
const restartLines = 6;

/** Before 2021.12 the budget's line had no pid: the next death's is meant, unless another worker was over its budget, too. */
function pidOfRestarted({ lines }: Found['input'], index: number): number | undefined {
  const textAt = (at: number) => lines[at]?.text.slice(0, 4096) ?? '';
  for (let at = index - 1; at >= index - restartLines; at -= 1) {
    if (overBudget.test(textAt(at))) return undefined;
    if (workerDeath.test(textAt(at))) break;
  }
  for (let at = index + 1; at <= index + restartLines; at += 1) {
    if (overBudget.test(textAt(at))) return undefined;
    const death = workerDeath.exec(textAt(at));
    if (death !== null) return Number(death[1]);
  }
  return undefined;
}

const overBudget = /Worker exceeded \d{1,3}% memory budget/;
const workerDeath = /Worker process (\d{1,9}) was killed by/;

/** `Worker memory limit: 238.42 MiB`, from the worker's own warnings before. The figure that matched is a percentage. */
function daskBudget(
  { input, index }: Found,
  { exitCode: _percent, ...record }: KillerRecord,
): KillerRecord {
  const text = input.lines
    .slice(Math.max(0, index - 40), index + 5)
    .map((line) => line.text)
    .join('\n')
    .slice(-20_000);
  const limit = [...text.matchAll(/Worker memory limit: ([\d.]{1,12} [KMGT]iB)/g)].at(-1);
  const used = [...text.matchAll(/Process memory: ([\d.]{1,12} [KMGT]iB)/g)].at(-1);
  const bytes = limit === undefined ? undefined : sizeBytes(limit[1]!);
  const usedBytes = used === undefined ? undefined : sizeBytes(used[1]!);
  const pid = record.victim?.pid ?? pidOfRestarted(input, index);
  return {
    ...record,
    ...(pid === undefined ? {} : { victim: { ...record.victim, pid } }),
    ...(pid === undefined || pid === record.victim?.pid ? {} : { victimNearby: true }),
    ...(bytes === undefined ? {} : { limit: { owner: 'daemon', path: 'memory_limit', bytes } }),
    ...defined({ usedBytes }),
  };
}

export const memoryGuards = killerParser(
  'memory-guards',
  'earlyoom, nohang, oomd, dask nanny, ray memory monitor, lmkd: who was ended to save memory',
  wordings,
);
