import { expect, test } from 'vitest';
import { snapshotsIn } from '../gather/incident-folder/snapshots.ts';
import { asReport } from './incident-store.ts';

const held = {
  scope: 'local',
  function: 'load',
  file: 'app.py',
  line: 1,
  path: '',
  type: 'list',
  ownBytes: 0,
  retainedBytes: 1,
  alsoHeldBy: [],
  estimate: false,
};
/** As it was written before holders had kinds. */
const memory = {
  holders: [
    { ...held, name: '(held by C code only)' },
    { ...held, name: 'rows' },
  ],
};
const kinds = ['c-code', 'variable'];

test('holders of an old report get their kind where the report is read', () => {
  const { incidents } = asReport({ format: 'coroner/1', incidents: [{ memory }] }, 'old.json');
  expect(incidents[0]!.memory.holders!.map(({ kind }) => kind)).toEqual(kinds);
});

test('so do those of an old snapshot', () => {
  const file = { format: 'coroner-look/1', atMs: 1, pid: 2, name: 'python3', picture: memory };
  const { snapshots } = snapshotsIn(new Map([['looks/001-2.json', JSON.stringify(file)]]));
  expect(snapshots[0]!.picture.holders!.map(({ kind }) => kind)).toEqual(kinds);
});
