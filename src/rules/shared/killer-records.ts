/** How the records of other killers become findings; each cause has its own small rule file. */
import { nameWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import { causes, type Cause } from '../../model/causes.ts';
import { atMost, type Confidence } from '../../model/confidence.ts';
import type {
  KernelOomKill,
  KillerRecord,
  MetricsWindow,
  StatedLimit,
} from '../../model/evidence.ts';
import type { Advice, Finding, Question, Subject } from '../../model/finding.ts';
import type { Limit, RuledOut } from '../../model/report.ts';
import { formatBytes } from '../../model/units.ts';
import { reason } from './define-rule.ts';
import { positionOf, subjectOf } from './subjects.ts';
import { witnessCommand } from './witness-command.ts';

export interface Context {
  readonly limits?: readonly StatedLimit[];
  /** Figures of the cgroup whose limit it was: they may tell the limit, and are reasons. */
  readonly metrics?: readonly MetricsWindow[];
  readonly kernelKills?: readonly KernelOomKill[];
}

interface Spec {
  readonly cause: Cause;
  readonly remedies: (record: KillerRecord) => readonly Advice[];
  readonly ruledOut?: (record: KillerRecord) => readonly RuledOut[];
  /** Default: `Slurm ended job 42 at its memory limit (limit 4 GiB)`. */
  readonly headline?: (told: Told) => string;
  /** How a job, container or unit is called that has no process; default: by its label. */
  readonly called?: (label: string) => string;
  /** Default: the reporter. */
  readonly killer?: string;
  /** The headline says that the figure is the limit. */
  readonly bareLimit?: true;
  /** What a stated limit must be `of` to be this killer's. */
  readonly limitOf?:
    | readonly StatedLimit['of'][]
    | ((record: KillerRecord) => readonly StatedLimit['of'][]);
}

/** What a headline is made of. */
export interface Told {
  /** The record that says most. */
  readonly record: KillerRecord;
  /** `python3 (pid 4711) of web-1`; null: it is not said. */
  readonly who: string | null;
  /** The reporter's proper name. */
  readonly by: string;
  readonly limit: Limit | undefined;
  /** ` (limit 1 GiB, used 1.2 GiB)`, or nothing. */
  readonly figures: string;
}

/** One finding a death: the records that speak of one process, container or unit are one. */
export function killerFindings(
  records: readonly KillerRecord[],
  spec: Spec,
  context: Context = {},
): readonly Finding[] {
  const mine = records.filter(({ cause }) => cause === spec.cause);
  return groups(mine).map((group) => findingOf(group, spec, context));
}

type Group = readonly [KillerRecord, ...KillerRecord[]];

function groups(records: readonly KillerRecord[]): readonly Group[] {
  const found: [KillerRecord, ...KillerRecord[]][] = [];
  const byPid = new Map<number, [KillerRecord, ...KillerRecord[]]>();
  const byLabel = new Map<string, [KillerRecord, ...KillerRecord[]]>();
  /** Groups in which a record does not say whom it means. */
  const open = new Set<[KillerRecord, ...KillerRecord[]]>();
  for (const record of records) {
    const pid = record.victim?.pid;
    const label = record.subject === undefined ? undefined : lastPart(record.subject);
    const known =
      pid !== undefined && !isOfUnit(record)
        ? byPid.get(pid)
        : label === undefined
          ? undefined
          : byLabel.get(label);
    const candidates =
      pid === undefined ? endsOf(found, mostGroups) : endsOf([...open], mostGroups);
    const group =
      known ??
      candidates.find((others) =>
        endsOf(others, mostRecords).some((other) => sameVictim(other, record)),
      );
    const into = group ?? [record];
    if (group === undefined) found.push(into);
    else group.push(record);
    if (pid === undefined) open.add(into);
    else byPid.set(pid, into);
    if (label !== undefined && !byLabel.has(label)) byLabel.set(label, into);
  }
  return found;
}

/** A storm has thousands of records: each is compared with so many groups, the first and the last, and in each with so many records. */
const [mostGroups, mostRecords] = [40, 4];

const endsOf = <Item>(list: readonly Item[], count: number): readonly Item[] =>
  list.length <= 2 * count ? list : [...list.slice(0, count), ...list.slice(-count)];

/**
 * systemd-oomd kills a whole unit, one process after the other: a pid is only one of them. A slice is where the pressure
 * was, above the unit that it killed.
 */
const isOfUnit = ({ reporter, subject }: KillerRecord): boolean =>
  reporter === 'systemd-oomd' && subject !== undefined && !subject.endsWith('.slice');

function sameVictim(a: KillerRecord, b: KillerRecord): boolean {
  if (isOfUnit(a) && isOfUnit(b)) return sameLabel(a.subject!, b.subject!);
  if (a.victim?.pid !== undefined && b.victim?.pid !== undefined)
    return a.victim.pid === b.victim.pid;
  if (
    a.reporter !== b.reporter &&
    a.sourceKind === 'direct' &&
    b.sourceKind === 'direct' &&
    a.cause !== b.cause
  )
    return false;
  if (a.subject !== undefined && b.subject !== undefined) return sameLabel(a.subject, b.subject);
  if (areTwoInstances(a, b)) return false;
  // One of them does not say whom it means: the same incident, unless both were killers of different processes.
  return a.victim?.pid === undefined || b.victim?.pid === undefined;
}

/** A platform tells of each instance by itself; within this time it may tell twice of one. */
const oneInstanceMs = 60_000;
const areTwoInstances = (a: KillerRecord, b: KillerRecord): boolean =>
  a.cause === 'platform-limit' &&
  a.death !== 'slow' &&
  b.death !== 'slow' &&
  a.reporter === b.reporter &&
  a.sourceKind === 'direct' &&
  b.sourceKind === 'direct' &&
  a.when?.wall !== undefined &&
  b.when?.wall !== undefined &&
  Math.abs(Date.parse(a.when.wall) - Date.parse(b.when.wall)) > oneInstanceMs;

/** A unit, pod or cgroup by its whole path or by its last part, also where the middle was cut with `…`. */
function sameLabel(a: string, b: string): boolean {
  const [one, other] = [lastPart(a), lastPart(b)];
  return (
    one === other ||
    (one.length > 8 && other.endsWith(one)) ||
    (other.length > 8 && one.endsWith(other))
  );
}

const lastPart = (label: string): string =>
  label
    .split(/[/…]/)
    .at(-1)!
    .replace(/^\.{2,3}/, '')
    .toLowerCase();

function findingOf(group: Group, spec: Spec, context: Context): Finding {
  const kill = group.filter(({ death }) => death !== 'slow');
  const best =
    kill.find(({ victim }) => victim?.pid !== undefined) ??
    kill.find(({ sourceKind }) => sourceKind === 'direct') ??
    kill[0] ??
    group.at(-1)!;
  const pids = [...new Set(group.flatMap(({ victim }) => victim?.pid ?? []))];
  // Of a unit's processes none is the victim before the others.
  const victim =
    pids.length > 1
      ? {}
      : Object.assign({}, ...group.map(({ victim = {} }) => victim), best.victim ?? {});
  const label = best.subject ?? group.find(({ subject }) => subject !== undefined)?.subject;
  const limit =
    group.find((one) => one.limit?.bytes != null)?.limit ??
    statedLimit(best, spec, context) ??
    measuredLimit(context) ??
    group.find((one) => one.limit)?.limit;
  const used = Math.max(
    0,
    ...group.flatMap(({ usedBytes }) => (usedBytes === undefined ? [] : [usedBytes])),
  );
  const subject = duplicateSubject(best, label, context) ?? {
    ...subjectOf(best, { ...victim, label }),
    ...(pids.length > 1 ? { otherPids: pids } : {}),
  };
  return {
    subject,
    cause: spec.cause,
    death: best.death ?? causes[spec.cause].death,
    ...defined({ variant: best.variant }),
    confidence: confidenceOf(group, best),
    headline: headline(spec, best, victim, label, limit, used),
    because: [
      ...unique(group).map((one) => reason(one, one.message)),
      ...metricsReasons(limit, context),
    ].slice(0, 8),
    killer: { name: spec.killer ?? best.reporter },
    ...(Object.keys(victim).length === 0 ? {} : { victim }),
    ...defined({ limit }),
    ...(best.requestBytes === undefined ? {} : { request: { bytes: best.requestBytes } }),
    ...(spec.ruledOut === undefined ? {} : { ruledOut: spec.ruledOut(best) }),
    unknown: unknowns(best),
    remedies: spec.remedies({ ...best, ...defined({ limit }) }),
  };
}

const unique = (group: readonly KillerRecord[]): readonly KillerRecord[] => [
  ...new Map(group.map((one) => [`${one.message} ${one.victim?.pid ?? ''}`, one])).values(),
];

function confidenceOf(group: Group, best: KillerRecord): Confidence {
  const named =
    best.victimNearby !== true &&
    (best.victim?.pid !== undefined ||
      best.victim?.name !== undefined ||
      best.subject !== undefined);
  if (best.sourceKind === 'direct') return named ? 'certain' : 'strong';
  // A sticky, container-wide flag: with the exit status that fits it is more than the flag alone.
  const fits = group.some(
    ({ exitCode, signal }) => exitCode === 137 || signal === 'SIGKILL' || signal === '9',
  );
  return atMost(fits ? 'strong' : 'likely', 'strong');
}

function headline(
  spec: Spec,
  best: KillerRecord,
  victim: { readonly pid?: number; readonly name?: string },
  label: string | undefined,
  limit: Limit | undefined,
  used: number,
): string {
  const named = victim.pid !== undefined || victim.name !== undefined;
  const isUnit = label !== undefined && isOfUnit({ ...best, subject: label });
  const who = isUnit
    ? short(label!)
    : named
      ? `${nameWithPid(victim)}${label === undefined ? '' : ` of ${short(label)}`}`
      : label === undefined
        ? null
        : short(spec.called?.(label) ?? label);
  const by = properName(best.reporter);
  const figures = [
    ...(limit?.bytes == null
      ? []
      : [`${spec.bareLimit === true ? '' : 'limit '}${formatBytes(limit.bytes)}`]),
    ...(used === 0 ? [] : [`used ${formatBytes(used)}`]),
  ].join(', ');
  const tail = figures === '' ? '' : ` (${figures})`;
  if (best.death === 'slow')
    return `${named && victim.name === undefined ? capital(who ?? '') : (who ?? 'The process')} was over its memory quota and waited instead of working${tail}, says ${by}`;
  return (
    spec.headline?.({ record: best, who, by, limit, figures: tail }) ??
    `${by} ended ${who ?? 'the process'} at its ${best.variant === 'virtual-memory' ? 'limit of virtual memory' : 'memory limit'}${tail}`
  );
}

const properNames: Readonly<Record<string, string>> = {
  'app-engine': 'App Engine',
  'aws-ecs': 'Amazon ECS',
  'aws-lambda': 'AWS Lambda',
  azure: 'Azure',
  'bitbucket-pipelines': 'Bitbucket Pipelines',
  'cloud-foundry': 'Cloud Foundry',
  'cloud-functions': 'Cloud Functions',
  'cloud-run': 'Cloud Run',
  cloudflare: 'Cloudflare',
  colab: 'Colab',
  docker: 'Docker',
  heroku: 'Heroku',
  htcondor: 'HTCondor',
  kaggle: 'Kaggle',
  kubelet: 'the kubelet',
  kubernetes: 'Kubernetes',
  lsf: 'LSF',
  nomad: 'Nomad',
  pbs: 'PBS',
  ray: "Ray's memory monitor",
  render: 'Render',
  sge: 'SGE',
  slurm: 'Slurm',
  yarn: 'YARN',
  'cgroup counter': "the cgroup's counter",
  'dask nanny': "Dask's nanny",
  monit: 'Monit',
  odoo: 'Odoo',
  pm2: 'PM2',
};
const properName = (by: string): string => properNames[by] ?? by;

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const short = (label: string): string => (label.length > 60 ? `…${label.slice(-58)}` : label);

/** A limit named elsewhere in the text, where there is one and not several that contradict each other. */
function statedLimit(
  best: KillerRecord,
  { limitOf = [] }: Spec,
  { limits = [] }: Context,
): Limit | undefined {
  const of = typeof limitOf === 'function' ? limitOf(best) : limitOf;
  const fitting = limits.filter((one) => of.includes(one.of));
  const sizes = new Set(fitting.map(({ limit }) => limit.bytes));
  return sizes.size === 1 ? fitting[0]!.limit : undefined;
}

function measuredLimit({ metrics = [] }: Context): Limit | undefined {
  const window = metrics.find(({ limitBytes }) => limitBytes !== undefined);
  return window?.limitBytes === undefined
    ? undefined
    : { owner: 'cgroup', bytes: window.limitBytes };
}

function metricsReasons(limit: Limit | undefined, { metrics = [] }: Context) {
  return limit === undefined
    ? []
    : metrics
        .filter(({ reading }) => reading !== 'calm')
        .map((window) => reason(window, window.message));
}

/** A status without a pid, beside the kernel's own line on that kill: the same death. */
function duplicateSubject(
  best: KillerRecord,
  label: string | undefined,
  { kernelKills = [] }: Context,
): Subject | undefined {
  if (best.victim?.pid !== undefined || kernelKills.length === 0) return undefined;
  const inCgroup = kernelKills.filter(({ taskMemcg, oomMemcg }) =>
    [taskMemcg, oomMemcg].some(
      (path) =>
        label !== undefined &&
        path !== undefined &&
        (path.includes(label) || sameLabel(path, label)),
    ),
  );
  const kill = inCgroup.at(-1) ?? kernelKills.at(-1)!;
  if (kill.victim.pid === undefined) return undefined;
  return {
    pid: kill.victim.pid,
    ...defined({ name: kill.victim.name, label, when: kill.when }),
    position: positionOf(kill),
  };
}

function unknowns(best: KillerRecord): readonly Question[] {
  if (best.sourceKind === 'direct') return [];
  // A platform runs one program, and its host is nobody's to look into.
  if (best.cause === 'platform-limit') return [];
  if (best.cause === 'jetsam')
    return [
      {
        id: 'which-process-was-killed',
        what: 'Which process was killed, and why',
        why: 'the process with its reason is not in this text',
        command: witnessCommand(best),
      },
    ];
  const isUnit = best.reporter === 'systemd';
  const whole = isUnit ? 'unit' : 'container';
  return [
    ...(isUnit && best.cause === 'kernel-cgroup-oom'
      ? [
          {
            id: 'which-limit' as const,
            what: 'Whose limit it was: that of the unit, of a slice above it, or the machine',
            why: 'systemd counts the kills in the unit, whatever brought the killer',
            command: 'sudo journalctl -k | grep -E "oom-kill:|memory: usage|Killed process"',
          },
        ]
      : []),
    {
      id: 'which-process-of-container',
      what: `Which process of the ${whole} was killed, and when`,
      why: `the flag of ${best.reporter} speaks of the whole ${whole} and stays set until it is started again`,
      command: "sudo journalctl -k | grep -i 'killed process'",
    },
  ];
}
