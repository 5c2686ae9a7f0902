/**
 * Kubernetes as text: `kubectl describe pod`, `get pods`, `get events`, `describe node`, event JSON of log collectors, the
 * kubelet's own log: OOMKilled, SystemOOM, evictions; liveness probes and other endings that are no memory.
 */
import { defined } from '../../model/defined.ts';
import type { DeathNotice, Evidence, KillerRecord } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { elsewhere, lineAt, mentions, wholeText, type Found } from '../text/lines.ts';
import { readKillers, type KillerWording } from '../text/killers.ts';
import { readNotices, type NoticeWording } from '../text/notices.ts';
import { otherEvictions } from '../text/evictions.ts';
import { quantityBytes, sizeBytes } from '../text/sizes.ts';

const id = 'kubernetes-text';
/** A kill by the kernel, told of by others. */
const oomKill = {
  reporter: 'kubernetes',
  cause: 'kernel-cgroup-oom',
  owner: 'cgroup',
  sourceKind: 'indirect',
} as const;
const kubelet = { reporter: 'kubelet', sourceKind: 'direct' } as const;

const kills: readonly KillerWording[] = [
  {
    ...kubelet,
    cause: 'kernel-global-oom',
    literal: 'System OOM encountered',
    pattern: /System OOM encountered, victim process: (?<name>.{0,64}?), pid: (?<pid>\d{1,9})/,
    message:
      'the kubelet saw in the kernel log that the whole node was out of memory and whom the kernel killed',
  },
  {
    ...kubelet,
    cause: 'kernel-global-oom',
    literal: 'System OOM encountered',
    pattern: /System OOM encountered(?!, victim)/,
    message: 'the kubelet saw in the kernel log that the whole node was out of memory',
  },
  {
    ...kubelet,
    cause: 'orchestrator-eviction',
    owner: 'orchestrator',
    literal: 'was low on resource: ',
    pattern:
      /(?:[Tt]he )?node was low on resource: \[?(?<signal>memory|[\w-]{1,30})\]?\.(?: Threshold quantity: (?<limit>[\w.]{1,20}), available: (?<used>[\w.]{1,20})\.)?(?: Container (?<subject>[\w.-]{1,100}) was using (?:(?:memory )?(?<code>[\w.]{1,20}))(?:, request is (?<uid>[\w.]{1,20})|, which exceeds its request of (?<cgroup>[\w.]{1,20}))?)?/,
    message: 'the kubelet evicted the pod because the node was low on memory',
    refine: eviction,
  },
  {
    ...kubelet,
    cause: 'orchestrator-eviction',
    owner: 'orchestrator',
    literal: 'The node had condition: ',
    pattern: /The node had condition: \[(?:.{0,60}, ?)?MemoryPressure.{0,60}\]/,
    message: 'the pod was not admitted or evicted because the node was under memory pressure',
  },
  {
    ...kubelet,
    cause: 'orchestrator-eviction',
    owner: 'orchestrator',
    literal: 'eviction manager',
    pattern:
      /[Ee]viction manager: (?:pods? (?<subject>\S{1,200}) evicted|must evict pod\(s\) to reclaim memory|must evict pod\(s\) to reclaim" resourceName="memory"|attempting to reclaim memory)/,
    message: "the kubelet's eviction manager reclaimed memory",
    // `pod … evicted` alone gives no reason: what it had to reclaim stands above.
    refine: ({ input, groups }, record) =>
      groups['subject'] !== undefined && reclaimsOther(input) ? undefined : record,
  },
  {
    ...kubelet,
    cause: 'orchestrator-eviction',
    owner: 'orchestrator',
    literal: 'EvictionThresholdMet',
    pattern: /EvictionThresholdMet.{0,120}Attempting to reclaim memory/,
    message: 'the node reached its eviction threshold for memory',
  },
  {
    ...oomKill,
    literal: 'OOMKilled',
    pattern:
      /(?:^|[^\w"'=:{.])(?:(?<subject>[a-z0-9][a-z0-9.-]{1,200}) +\d{1,3}\/\d{1,3} +)?(?:(?:Init:)?OOMKilled)\b(?! ?[":]? ?[":=]? ?(?:true|false))/,
    message:
      'Kubernetes gives OOMKilled as the reason: a process of the container was killed at its memory limit',
    refine: oomKilled,
  },
  {
    ...oomKill,
    literal: 'OOMKilled',
    pattern: /[Rr]eason["']?[ :=]{1,3}["']?OOMKilled/,
    message:
      'Kubernetes gives OOMKilled as the reason: a process of the container was killed at its memory limit',
    refine: oomKilled,
  },
  {
    // before 1.0
    ...oomKill,
    literal: 'OOM Killed',
    pattern: /["']?[Rr]eason["']?[ :=]{1,3}["']?OOM Killed\b/,
    message:
      'Kubernetes gives OOM Killed as the reason: a process of the container was killed at its memory limit',
    refine: oomKilled,
  },
  {
    ...oomKill,
    literal: 'Memory cgroup out of memory',
    pattern: /TaskOOM|OOMKilling.{0,200}Memory cgroup out of memory/,
    message: 'an event tells of a kill at a memory limit',
    // node-problem-detector copies the kernel's line into its event, which the kernel parser reads
    refine: () => undefined,
  },
  {
    reporter: 'kubelet',
    cause: 'kernel-cgroup-oom',
    owner: 'cgroup',
    sourceKind: 'indirect',
    literal: 'Created an OOM event in container',
    pattern: /Created an OOM event in container "?(?<cgroup>[^\s"]{1,400})/,
    message: 'cAdvisor in the kubelet saw a kill in the cgroup',
    // The root cgroup has no limit: what reached its end there is the machine.
    refine: ({ groups }, record) => {
      if (groups['cgroup'] !== '/') return record;
      const { victim: _root, ...rest } = record;
      return {
        ...rest,
        cause: 'kernel-global-oom',
        message:
          'cAdvisor in the kubelet saw a kill in the root cgroup: the whole node was out of memory',
      };
    },
  },
  {
    ...oomKill,
    literal: 'PreviousContainerWasOOMKilled',
    pattern: /PreviousContainerWasOOMKilled.{0,300}/,
    message: 'an event says that the previous container was OOM killed',
  },
];

const reclaimsOther = (input: Input): boolean =>
  mentions(input, /to reclaim(?: |" resourceName=")(?:ephemeral-storage|nodefs|imagefs|inodes)/) &&
  !mentions(input, /to reclaim(?: |" resourceName=")memory/);

function eviction(found: Found, record: KillerRecord): KillerRecord | undefined {
  const { signal, limit, used, subject, code, uid, cgroup } = found.groups;
  // `The node was low on resource: ephemeral-storage` is the disk
  if (!/^memory/i.test(signal ?? '')) return undefined;
  const usedBytes = code === undefined ? undefined : quantityBytes(code);
  const request = quantityBytes(uid ?? cgroup ?? '');
  const threshold = limit === undefined ? undefined : quantityBytes(limit);
  const available = used === undefined ? undefined : quantityBytes(used);
  return {
    kind: 'killer-record',
    origin: record.origin,
    reporter: 'kubelet',
    cause: 'orchestrator-eviction',
    message: `the kubelet evicted the pod: the node was low on memory${available === undefined || threshold === undefined ? '' : ` (${available} bytes available, threshold ${threshold})`}${request === undefined ? '' : `; the container had requested ${request} bytes`}`,
    ...defined({ subject, usedBytes }),
    sourceKind: 'direct',
  };
}

/** A row without a figure below `| Status | Cause | Fix |`. */
function isTableOfMeanings({ input, index }: Found): boolean {
  const row = lineAt(input, index);
  if (!/^\s*\|/.test(row) || /\d/.test(row)) return false;
  for (let back = 1; back <= 30; back += 1) {
    const text = lineAt(input, index - back);
    if (!/^\s*\|/.test(text)) return false;
    if (/\|\s*:?-{2,}/.test(text))
      return /\b(?:cause|meaning|means|fix|solution|action|description|what to do|remedy|reason)\b/i.test(
        lineAt(input, index - back - 1),
      );
  }
  return false;
}

/** `OOMKilled: false`, `OOMKilled is false`, `not related to OOMKilled`: the word stands there, and nobody was killed for memory. */
const deniesOomKilled =
  /OOMKilled["'`*]{0,3}[ :=]{0,3}(?:(?:is|was|be|flag|set|to|shows?|says?|still|always|also) ){0,4}["'`*]{0,3}(?:false|no)\b|\b(?:not|no|no longer|never|n['’]t|without|instead of|expect(?:s|ed|ing)?|assert\w{0,3}|simulat\w{1,4}|kein|sans|nothing to do with|unrelated to)\b[^.:;,|]{0,30}OOMKilled|OOMKilled[^.:;,|]{0,30}\b(?:any ?more|no longer)\b/i;

/** Exit code, name and memory limit stand around the reason in `describe`. */
function oomKilled(found: Found, record: KillerRecord): KillerRecord | undefined {
  const here = lineAt(found.input, found.index);
  if (deniesOomKilled.test(here)) return undefined;
  // A rule that looks for it; the metric itself ends with its value, 1.
  if (/_terminated_reason\b/.test(here) && !/\}\s{1,4}1(?:\s|$)/.test(here)) return undefined;
  // Tests of others: `ok 7 - handles OOMKilled`
  if (/^\s*(?:(?:not )?ok \d{1,6}\b|--- (?:PASS|FAIL)|=== RUN|[✓✔√✗✘×] )/.test(here))
    return undefined;
  if (isTableOfMeanings(found)) return undefined;
  // The words of a link lead to a page about it: `exit code 137 ([OOMKilled](https://…))`.
  if (
    /\[[^\][]{0,60}OOMKilled[^\][]{0,60}\]\((?:https?:|\/|#)|<a\s[^<>]{0,400}>[^<>]{0,60}OOMKilled/.test(
      here,
    )
  )
    return undefined;
  // Advice names the word as well: `if the status is OOMKilled, raise the limit`.
  if (
    /\b(?:if|when|whether|would|could|may|might|should|unless|check|look(?:ing)? for|e\.g\.|such as|means?|avoid|prevent|detect\w*|troubleshoot\w*|debug\w*|wenn|falls|si|如果|若)\b.{0,80}OOMKill/i.test(
      here,
    ) ||
    /OOMKilled.{0,40}\b(?:means|happens when|occurs when|indicates|would|could|might)\b/i.test(here)
  )
    return undefined;
  // `it is not being killed (which would show⏎ OOMKilled)`: a sentence that began on the line above
  if (
    /\b(?:would|could|might) (?:show|say|be|have|read|appear)\b[^.\n]{0,60}\n[^.\n]{0,40}OOMKill/i.test(
      `${lineAt(found.input, found.index - 1)}\n${here}`,
    )
  )
    return undefined;
  const around = (from: number, to: number): string =>
    Array.from({ length: to - from + 1 }, (_, step) =>
      lineAt(found.input, found.index + from + step),
    ).join('\n');
  const code = /Exit ?Code["']?[:=]\s{0,12}(\d{1,3})|exitCode["']?[:=]\s?(\d{1,3})/i.exec(
    around(-3, 6),
  );
  const limit = limitInDescribe(found.input);
  const name = record.subject ?? /^Name:\s+(\S+)/m.exec(around(-60, 0))?.[1];
  return {
    ...record,
    ...defined({ subject: name }),
    ...(code === null ? {} : { exitCode: Number(code[1] ?? code[2]) }),
    ...(limit === undefined ? {} : { limit: { owner: 'cgroup', bytes: limit } }),
  };
}

/** `Limits:` and, under it, `memory: 128Mi`. */
function limitInDescribe(input: Input): number | undefined {
  const block = elsewhere(input, /\bLimits:\s*\n(?:[^\n]{0,120}\n){0,3}?\s*memory:\s+(\S+)/);
  return block === null ? undefined : (quantityBytes(block[1]!) ?? sizeBytes(block[1]!));
}

/** `Name:` above it in `describe`, `pod/name` in front of it in a row of events, `pod="ns/name"` behind it. */
function ofPod({ input, index }: Found, notice: DeathNotice): DeathNotice {
  const row = /\b[Pp]od\/(\S{1,200}) /.exec(lineAt(input, index))?.[1];
  const described = Array.from({ length: 40 }, (_, back) => lineAt(input, index - back))
    .map((line) => /^Name:\s+(\S{1,200})/.exec(line)?.[1])
    .find((name) => name !== undefined);
  const successor = Array.from({ length: 6 }, (_, step) => lineAt(input, index + step))
    .map((line) => /\bpod="(?:[^"/]{1,100}\/)?([^"/]{1,200})"/.exec(line)?.[1])
    .find((name) => name !== undefined);
  return { ...notice, ...defined({ name: row ?? described ?? successor }) };
}

const endings: readonly NoticeWording[] = [
  // The column tells no reason: memory, disk, inodes and pids all read so.
  {
    reporter: 'kubectl',
    literal: ' Evicted ',
    vanished: true,
    pattern: /(?<name>[a-z0-9][a-z0-9.-]{1,200}) +\d{1,3}\/\d{1,3} +Evicted +\d{1,6}\b/,
    unless: ({ input }) =>
      mentions(input, /low on resource|had condition|exceeds the (?:total )?limit/),
  },
  {
    reporter: 'kubelet',
    literal: 'liveness probe',
    signal: 'SIGKILL',
    otherReason: 'its liveness probe failed',
    pattern:
      /(?:Container (?<name>\S{1,100}) )?failed liveness probe, will be (?:restarted|killed)/,
  },
  {
    reporter: 'kubelet',
    literal: 'startup probe',
    signal: 'SIGKILL',
    otherReason: 'its startup probe failed',
    pattern: /(?:Container (?<name>\S{1,100}) )?failed startup probe, will be (?:restarted|killed)/,
  },
  {
    reporter: 'kubelet',
    literal: 'DeadlineExceeded',
    signal: 'SIGTERM',
    otherReason: 'its deadline passed',
    pattern:
      /(?:Job was active longer than specified deadline|Pod was active on the node longer than the specified deadline)/,
  },
  ...otherEvictions.map(({ resource, ...eviction }): NoticeWording => ({
    ...eviction,
    ...defined({ resource }),
    reporter: 'kubelet',
    signal: 'SIGKILL',
    refine: ofPod,
  })),
];

export const kubernetesText: Parser = {
  id,
  title: 'Kubernetes as text: describe, events and the kubelet log',
  literals: [...new Set([...kills, ...endings].map(({ literal }) => literal))],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  const whole = wholeText(input);
  // Objects as JSON or YAML have a parser of their own.
  if (
    /"kind": ?"(?:Pod|PodList|List|Event|EventList)"|^kind: (?:Pod|List|Event)/m.test(whole) &&
    /containerStatuses|reason"?: ?"?(?:Evicted|Preempt)/.test(whole)
  )
    return;
  const seen = new Set<string>();
  for (const record of readKillers(input, id, kills)) {
    if (record.cause === 'kernel-cgroup-oom') {
      const key = `${record.subject ?? ''}`;
      if (seen.has(key)) continue;
      seen.add(key);
    }
    yield record.cause === 'kernel-global-oom' && record.victim !== undefined
      ? systemOom(record, whole)
      : record;
  }
  yield* onlyWithoutMemory(readNotices(input, id, endings), whole);
}

/**
 * node-problem-detector copies the kernel's own line of the same incident into an event: that one tells more, and the
 * pid of the kubelet's event may be a thread's or a sibling's.
 */
function systemOom(record: KillerRecord, whole: string): KillerRecord {
  const name = record.victim?.name ?? '';
  if (!whole.includes(`(${name})`) || !/Kill(?:ed)? process \d/.test(whole)) return record;
  const { victim: _ignored, ...rest } = record;
  return { ...rest, sourceKind: 'indirect' };
}

function* onlyWithoutMemory(notices: Iterable<DeathNotice>, whole: string): Iterable<DeathNotice> {
  if (
    whole.includes('OOMKilled') &&
    whole.split('\n').some((line) => line.includes('OOMKilled') && !deniesOomKilled.test(line))
  )
    return;
  yield* notices;
}
