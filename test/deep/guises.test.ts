/**
 * Part of the matrix as an ordinary user, and inside namespaces as in a container: no kernel log, cgroups read-only, pids of its own.
 * Verdicts degrade in words, never in truth: the cause is the same or cannot be told, and no kill by the kernel is `certain`.
 */
import { appendFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Cause } from '../../src/model/causes.ts';
import { command, root } from '../have.ts';
import { judge } from './matrix/judge.ts';
import { live, type Guise } from './matrix/provoke.ts';
import type { Expected, Row } from './matrix/row.ts';
import { rows } from './matrix/rows.ts';

const dev = `
set -e
# What a container's /dev has, and no kmsg.
dev=$(mktemp -d); mount -t tmpfs coroner-test "$dev"
for node in null zero full random urandom tty; do touch "$dev/$node"; mount --bind "/dev/$node" "$dev/$node"; done
mkdir "$dev/shm"; mount -t tmpfs coroner-test "$dev/shm"; ln -s /proc/self/fd "$dev/fd"
mount --rbind "$dev" /dev`;
/** Cgroups from the container's own root on, read-only. */
const container = `${dev}
if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
  mount -t tmpfs coroner-test /sys/fs/cgroup; mkdir /sys/fs/cgroup/memory
  mount -t cgroup -o memory coroner-test /sys/fs/cgroup/memory; mount -o remount,bind,ro /sys/fs/cgroup/memory
else
  mount -t cgroup2 coroner-test /sys/fs/cgroup; mount -o remount,bind,ro /sys/fs/cgroup
fi
exec "$@"`;
/** The cgroup mounts of the host in a cgroup namespace of its own: which of them is ours cannot be told. */
const lost = `${dev}
exec "$@"`;
const namespaces =
  'unshare --user --map-root-user --mount --pid --fork --mount-proc --cgroup --ipc bash -c'.split(
    ' ',
  );
const guises: readonly (Guise & { readonly needs: readonly (() => string | null)[] })[] = [
  {
    name: 'ordinary user',
    needs: [root, () => command('setpriv')],
    become: [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--inh-caps=-all',
      'env',
      'HOME=/tmp',
    ],
  },
  {
    name: 'container',
    needs: [root, () => command('unshare')],
    become: [...namespaces, container, 'bash'],
  },
  {
    name: 'lost in namespaces',
    needs: [root, () => command('unshare')],
    become: [...namespaces, lost, 'bash'],
  },
];
const chosen = `
  cgroup-leaf cgroup-parent cgroup-one-request cgroup-shell-says-137 cgroup-multiprocessing-pool cgroup-executor cgroup-file-once
  rlimit-as rlimit-as-one-request rlimit-data huge numpy-ones malloc-null malloc-null-ctypes bad-alloc crash-0 crash-2 success
  kill-9-oneself exit-137 kill-9-at-limit timeout-kill rlimit-cpu recursion slow-network`.split(
  /\s+/,
);
/** Here coroner sits in the limited cgroup too, and wants room of its own. */
const withRoom = (row: Row): Row => ({
  ...row,
  cgroups: (row.cgroups ?? []).map((options) =>
    options.limitBytes === undefined
      ? options
      : { ...options, limitBytes: options.limitBytes + 100 * 2 ** 20 },
  ),
});
const results = process.env['CORONER_MATRIX_RESULTS'];
const pattern = new RegExp(process.env['CORONER_ROWS'] ?? '');

for (const guise of guises)
  describe(guise.name, () => {
    for (const row of rows.filter(({ id }) => chosen.includes(id))) {
      const id = `${guise.name}: ${row.id}`;
      if (!pattern.test(id)) continue;
      const reason =
        [...guise.needs, ...(row.needs ?? [])].map((need) => need()).find((why) => why !== null) ??
        null;
      if (reason !== null) {
        test.skip(`${row.id}: ${row.what} (${reason})`, () => {});
        continue;
      }
      test(`${row.id}: ${row.what}`, { timeout: 150_000 }, async () => {
        const { report, ran } = await live(withRoom(row), guise);
        const isKill = row.live.cause.includes('kernel-cgroup-oom');
        const expected: Expected = {
          // Lost: a worker is gone, its parent ends well, and no counter of theirs can be seen.
          cause: [
            ...row.live.cause,
            'undetermined' satisfies Cause,
            ...(guise.name === 'lost in namespaces' && ran.status === 0 ? (['none'] as const) : []),
          ],
          // Without the kernel's own record nothing names the process that it killed.
          ...(isKill ? { atMost: 'strong' } : row.live.atMost ? { atMost: row.live.atMost } : {}),
        };
        const judgement = judge(report, expected, row.besides ?? [], null);
        if (results)
          appendFileSync(
            results,
            `${JSON.stringify({ id, what: row.what, phase: 'live', expected: expected.cause, ...judgement, ms: ran.ms })}\n`,
          );
        expect(ran.stderr).not.toMatch(/fault of coroner|cannot give a verdict/);
        expect(judgement.certainAndWrong).toEqual([]);
        expect(
          { right: judgement.right, faults: judgement.faults },
          judgement.said.headline ?? 'no incident',
        ).toEqual({
          right: true,
          faults: [],
        });
      });
    }
  });
