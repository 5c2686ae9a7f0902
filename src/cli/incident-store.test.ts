import { expect, test } from 'vitest';
import { snapshotsIn } from '../gather/incident-folder/snapshots.ts';
import { asReport } from './incident-store.ts';

/** As it was written before holders had kinds. */
const memory = {
  holders: [
    { name: '(held by C code only)', path: '' },
    { name: 'rows', path: '' },
  ],
};
const kinds = ['c-code', 'variable'];

test('holders of an old report get their kind where the report is read', () => {
  const { incidents } = asReport({ format: 'coroner/1', incidents: [{ memory }] }, 'old.json');
  expect(incidents[0]!.memory.holders!.map(({ kind }) => kind)).toEqual(kinds);
});

test('so do those of an old snapshot', () => {
  const file = { format: 'coroner-look/1', atMs: 1, pid: 2, name: 'python3', picture: memory };
  const [snapshot] = snapshotsIn(new Map([['looks/001-2.json', JSON.stringify(file)]]));
  expect(snapshot!.picture.holders!.map(({ kind }) => kind)).toEqual(kinds);
});
