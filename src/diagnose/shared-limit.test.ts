import { expect, test } from 'vitest';
import type { Prose } from '../model/prose.ts';
import type { Incident } from '../model/report.ts';
import { withSharedLimit } from './shared-limit.ts';

const detail = 'coroner ran within the same limit and held 16 MiB of its 50 MiB';
const remedy = { title: 'Give it more', detail: 'It died at the limit.', command: null };
const source = (place: string) => ({ id: 'recorder', place, status: 'read' as const, detail });
const advice = (limit: Incident['limit'], place: string): Prose | undefined =>
  withSharedLimit({ limit, remedies: [remedy, remedy] } as unknown as Incident, [source(place)])
    .remedies[0]?.detail;
const more = `${detail}: without it the command would have had that much more. It died at the limit.`;

test.each([
  ['the same cgroup', '/job', '/job'],
  ['a path within its own namespace', '/job', '/docker/abc/job'],
  ['the root of its namespace', '/', '/docker/abc'],
])('%s: the advice says what coroner took', (_, place, path) => {
  expect(advice({ owner: 'cgroup', path, bytes: 50 }, place)).toBe(more);
});
test.each<[string, Incident['limit']]>([
  ['another limit below it', { owner: 'cgroup', path: '/job/inner', bytes: 20 }],
  ['another kind of limit', { owner: 'rlimit', path: 'RLIMIT_AS', bytes: 50 }],
  ['no limit', null],
])('%s: nothing is added', (_, limit) => {
  expect(advice(limit, '/job')).toBe(remedy.detail);
});
test('no advice stays none', () => {
  const limit = { owner: 'cgroup', path: '/job', bytes: 50 } as const;
  expect(
    withSharedLimit({ limit, remedies: [] as unknown } as Incident, [source('/job')]).remedies,
  ).toEqual([]);
});
