/**
 * What a value from disk must look like before anybody trusts its type. Written by hand, not with a schema library: a long run leaves
 * hundreds of thousands of lines, and each of them passes here.
 */
import type { Limit, StackFrame } from '../model/report.ts';
import { parseTime } from '../model/units.ts';

export type Check = (value: unknown) => boolean;

/** What becomes of a field that is there and wrong. Of one that is absent only `required` and `otherwise` speak. */
interface Field {
  readonly key: string;
  readonly check: Check;
  /**
   * - `required`: absent or wrong, the whole value is not read.
   * - `strict`: may be absent; wrong, the whole value is not read, because without it the value would say something else.
   * - `drop`: wrong, it is left out.
   * - `otherwise`: absent or wrong, `value` stands in.
   */
  readonly when: 'required' | 'strict' | 'drop' | 'otherwise';
  readonly value?: unknown;
}
export type Shape = readonly Field[];

export const required = (key: string, check: Check): Field => ({ key, check, when: 'required' });
export const strict = (key: string, check: Check): Field => ({ key, check, when: 'strict' });
export const optional = (key: string, check: Check): Field => ({ key, check, when: 'drop' });
export const otherwise = (key: string, check: Check, value: unknown): Field => ({
  key,
  check,
  when: 'otherwise',
  value,
});

export type Fields = Record<string, unknown>;
export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `whole`: nothing was wrong. `part`: something was left out. `none`: it cannot be read. */
export type Conformity = 'whole' | 'part' | 'none';

/** Makes a value fresh from JSON.parse fit: what is wrong in it is taken out of it. */
export function conform(value: Fields, shape: Shape): Conformity {
  let result: Conformity = 'whole';
  for (const { key, check, when, value: instead } of shape) {
    const own = value[key];
    if (own === undefined) {
      if (when === 'required') return 'none';
      if (when === 'otherwise') value[key] = instead;
    } else if (!check(own)) {
      if (when === 'required' || when === 'strict') return 'none';
      result = 'part';
      if (when === 'otherwise') value[key] = instead;
      else delete value[key];
    }
  }
  return result;
}

/** A list whose members are checked one by one: those that are wrong leave it. false: there were such. */
export function keepOnly(list: unknown[], fits: Check): boolean {
  const length = list.length;
  let kept = 0;
  for (const member of list) if (fits(member)) list[kept++] = member;
  list.length = kept;
  return kept === length;
}

/** A whole century: beyond it neither dates nor durations mean anything. */
const longestMs = 100 * 366 * 86_400_000;
/** A clock that was set back while the kernel's went on. */
const earliestMs = -3_600_000;
const largest = 2 ** 64;

/** A moment, counted from the start of a run. */
export const isMoment: Check = (value) =>
  typeof value === 'number' && value >= earliestMs && value <= longestMs;
/** A size, a duration or whatever else is never negative. */
export const isAmount: Check = (value) =>
  typeof value === 'number' && value >= 0 && value <= largest;
export const isNumber: Check = (value) =>
  typeof value === 'number' && value >= -largest && value <= largest;
const isIndex = (value: unknown, least: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value < 2 ** 31;
export const isPid: Check = (value) => isIndex(value, 1);
/** pid 0 stands for whoever is outside of this pid namespace. */
export const isParentPid: Check = (value) => isIndex(value, 0);
export const isCount: Check = (value) => isIndex(value, 0);
export const isText: Check = (value) => typeof value === 'string';
export const isBoolean: Check = (value) => typeof value === 'boolean';
export const isTime: Check = (value) => typeof value === 'string' && parseTime(value) !== undefined;
export const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
export const oneOf =
  (...words: readonly (string | number)[]): Check =>
  (value) =>
    words.includes(value as string);
export const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
export const object =
  (...shape: Shape): Check =>
  (value) =>
    isFields(value) && conform(value, shape) !== 'none';

const limitOwners = {
  host: true,
  cgroup: true,
  rlimit: true,
  overcommit: true,
  'address-space': true,
  'map-count': true,
  'numa-node': true,
  daemon: true,
  orchestrator: true,
  scheduler: true,
  platform: true,
  runtime: true,
  gpu: true,
  shm: true,
  budget: true,
  unknown: true,
} satisfies Record<Limit['owner'], true>;
export const isLimit = object(
  required('owner', (value) => typeof value === 'string' && Object.hasOwn(limitOwners, value)),
  optional('path', isText),
  required('bytes', orNull(isAmount)),
);
export const isFrame = object(
  required('function' satisfies keyof StackFrame, isText),
  otherwise('file' satisfies keyof StackFrame, orNull(isText), null),
  otherwise('line' satisfies keyof StackFrame, orNull(isCount), null),
  optional('text' satisfies keyof StackFrame, isText),
);
