import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findMounts, levelsOf, limitsOf, parseMembership, readCgroup } from './cgroup.ts';
import { textOf } from './read.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'coroner-cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (files: Readonly<Record<string, string>>) => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
};
const mountinfo = (...lines: string[]) => put({ 'proc/self/mountinfo': lines.join('\n') });
const mounts = () => findMounts(join(root, 'proc'), join(root, 'cg'));

describe('where a process is', () => {
  test('v1 beside a v2 without the memory controller', () => {
    mountinfo(
      '30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
      '31 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
    );
    expect(levelsOf(mounts(), '4:memory:/a/b\n1:cpu:/\n0::/x\n')).toEqual([
      { version: 1, folder: `${root}/cg/memory/a/b`, path: '/a/b' },
      { version: 1, folder: `${root}/cg/memory/a`, path: '/a' },
      { version: 1, folder: `${root}/cg/memory`, path: '/' },
    ]);
  });

  test('v2 inside a container with a cgroup namespace', () => {
    mountinfo('30 25 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw');
    expect(levelsOf(mounts(), '0::/\n')).toEqual([{ version: 2, folder: `${root}/cg`, path: '/' }]);
  });

  test('v1 in a container without one: the mount shows its subtree, the path is the host’s', () => {
    mountinfo('30 25 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory');
    expect(levelsOf(mounts(), '4:memory:/docker/abc/job\n')).toEqual([
      { version: 1, folder: `${root}/cg/memory/job`, path: '/docker/abc/job' },
      { version: 1, folder: `${root}/cg/memory`, path: '/docker/abc' },
    ]);
  });

  test('outside of our namespace: cannot be reached', () => {
    mountinfo('30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw');
    expect(levelsOf(mounts(), '0::/../other\n')).toEqual([]);
  });

  test('no cgroups at all', () => {
    mountinfo('30 25 0:26 / / rw - ext4 /dev/vda rw');
    expect(levelsOf(mounts(), '')).toEqual([]);
    expect(parseMembership('rubbish')).toEqual({ v1Memory: null, v2: null });
  });

  test('a mount point with a space in it', () => {
    mountinfo(String.raw`30 25 0:26 / /sys/fs/cgroup/my\040memory rw - cgroup cgroup rw,memory`);
    expect(mounts().v1?.folder).toBe(`${root}/cg/my memory`);
  });
});

const reading = (version: 1 | 2, folder: string, detail = true) =>
  readCgroup(version, (name) => textOf(join(root, folder, name)), detail);

describe('what a cgroup says', () => {
  test('v1', () => {
    put({
      'a/memory.usage_in_bytes': '104857600\n',
      'a/memory.failcnt': '228\n',
      'a/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      'a/memory.max_usage_in_bytes': '104857600\n',
      'a/memory.limit_in_bytes': '104857600\n',
      'a/memory.memsw.limit_in_bytes': '9223372036854771712\n',
      'a/memory.stat':
        'rss 1\ntotal_cache 300\ntotal_rss 200\ntotal_shmem 100\ntotal_workingset_refault_anon 5\ntotal_swap 7\n',
    });
    const place = { version: 1, folder: join(root, 'a'), path: '/a' } as const;
    expect(limitsOf(place)).toEqual({ limitBytes: 104857600, swapLimitBytes: null });
    expect(reading(1, 'a')).toMatchObject({
      currentBytes: 104857600,
      limitHits: 228,
      oomKills: 1,
      localOomKills: 1,
      underOom: false,
      killDisabled: false,
      anonBytes: 200,
      // v1 counts shared memory in `cache`.
      fileBytes: 200,
      shmemBytes: 100,
      swapBytes: 7,
      refaultsAnon: 5,
    });
  });

  test('v2', () => {
    put({
      'b/memory.current': '4096\n',
      'b/memory.max': 'max\n',
      'b/memory.high': '41943040\n',
      'b/memory.events': 'low 0\nhigh 274\nmax 48\noom 1\noom_kill 2\noom_group_kill 1\n',
      'b/memory.events.local': 'low 0\nhigh 0\nmax 48\noom 1\noom_kill 1\n',
      'b/memory.pressure':
        'some avg10=1.00 avg60=0.00 avg300=0.00 total=5000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2000\n',
    });
    const place = { version: 2, folder: join(root, 'b'), path: '/b' } as const;
    expect(limitsOf(place)).toMatchObject({ limitBytes: null, highBytes: 41943040 });
    expect(reading(2, 'b')).toMatchObject({
      currentBytes: 4096,
      limitHits: 48,
      highHits: 274,
      ooms: 1,
      oomKills: 2,
      groupKills: 1,
      localOoms: 1,
      localOomKills: 1,
      pressure: { someMs: 5, fullMs: 2 },
    });
  });

  test('what is missing is missing, never 0', () => {
    put({ 'c/other': '' });
    expect(reading(1, 'c')).toEqual({});
    expect(reading(2, 'c')).toEqual({});
  });
});
