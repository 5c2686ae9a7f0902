/** Pods, events and lists as `kubectl get -o json|yaml` prints them: container states with OOMKilled, limits, evictions. */
import { defined } from '../../model/defined.ts';
import { parseAllDocuments } from 'yaml';
import type { DeathNotice, Evidence, KillerRecord } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { originOf, wholeText } from '../text/lines.ts';
import { jsonValues } from '../text/json.ts';
import { otherEviction } from '../text/evictions.ts';
import { quantityBytes } from '../text/sizes.ts';
import { isoTimeIn } from '../../model/units.ts';

const id = 'kubernetes-objects';
/** YAML is parsed whole: a list of thousands of pods is given up rather than waited for. */
const maxYamlLength = 1_000_000;
/** Anchors and aliases are not printed by kubectl; thousands of them are an attack on the reader. */
const maxAnchors = 50;

export const kubernetesObjects: Parser = {
  id,
  title: 'Kubernetes pods and events as JSON or YAML',
  literals: [
    'containerStatuses',
    'initContainerStatuses',
    '"Evicted"',
    'reason: Evicted',
    '"Preempted"',
    'reason: Preempt',
    '"Preempting"',
    'imminent node shutdown',
    '"SystemOOM"',
    'reason: SystemOOM',
  ],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  const whole = wholeText(input);
  if (!/containerStatuses|Evicted|SystemOOM|Preempt|node shutdown/i.test(whole)) return;
  let any = false;
  for (const { value, from, to } of jsonValues(input)) {
    for (const object of objectsIn(value)) {
      any = true;
      yield* factsOf(object, input, from, to);
    }
  }
  if (
    any ||
    whole.length > maxYamlLength ||
    !/^\s{0,40}(?:- )?(?:kind|status|containerStatuses|apiVersion):/m.test(whole)
  )
    return;
  for (const value of yamlValues(whole))
    for (const object of objectsIn(value)) yield* factsOf(object, input, 0, input.lines.length - 1);
}

