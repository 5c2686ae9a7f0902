import { realLimit } from '../../model/no-limit.ts';
import { relativeToCgroup } from '../../model/cgroup-path.ts';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { StandingCgroup } from '../../model/evidence.ts';
import type { SourceReport } from '../../model/report.ts';
import { findMounts, parseFlat, type Mount } from '../../machine/cgroup.ts';
import { textOf } from '../../machine/read.ts';
import type { Machine } from './machine.ts';
import type { Gathered } from '../../model/gathered.ts';

const maxCgroups = 50_000;
const maxDepth = 24;

/** Cgroups that still stand and have lost a process to the OOM killer, and the host's own count. */
export async function gatherCgroupCounters({ roots, wanted }: Machine): Promise<Gathered> {
  const sources: SourceReport[] = [];
  const evidence: StandingCgroup[] = [];
  const mounts = findMounts(
    roots.proc,
    roots.sys === '/sys' ? undefined : join(roots.sys, 'fs/cgroup'),
  );
  const hierarchies = [
    ...(mounts.v1 === null ? [] : [{ version: 1 as const, mount: mounts.v1 }]),
    ...(mounts.v2 === null ? [] : [{ version: 2 as const, mount: mounts.v2 }]),
  ];
  for (const { version, mount } of hierarchies) {
    const seen = walk(mount, version);
    const inTime = seen.killed.filter(({ path }) => madeSince(mount, path, wanted.since));
    evidence.push(...inTime);
    if (seen.readable > 0 || seen.folders > 1)
      sources.push({
        id: 'cgroup',
        place: mount.folder,
        status: seen.readable > 0 ? 'read' : 'absent',
        detail:
          seen.readable > 0
            ? `${seen.readable} cgroups, ${seen.killed.filter(({ oomKills }) => oomKills > 0).length} of them with kills${inTime.length < seen.killed.length ? ', which have no times: those of cgroups made before were left out' : ''}`
            : 'it has no memory controller',
      });
  }
  const kills = /^oom_kill (\d+)$/m.exec(textOf(join(roots.proc, 'vmstat')) ?? '')?.[1];
  sources.push({
    id: 'vmstat',
    place: join(roots.proc, 'vmstat'),
    status: kills === undefined ? 'absent' : 'read',
    ...(kills === undefined
      ? {}
      : {
          detail:
            kills === '0'
              ? 'the kernel has killed no process for memory since boot'
              : `the kernel has killed ${kills} processes for memory since boot`,
        }),
  });
  return { evidence, sources };
}

/** Counters have no times: only those of a cgroup that was made since then can be told to be of that time. */
function madeSince({ folder, root }: Mount, path: string, since: Date | undefined): boolean {
  if (since === undefined) return true;
  const inside = relativeToCgroup(path, root) ?? path;
  try {
    return statSync(join(folder, inside)).ctimeMs >= since.getTime();
  } catch {
    return false;
  }
}

function walk(
  { folder: root, root: above }: Mount,
  version: 1 | 2,
): {
  readonly killed: readonly StandingCgroup[];
  readonly readable: number;
  readonly folders: number;
} {
  const killed: StandingCgroup[] = [];
  const queue: { readonly folder: string; readonly depth: number }[] = [{ folder: root, depth: 0 }];
  let readable = 0;
  let folders = 0;
  for (let next = queue.pop(); next !== undefined && folders < maxCgroups; next = queue.pop()) {
    folders += 1;
    const path = `${above === '/' ? '' : above}${next.folder.slice(root.length)}` || '/';
    const fact = version === 1 ? readV1(next.folder, path) : readV2(next.folder, path);
    if (fact !== null) {
      readable += 1;
      if (fact.oomKills > 0 || (fact.ooms ?? 0) > 0) killed.push(fact);
    }
    if (next.depth >= maxDepth) continue;
    try {
      for (const entry of readdirSync(next.folder, { withFileTypes: true }))
        if (entry.isDirectory())
          queue.push({ folder: join(next.folder, entry.name), depth: next.depth + 1 });
    } catch {
      // A cgroup that went away while it was looked at.
    }
  }
  return { killed, readable, folders };
}

function readV1(folder: string, path: string): StandingCgroup | null {
  const text = textOf(join(folder, 'memory.oom_control'));
  if (text === null) return null;
  // oom_kill came with 4.13; in v1 it counts this very cgroup only.
  const kills = parseFlat(text).get('oom_kill');
  if (kills === undefined) return null;
  const place = join(folder, 'memory.oom_control');
  return {
    kind: 'standing-cgroup',
    origin: { source: 'cgroup', place, quote: `oom_kill ${kills}` },
    version: 1,
    path,
    oomKills: kills,
    limitBytes: realLimit(numberIn(folder, 'memory.limit_in_bytes')),
    ...some('limitHits', v1Hits(folder)),
    ...some('usageBytes', numberIn(folder, 'memory.usage_in_bytes')),
    ...some('peakBytes', numberIn(folder, 'memory.max_usage_in_bytes')),
    ...some('processes', countOf(folder)),
  };
}

function readV2(folder: string, path: string): StandingCgroup | null {
  // memory.events counts the whole subtree; the local file came with 5.2.
  const local = textOf(join(folder, 'memory.events.local'));
  const text = local ?? textOf(join(folder, 'memory.events'));
  if (text === null) return null;
  const values = parseFlat(text);
  const kills = values.get('oom_kill');
  if (kills === undefined) return null;
  return {
    kind: 'standing-cgroup',
    origin: {
      source: 'cgroup',
      place: join(folder, local === null ? 'memory.events' : 'memory.events.local'),
      quote: `oom_kill ${kills}`,
    },
    version: 2,
    path,
    oomKills: kills,
    limitBytes: realLimit(numberIn(folder, 'memory.max')),
    ...some('ooms', values.get('oom') ?? null),
    ...some('limitHits', values.get('max') ?? null),
    ...some('usageBytes', numberIn(folder, 'memory.current')),
    ...some('peakBytes', numberIn(folder, 'memory.peak')),
    ...some('processes', countOf(folder)),
  };
}

function numberIn(folder: string, file: string): number | null {
  const text = textOf(join(folder, file))?.trim();
  return text === undefined || !/^\d+$/.test(text) ? null : Number(text);
}

/** With a limit on memory plus swap that is no higher, only that one's failcnt moves. */
function v1Hits(folder: string): number | null {
  const memory = numberIn(folder, 'memory.failcnt');
  const withSwap = numberIn(folder, 'memory.memsw.failcnt');
  return memory === null && withSwap === null ? null : (memory ?? 0) + (withSwap ?? 0);
}

function countOf(folder: string): number | null {
  const text = textOf(join(folder, 'cgroup.procs'));
  return text === null ? null : text.split('\n').filter((line) => line !== '').length;
}

function some<Key extends string>(
  key: Key,
  value: number | null,
): { readonly [K in Key]?: number } {
  return (value === null ? {} : { [key]: value }) as { [K in Key]?: number };
}
