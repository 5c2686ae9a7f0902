import { expect, test } from 'vitest';
import type { SnapshotFile } from '../../model/incident-folder.ts';
import type { Holder } from '../../model/report.ts';
import { snapshotEvidence, snapshotsIn } from './snapshots.ts';

const holder: Holder = {
  name: 'rows',
  scope: 'local',
  function: 'load',
  file: 'app.py',
  line: 3,
  path: 'rows -> list[3]',
  type: 'list',
  ownBytes: 1,
  retainedBytes: 2,
  alsoHeldBy: [],
  estimate: true,
};
const snapshot = (
  atMs: number,
  picture: SnapshotFile['picture'],
  more: Partial<SnapshotFile> = {},
): string =>
  JSON.stringify({
    format: 'coroner-look/1',
    pid: 7,
    name: 'python3',
    atMs,
    stage: 'quick',
    picture,
    ...more,
  } satisfies SnapshotFile);

test('the last look that knows holders speaks, with its age from when the process was let go', () => {
  const texts = new Map([
    [
      'looks/002-7.json',
      snapshot(900, { holders: [{ ...holder, retainedBytes: 9 }] }, { stoppedMs: 60 }),
    ],
    ['looks/001-7.json', snapshot(500, { holders: [holder] })],
    ['looks/003-7.json', snapshot(980, { threads: [] }, { stage: 'stacks' })],
    ['samples.ndjson', 'x'],
  ]);
  const { snapshots } = snapshotsIn(texts);
  expect(snapshots.map(({ atMs }) => atMs)).toEqual([500, 900, 980]);
  const [evidence, ...others] = snapshotEvidence(snapshots, () => 1000);
  expect(others).toEqual([]);
  expect(evidence).toMatchObject({
    kind: 'heap-snapshot',
    pid: 7,
    origin: { source: 'last-look', place: 'looks/002-7.json' },
    picture: { ageAtDeathMs: 40, holders: [{ retainedBytes: 9 }] },
  });
});

test('a file that is cut off, of another format or hostile is left out', () => {
  const whole = snapshot(1, {});
  const texts = new Map([
    ['looks/1.json', whole.slice(0, -5)],
    ['looks/2.json', 'null'],
    ['looks/3.json', '[]'],
    ['looks/4.json', whole.replace('coroner-look/1', 'coroner-look/9')],
    ['looks/5.json', whole.replace('"pid":7', '"pid":"7"')],
    ['looks/sub/6.json', whole],
  ]);
  const { snapshots, unread } = snapshotsIn(texts);
  expect(snapshots).toEqual([]);
  expect(unread.map(({ place }) => place)).toEqual([1, 2, 3, 4, 5].map((n) => `looks/${n}.json`));
});

test('of a process that did not end, the look has no age', () => {
  const [evidence] = snapshotEvidence(
    snapshotsIn(new Map([['looks/1.json', snapshot(5, {})]])).snapshots,
    () => null,
  );
  expect(evidence?.picture.ageAtDeathMs).toBeUndefined();
});

const ofRows = (share: number): SnapshotFile['picture'] => ({
  holders: [{ ...holder, retainedBytes: share * 1000 }],
});
test.each<readonly [string, Partial<SnapshotFile>, number]>([
  [
    'that the time cut short gives way to one before it that explains more',
    { cutShort: true },
    500,
  ],
  ['that was whole speaks, however little it explains: what was held may have been freed', {}, 900],
])('a later snapshot %s', (_, more, atMs) => {
  const texts = new Map([
    ['looks/001-7.json', snapshot(500, ofRows(0.8), { rssBytes: 1000 })],
    ['looks/002-7.json', snapshot(900, ofRows(0.1), { rssBytes: 1000, ...more })],
  ]);
  const [evidence] = snapshotEvidence(snapshotsIn(texts).snapshots, () => 1000);
  expect(evidence?.picture.ageAtDeathMs).toBe(1000 - atMs);
});