function yamlValues(text: string): readonly unknown[] {
  const clean = text.replace(/^```\w*$/gm, '');
  const start = clean.search(
    /^(?:apiVersion|kind|items|status|metadata|- apiVersion|containerStatuses|reason):/m,
  );
  if (start === -1) return [];
  if ((clean.match(/[\s:[,{-][&*]\w/g) ?? []).length > maxAnchors) return [];
  if (/[[{]{40}/.test(clean)) return [];
  try {
    // Errors with their place and line take the square of a line's length where each letter is one.
    const options = { logLevel: 'silent', uniqueKeys: false, prettyErrors: false } as const;
    return parseAllDocuments(clean.slice(start), options).map((document) => {
      try {
        return document.toJS({ maxAliasCount: 100 }) as unknown;
      } catch {
        return null;
      }
    });
  } catch {
    return [];
  }
}

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((object, key) => (isObject(object) ? object[key] : undefined), value);
const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Pods, events, or what looks like the status of a pod, alone or in a list. */
function* objectsIn(value: unknown): Iterable<Json> {
  if (Array.isArray(value)) for (const one of value) yield* objectsIn(one);
  if (!isObject(value)) return;
  if (Array.isArray(value['items'])) yield* objectsIn(value['items']);
  else if (
    isObject(value['status']) ||
    value['kind'] === 'Event' ||
    typeof value['reason'] === 'string'
  )
    yield value;
  else if (Array.isArray(value['containerStatuses'])) yield { status: value };
}

function* factsOf(
  object: Json,
  input: Input,
  from: number,
  to: number,
): Iterable<KillerRecord | DeathNotice> {
  const name = text(at(object, 'metadata', 'name'));
  if (
    object['kind'] === 'Event' ||
    (object['status'] === undefined && text(object['reason']) !== undefined)
  ) {
    yield* event(object, input, from, to);
    return;
  }
  yield* endedOtherwise(text(at(object, 'status', 'message')), name, {}, input, from, to);
  if (text(at(object, 'status', 'reason')) === 'Evicted') {
    const message = text(at(object, 'status', 'message')) ?? '';
    if (/\bmemory\b/i.test(message) && !/low on resource: (?!\[?memory)/.test(message))
      yield {
        kind: 'killer-record',
        origin: near(input, from, to, 'low on resource: memory', 'low on resource', 'Evicted'),
        reporter: 'kubelet',
        cause: 'orchestrator-eviction',
        message: `the kubelet evicted the pod: ${message.slice(0, 300)}`,
        ...defined({ subject: name }),
        sourceKind: 'direct',
      };
  }
  const containers = [
    ...list(at(object, 'spec', 'containers')),
    ...list(at(object, 'spec', 'initContainers')),
  ];
  for (const status of [
    ...list(at(object, 'status', 'initContainerStatuses')),
    ...list(at(object, 'status', 'containerStatuses')),
  ]) {
    const ended = [at(status, 'state', 'terminated'), at(status, 'lastState', 'terminated')].find(
      (state) => text(at(state, 'reason')) === 'OOMKilled',
    );
    if (ended === undefined) continue;
    const container = text(at(status, 'name'));
    const spec = containers.find((one) => at(one, 'name') === container);
    const limit =
      at(spec, 'resources', 'limits', 'memory') ?? at(status, 'resources', 'limits', 'memory');
    const bytes = limit === undefined ? undefined : quantityBytes(String(limit));
    const exitCode = at(ended, 'exitCode');
    const finished = text(at(ended, 'finishedAt'));
    const restarts = at(status, 'restartCount');
    yield {
      kind: 'killer-record',
      origin: near(input, from, to, 'OOMKilled', container ?? 'OOMKilled'),
      ...whenIn(finished),
      reporter: 'kubernetes',
      cause: 'kernel-cgroup-oom',
      message: `the status of the container says OOMKilled${typeof restarts === 'number' ? ` (${restarts} restarts)` : ''}`,
      subject: [name, container].filter((part) => part !== undefined).join('/') || 'container',
      ...(bytes === undefined ? {} : { limit: { owner: 'cgroup', bytes } }),
      sourceKind: 'indirect',
      ...(typeof exitCode === 'number' ? { exitCode } : {}),
    };
  }
}

const whenIn = (stamp = '') => {
  const wall = isoTimeIn(stamp);
  return wall === undefined ? {} : { when: { wall } };
};

/** Evicted, preempted or shut down for something that is not memory. */
function* endedOtherwise(
  message: string | undefined,
  name: string | undefined,
  when: Pick<DeathNotice, 'when'>,
  input: Input,
  from: number,
  to: number,
): Iterable<DeathNotice> {
  const eviction = message === undefined ? undefined : otherEviction(message);
  if (eviction === undefined) return;
  yield {
    kind: 'death-notice',
    origin: near(input, from, to, eviction.literal.trim(), 'Evicted', 'Preempt'),
    ...when,
    reporter: 'kubelet',
    signal: 'SIGKILL',
    ...defined({ name, otherReason: eviction.otherReason, resource: eviction.resource }),
  };
}

function* event(
  object: Json,
  input: Input,
  from: number,
  to: number,
): Iterable<KillerRecord | DeathNotice> {
  const reason = text(object['reason']);
  const message = text(object['message']) ?? text(object['note']) ?? '';
  const victim = /victim process: (.{0,64}?), pid: (\d{1,9})/.exec(message);
  const stamp = text(object['lastTimestamp']) ?? text(object['eventTime']) ?? '';
  const when = whenIn(stamp);
  yield* endedOtherwise(message, text(at(object, 'involvedObject', 'name')), when, input, from, to);
  if (reason === 'SystemOOM' && victim !== null)
    yield {
      kind: 'killer-record',
      origin: near(input, from, to, victim[0], 'SystemOOM'),
      ...when,
      reporter: 'kubelet',
      cause: 'kernel-global-oom',
      message:
        'the kubelet saw in the kernel log that the whole node was out of memory and whom the kernel killed',
      victim: { name: victim[1]!, pid: Number(victim[2]) },
      sourceKind: 'direct',
    };
  if (reason === 'Evicted' && /low on resource: \[?memory/.test(message)) {
    const name = text(at(object, 'involvedObject', 'name'));
    yield {
      kind: 'killer-record',
      origin: near(input, from, to, 'low on resource: memory', 'low on resource', 'Evicted'),
      ...when,
      reporter: 'kubelet',
      cause: 'orchestrator-eviction',
      message: `the kubelet evicted the pod: ${message.slice(0, 300)}`,
      ...defined({ subject: name }),
      sourceKind: 'direct',
    };
  }
}

/** The line of the words, as origin; of the first of them that is found. */
function near(input: Input, from: number, to: number, ...words: readonly string[]) {
  for (const word of words) {
    const index = input.lines.findIndex(
      (line, here) => here >= from && here <= to && line.text.includes(word),
    );
    if (index !== -1) return originOf(input, id, index, index, word);
  }
  return originOf(input, id, from);
}
