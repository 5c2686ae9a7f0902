/** What single lines of the OOM killer say, whatever report they stand in. */
import { realLimit } from '../../../model/no-limit.ts';
import type { OomConstraint } from '../../../model/evidence.ts';
import type { ProcessRole } from '../../../model/report.ts';

/** Long lines (flattened text, JSON records) are quoted around what they prove. */
export function quoteOf(raw: string): string {
  const trimmed = raw.replace(/(?:#012|\\n)$/, '').trim();
  if (trimmed.length <= 600) return trimmed;
  const at = Math.max(
    0,
    trimmed.search(/[Kk]ill(?:ed)? process|oom-kill:|invoked oom-killer|as a result of limit/) - 60,
  );
  return trimmed.slice(at, at + 600);
}

export function prefixConstraint(before: string): OomConstraint | null {
  if (/[Mm]emory cgroup out of memory/.test(before)) return 'memcg';
  // OpenVZ's 2.6.32: the container's user beancounter is what a cgroup is elsewhere.
  if (/[Oo]ut of memory in UB \d/.test(before)) return 'memcg';
  if (/No available memory in cpuset/.test(before)) return 'cpuset';
  if (/No available memory/.test(before)) return 'memory-policy';
  if (/out of memory/i.test(before)) return 'none';
  return null;
}

export function constraintOf(word: string | undefined): OomConstraint | null {
  switch (word) {
    case 'NONE':
      return 'none';
    case 'MEMCG':
      return 'memcg';
    case 'CPUSET':
      return 'cpuset';
    case 'MEMORY_POLICY':
      return 'memory-policy';
    default:
      return null;
  }
}

/** `9007199254740988kB` and its kin mean: no limit. */
export const limitOf = (kib: string | undefined): number | null =>
  kib === undefined ? null : realLimit(Number(kib) * 1024);

/** The kernel's name has 15 characters at most: what an unknown prefix left in front is cut off. */
export function triggerName(before: string): string {
  const name = before.trim();
  if (name.length <= 15) return name;
  const tail = name.slice(-15);
  const space = tail.indexOf(' ');
  return space < 0 ? tail : tail.slice(space + 1);
}

/**
 * `Killed process 123 (name) total-vm:1kB, anon-rss:1kB, …` and its forms: `123, UID 500, (name)` (RHEL 6),
 * `123 (name), UID 0, total-vm:` (RHEL 7), `vsz:` and no figures at all (2.6), no pid.
 */
export function killedVictim(text: string): ProcessRole | null {
  const head = /^[Kk]illed process (?:(\d+)\b)?(?:,? UID (\d+),)?\s*/.exec(text);
  if (head === null) return null;
  const rest = text.slice(head[0].length);
  const name =
    /^\((.*)\),?\s+(?:UID:? ?\d+,?\s+)?(?:total-vm|vsz|anon-rss):/.exec(rest)?.[1] ??
    /^\((.{0,40}?)\)(?=[\s,.;:"'\\]|$)/.exec(rest)?.[1];
  if (name === undefined && head[1] === undefined) return null;
  const kib = (key: string): number | undefined => {
    const value = new RegExp(`\\b${key}: ?(\\d+) ?[kK][bB]`).exec(rest)?.[1];
    return value === undefined ? undefined : Number(value) * 1024;
  };
  const uid = head[2] ?? /\bUID:? ?(\d+)/.exec(rest)?.[1];
  const adj = /oom_score_adj: ?(-?\d+)/.exec(rest)?.[1];
  const fields = {
    pid: head[1] === undefined ? undefined : Number(head[1]),
    name: name?.slice(0, 64),
    uid: uid === undefined ? undefined : Number(uid),
    totalVmBytes: kib('total-vm') ?? kib('vsz'),
    anonRssBytes: kib('anon-rss'),
    fileRssBytes: kib('file-rss'),
    shmemRssBytes: kib('shmem-rss'),
    oomScoreAdj: adj === undefined ? undefined : Number(adj),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
