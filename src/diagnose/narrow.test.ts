import { expect, test } from 'vitest';
import { nothingKnown, type Incident, type Report } from '../model/report.ts';
import { narrow, type Narrow } from './narrow.ts';

const incident = (more: Partial<Incident>): Incident => ({
  ...nothingKnown,
  outOfMemory: true,
  death: 'assassination',
  cause: 'kernel-cgroup-oom',
  confidence: 'certain',
  ...more,
});
const report: Report = {
  format: 'coroner/1',
  sources: [{ id: 'kernel-log', place: '/dev/kmsg', status: 'read' }],
  incidents: [
    incident({
      headline: 'a',
      at: '2026-01-31T12:00:00.000Z',
      victim: { pid: 1, name: 'python3', cgroup: '/system.slice/job.service' },
    }),
    incident({
      headline: 'b',
      at: '2026-01-30T12:00:00.000Z',
      victim: { pid: 2, name: 'ForkPoolWorker-', cgroup: '/jobs' },
    }),
    incident({
      headline: 'c',
      victim: { pid: 3 },
      related: [{ pid: 7, how: 'its child' }],
      limit: { owner: 'cgroup', path: '/kubepods/pod1', bytes: null },
    }),
  ],
};

test.each<[Narrow, string]>([
  [{}, 'abc'],
  // What has no time may well be meant.
  [{ since: new Date('2026-01-31') }, 'ac'],
  [{ until: new Date('2026-01-31') }, 'bc'],
  [{ pid: 2 }, 'b'],
  [{ pid: 7 }, 'c'],
  [{ name: 'ForkPoolWorker-12' }, 'b'],
  [{ name: 'python' }, ''],
  [{ cgroup: '/system.slice/job.service' }, 'a'],
  [{ cgroup: 'job.service/' }, 'a'],
  [{ cgroup: 'job' }, ''],
  [{ cgroup: '/kubepods' }, 'c'],
])('%j leaves %s, and the sources', (wanted, expected) => {
  const narrowed = narrow(report, wanted);
  expect(narrowed.incidents.map(({ headline }) => headline).join('')).toBe(expected);
  expect(narrowed.sources).toEqual(report.sources);
});
