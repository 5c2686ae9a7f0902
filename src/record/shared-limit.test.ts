import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SourceSeen } from '../model/incident-folder.ts';
import type { WatchedCgroup } from './cgroups.ts';
import type { SampleEvent } from './sampler.ts';
import { sharedLimit } from './shared-limit.ts';

const mib = 2 ** 20;
let self = '';
beforeEach(() => {
  self = mkdtempSync(join(tmpdir(), 'coroner-test-shared-'));
});
afterEach(() => rmSync(self, { recursive: true, force: true }));

const cgroup = (version: 1 | 2, path: string, limitBytes: number | null) =>
  ({ place: { version, path, folder: path }, limits: { limitBytes } }) as WatchedCgroup;

/** What is said of a recorder in `membership` that holds so much. */
function said(membership: string, heldMib: number, cgroups: readonly WatchedCgroup[]) {
  writeFileSync(join(self, 'cgroup'), membership);
  writeFileSync(join(self, 'status'), `Name:\tnode\nRssAnon:\t${heldMib * 1024} kB\n`);
  const sources: Omit<SourceSeen, 'what' | 'atMs'>[] = [];
  const companion = sharedLimit(self);
  companion.started!(1, {
    folder: null,
    mark: '',
    clock: () => 0,
    pageSizeBytes: 4096,
    note: () => {},
    missed: (source) => sources.push(source),
  });
  companion.onSample!({ cgroups } as SampleEvent);
  void companion.ended!();
  return sources;
}

const both = [cgroup(1, '/job', 50 * mib), cgroup(1, '/', null)];
test.each([
  ['v1', '9:cpu,memory:/job\n', both],
  ['v1, from below', '9:memory:/job/coroner\n', both],
  ['v2', '0::/job\n', [cgroup(2, '/job', 50 * mib)]],
  ['the smallest counts', '0::/job/a\n', [cgroup(2, '/', 900 * mib), cgroup(2, '/job', 50 * mib)]],
])('%s: what coroner held of a limit that it shared', (_, membership, cgroups) => {
  expect(said(membership, 16, cgroups)).toEqual([
    {
      id: 'recorder',
      place: '/job',
      status: 'read',
      detail: 'coroner ran within the same limit and held 16 MiB of its 50 MiB',
    },
  ]);
});

test.each([
  ['coroner is outside', '9:memory:/\n', 16, both],
  ['a neighbour of a similar name', '9:memory:/jobs\n', 16, both],
  ['the other hierarchy', '0::/job\n', 16, both],
  ['so much room that it does not matter', '9:memory:/job\n', 16, [cgroup(1, '/job', 2048 * mib)]],
  ['no limit', '9:memory:/job\n', 16, [cgroup(1, '/job', null)]],
  ['nothing can be read', '', 16, both],
])('%s: nothing is said', (_, membership, heldMib, cgroups) => {
  expect(said(membership, heldMib, cgroups)).toEqual([]);
});
