/**
 * Container runtimes: `docker inspect` (whole, a part, or through --format), `docker events`, `docker ps`, compose, podman,
 * containerd, CRI-O, Nomad. OOMKilled is container-wide and sticky: it stays set after restarts inside (moby#43564).
 */
import { defined } from '../../model/defined.ts';
import type { DeathNotice, Evidence, KillerRecord } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { jsonValues } from '../text/json.ts';
import { elsewhere, lineAt, mentions, originOf, wholeText, type Found } from '../text/lines.ts';
import { readKillers, type KillerWording } from '../text/killers.ts';
import { readNotices, type NoticeWording } from '../text/notices.ts';
import { isoTimeIn } from '../../model/units.ts';

const id = 'containers';
const docker = {
  reporter: 'docker',
  cause: 'kernel-cgroup-oom',
  owner: 'cgroup',
  sourceKind: 'indirect',
} as const;

const kills: readonly KillerWording[] = [
  {
    ...docker,
    literal: 'OOMKilled',
    pattern: /["']?\bOOMKilled["']?(?: ?[:=]{1,2} ?| )["'`]{0,2}[Tt]rue\b/,
    message:
      'Docker has the flag OOMKilled: some process of the container was killed at its memory limit since the container was started',
    refine: withState,
  },
  {
    ...docker,
    literal: 'container oom',
    pattern:
      /\bcontainer oom (?<subject>[0-9a-f]{12,64})(?: \(.{0,400}?name=(?<cgroup>[\w.-]{1,100}).{0,200}?\))?/,
    message: 'the event stream of Docker has an oom event of the container',
    refine: ({ groups }, { victim: _ignored, ...record }) => ({
      ...record,
      subject: groups['cgroup'] ?? groups['subject']!,
    }),
  },
  {
    ...docker,
    literal: '"oom"',
    pattern:
      /"status": ?"oom", ?"id": ?"(?<subject>[0-9a-f]{12,64})"(?:.{0,600}?"name": ?"(?<cgroup>[\w.-]{1,100})")?/,
    message: 'the event stream of Docker has an oom event of the container',
    refine: ({ groups }, { victim: _ignored, ...record }) => ({
      ...record,
      subject: groups['cgroup'] ?? groups['subject']!,
    }),
  },
  {
    reporter: 'containerd',
    cause: 'kernel-cgroup-oom',
    owner: 'cgroup',
    sourceKind: 'indirect',
    literal: 'TaskOOM',
    pattern: /TaskOOM event.{0,40}?(?:container_?id[:=\\" ]{1,5}(?<subject>[0-9a-f]{12,64}))?/i,
    message: 'containerd saw an OOM event of the container',
  },
  {
    reporter: 'podman',
    cause: 'kernel-cgroup-oom',
    owner: 'cgroup',
    sourceKind: 'indirect',
    literal: '/tasks/oom',
    pattern: /\/tasks\/oom \{?"?container_id"?:"?(?<subject>[0-9a-f]{12,64})/,
    message: 'containerd has an oom event of the container',
  },
  {
    reporter: 'nomad',
    cause: 'kernel-cgroup-oom',
    owner: 'cgroup',
    sourceKind: 'indirect',
    literal: 'OOM Killed',
    pattern:
      /Exit Code: (?<code>\d{1,3}),? (?:Exit Message: )?"?(?:Docker container exited with non-zero exit code: \d{1,3}; )?.{0,60}OOM Killed/,
    message: 'Nomad tells that the task was OOM killed',
  },
  {
    reporter: 'crun',
    cause: 'kernel-cgroup-oom',
    owner: 'cgroup',
    sourceKind: 'indirect',
    literal: 'memory limit could be too low',
    pattern: /OOM: the memory limit could be too low/,
    message: 'the runtime could not even start the container in its memory limit',
  },
  {
    reporter: 'runc',
    cause: 'kernel-cgroup-oom',
    owner: 'cgroup',
    sourceKind: 'indirect',
    literal: 'container init was OOM-killed',
    pattern: /container init was OOM-killed \(memory limit too low\?\)/,
    message: 'the runtime could not even start the container in its memory limit',
  },
  {
    reporter: 'ECS agent',
    cause: 'kernel-cgroup-oom',
    owner: 'cgroup',
    sourceKind: 'indirect',
    literal: 'died due to OOM',
    pattern:
      /process within container [0-9a-f]{12,64}(?: \(name: "(?<subject>[^"]{1,200})"\))? died due to OOM/,
    message:
      'the agent of ECS heard from Docker that a process of the container was killed at its memory limit',
  },
  {
    reporter: 'OpenShift',
    cause: 'kernel-cgroup-oom',
    owner: 'cgroup',
    sourceKind: 'indirect',
    literal: 'was killed due to an out of memory condition',
    pattern: /[Tt]he build pod was killed due to an out of memory condition/,
    message:
      'OpenShift tells that the pod of the build was killed at its memory limit (OutOfMemoryKilled)',
  },
];

/** State, limit and exit code that stand around the flag. */
function withState({ input, index }: Found, record: KillerRecord): KillerRecord | undefined {
  const around = Array.from({ length: 40 }, (_, step) => lineAt(input, index - 20 + step)).join(
    '\n',
  );
  const code = /Exit ?[Cc]ode["'`]?\s{0,3}[:=]\s{0,3}["']?(\d{1,3})|Exited \((\d{1,3})\)/.exec(
    around,
  );
  const name = /"Name": "\/?([\w.-]{1,100})"/.exec(around);
  // "Memory": 0 is no limit
  const memory = elsewhere(input, /"Memory": (\d{1,16})/);
  const bytes = memory === null || memory[1] === '0' ? undefined : Number(memory[1]);
  const running = /"?Running"?: true|"Status": "running"/.test(around);
  return {
    ...record,
    ...(running
      ? {
          variant: 'sticky-flag',
          message:
            'Docker has the flag OOMKilled although the container runs: some process in it was killed at the memory limit, perhaps not the main one and perhaps long ago',
        }
      : {}),
    ...(name === null ? {} : { subject: name[1]! }),
    ...(code === null ? {} : { exitCode: Number(code[1] ?? code[2]) }),
    ...(bytes === undefined ? {} : { limit: { owner: 'cgroup', bytes } }),
  };
}

const stoppedThroughDocker = 'somebody sent it a signal through Docker (docker kill or stop)';

/** Docker's event carries the name of the container behind the rest: `(exitCode=137, image=shop, name=web)`, `"name":"web"`. */
function eventName({ input, index }: Found, notice: DeathNotice): DeathNotice {
  const name =
    /[(, ]name=([\w.-]{1,100})|"name": ?"([\w.-]{1,100})"/.exec(lineAt(input, index)) ?? undefined;
  return { ...notice, ...defined({ name: name?.[1] ?? name?.[2] ?? notice.name }) };
}

const endings: readonly NoticeWording[] = [
  {
    reporter: 'docker',
    literal: 'Exited (137)',
    exitCode: 137,
    pattern: /(?:(?<name>[\w.-]{1,80}) +)?Exited \(137\)/,
    unless: ({ input }) => oomFlag(input) === true,
  },
  {
    reporter: 'docker',
    literal: 'exited with code 137',
    exitCode: 137,
    pattern: /(?:(?<name>[\w.-]{1,80}) )?exited with code 137/,
    unless: ({ input }) => oomFlag(input) === true,
  },
  {
    reporter: 'docker',
    literal: 'container kill',
    otherReason: stoppedThroughDocker,
    pattern:
      /\bcontainer kill (?<name>[0-9a-f]{12,64}) \(.{0,400}signal=(?<signal>9|15|SIGKILL|SIGTERM|KILL|TERM)\b/,
    refine: eventName,
  },
  {
    reporter: 'docker',
    literal: 'container die',
    pattern: /\bcontainer die (?<name>[0-9a-f]{12,64}) \(.{0,400}exitCode=(?<code>137|139|134)\b/,
    refine: eventName,
  },
  {
    reporter: 'docker',
    literal: '"kill"',
    otherReason: stoppedThroughDocker,
    pattern:
      /"(?:status|Action)": ?"kill".{0,900}?"signal": ?"(?<signal>9|15|SIGKILL|SIGTERM|KILL|TERM)"/,
    refine: eventName,
  },
  {
    reporter: 'docker',
    literal: '"die"',
    pattern: /"(?:status|Action)": ?"die".{0,900}?"exitCode": ?"(?<code>137|139|134)"/,
    refine: eventName,
  },
  {
    reporter: 'docker',
    literal: 'failed to exit within',
    signal: 'SIGKILL',
    otherReason: 'it did not stop in time (docker stop)',
    pattern: /Container (?<name>[0-9a-f]{12,64}) failed to exit within .{1,40} - using the force/,
  },
  {
    reporter: 'docker',
    literal: 'Health check',
    signal: 'SIGKILL',
    otherReason: 'its health check failed',
    pattern: /(?:unhealthy|Health check failed).{0,80}(?:killing|killed|restart)/,
  },
];

/** What the flag says in the text: true, false, or nothing. */
function oomFlag(input: Input): boolean | undefined {
  if (mentions(input, /OOMKilled["']?(?: ?[:=]{1,2} ?| )["'`]{0,2}true/i)) return true;
  return mentions(input, /OOMKilled["']?(?: ?[:=]{1,2} ?| )["'`]{0,2}false/i) ? false : undefined;
}

export const containers: Parser = {
  id,
  title: 'Docker, podman, containerd, CRI-O, Nomad: states, events and endings of containers',
  literals: [...new Set([...kills, ...endings].map(({ literal }) => literal))],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  const inspected = [...inspect(input)];
  if (inspected.length > 0) yield* inspected;
  else {
    let last: string | undefined;
    for (const record of readKillers(input, id, kills)) {
      // One flag, printed by inspect and again by --format.
      if (record.message === last && record.subject === undefined) continue;
      last = record.message;
      yield record;
    }
  }
  if (inspected.length === 0) yield* templated(input);
  const flag = oomFlag(input);
  const stopped = new Set<string | undefined>();
  for (const told of readNotices(input, id, endings)) {
    if (told.otherReason !== undefined) stopped.add(told.name);
    // docker stop: TERM, KILL after its grace, and then the end that both brought about
    const notice =
      told.otherReason === undefined && told.name !== undefined && stopped.has(told.name)
        ? { ...told, otherReason: stoppedThroughDocker }
        : told;
    // "OOMKilled": false with 137: the runtime saw no kill at the limit
    yield flag === false && notice.otherReason === undefined && notice.exitCode === 137
      ? withoutFlag(notice)
      : notice;
  }
}

/** `docker inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' web` and, below it, `true 137`. */
function* templated(input: Input): Iterable<KillerRecord | DeathNotice> {
  for (const [at, { text }] of input.lines.entries()) {
    if (!text.includes('.OOMKilled}}') || /OOMKilled=\{\{/.test(text)) continue;
    const fields = [...text.slice(0, 2000).matchAll(/\{\{ ?\.(?:State\.)?(\w{1,40}) ?\}\}/g)].map(
      ([, field]) => field!,
    );
    const answer = [1, 2]
      .map((step) => lineAt(input, at + step).trim())
      .find((line) => line !== '');
    const values = (answer ?? '').split(/[\s,|;/]+/);
    const value = (name: string): string | undefined => values[fields.indexOf(name)];
    if (values.length !== fields.length || !/^(?:true|false)$/.test(value('OOMKilled') ?? ''))
      continue;
    const code = Number(value('ExitCode') ?? Number.NaN);
    const common = {
      origin: originOf(input, id, at, at + 1, 'OOMKilled'),
      reporter: 'docker',
      ...(Number.isNaN(code) ? {} : { exitCode: code }),
    } as const;
    if (value('OOMKilled') === 'true')
      yield {
        kind: 'killer-record',
        ...common,
        cause: 'kernel-cgroup-oom',
        message:
          'Docker has the flag OOMKilled: some process of the container was killed at its memory limit since the container was started',
        sourceKind: 'indirect',
      };
    else if (code === 137)
      yield { kind: 'death-notice', ...common, signal: 'SIGKILL', flagged: false };
  }
}

/** The runtime's own "no": misses kills of children (kubernetes#50632) and races on cgroup v2 (moby#38352), so it is no rule-out by itself. */
const withoutFlag = (notice: DeathNotice): DeathNotice => {
  const { hints: _hints, hintIds: _ids, ...rest } = notice;
  return { ...rest, flagged: false };
};

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whole `docker inspect`, `podman inspect` documents. */
function* inspect(input: Input): Iterable<KillerRecord | DeathNotice> {
  if (!wholeText(input).includes('OOMKilled')) return;
  for (const { value, from, to } of jsonValues(input))
    for (const one of Array.isArray(value) ? value : [value]) {
      if (!isObject(one)) continue;
      const state = isObject(one['State']) ? one['State'] : one;
      const flag = state['OOMKilled'];
      if (typeof flag !== 'boolean' || typeof state['ExitCode'] !== 'number') continue;
      const name = typeof one['Name'] === 'string' ? one['Name'].replace(/^\//, '') : undefined;
      const host = one['HostConfig'];
      const memory = isObject(host) ? host['Memory'] : undefined;
      const index = input.lines.findIndex(
        (line, here) => here >= from && here <= to && line.text.includes('OOMKilled'),
      );
      const finished =
        typeof state['FinishedAt'] === 'string' ? isoTimeIn(state['FinishedAt']) : undefined;
      const common = {
        origin: originOf(input, id, index, index, 'OOMKilled'),
        ...(finished === undefined ? {} : { when: { wall: finished } }),
        reporter: 'docker',
        exitCode: state['ExitCode'],
      } as const;
      if (flag) {
        const running = state['Running'] === true;
        yield {
          kind: 'killer-record',
          ...common,
          cause: 'kernel-cgroup-oom',
          ...(running ? { variant: 'sticky-flag' } : {}),
          message: running
            ? 'Docker has the flag OOMKilled although the container runs: some process in it was killed at the memory limit, perhaps not the main one and perhaps long ago'
            : 'Docker has the flag OOMKilled: some process of the container was killed at its memory limit since the container was started',
          ...defined({ subject: name }),
          ...(typeof memory === 'number' && memory > 0
            ? { limit: { owner: 'cgroup', bytes: memory } }
            : {}),
          sourceKind: 'indirect',
        };
      } else if (state['ExitCode'] === 137)
        yield {
          kind: 'death-notice',
          ...common,
          ...defined({ name }),
          signal: 'SIGKILL',
          flagged: false,
        };
    }
}
