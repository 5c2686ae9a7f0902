import { defined } from '../../model/defined.ts';
import { dirname, join } from 'node:path';
import type { Evidence } from '../../model/evidence.ts';
import type { SourceReport } from '../../model/report.ts';
import { textOf } from '../../machine/read.ts';
import { entriesOf, fileAbout } from './folders.ts';
import type { Machine } from './machine.ts';
import type { Gathered } from '../../model/gathered.ts';
import { isoTime } from '../../model/units.ts';

/** The newest ones: every core costs milliseconds, a compressed one as long as it is large. */
const maxCores = 10;
const maxPackedBytes = 2 * 2 ** 30;

/** Cores where core_pattern puts them, and the notes of systemd-coredump and apport. */
export async function gatherCoredumps(machine: Machine): Promise<Gathered> {
  const { roots } = machine;
  const pattern = textOf(join(roots.proc, 'sys/kernel/core_pattern'))?.trim() ?? null;
  const parts: Gathered[] = [];
  if (pattern === null)
    parts.push(
      nothing(
        'core-files',
        join(roots.proc, 'sys/kernel/core_pattern'),
        'absent',
        'core_pattern cannot be read',
      ),
    );
  else if (pattern.startsWith('|'))
    parts.push(
      nothing('core-pattern', pattern, 'read', 'cores are handed to this program', undefined),
      ...(pattern.includes('systemd-coredump') ? [await coredumpctl(machine)] : []),
    );
  else if (pattern.startsWith('/'))
    parts.push(
      await coresIn(
        machine,
        dirname(pattern),
        coreName(pattern.slice(pattern.lastIndexOf('/') + 1)),
      ),
    );
  else {
    parts.push(
      await coresIn(machine, roots.workingFolder, coreName(pattern)),
      nothing(
        'core-pattern',
        pattern,
        'read',
        'cores lie in the folder in which each program ran',
        'coroner diagnose FOLDER/core',
      ),
    );
  }
  parts.push(await coresIn(machine, roots.systemdCoredumps, /^core\./));
  parts.push(await crashFolder(machine));
  return {
    evidence: parts.flatMap(({ evidence }) => evidence),
    sources: parts
      .flatMap(({ sources }) => sources)
      .filter(({ status, place }) => status !== 'absent' || place !== roots.systemdCoredumps),
  };
}

/** A core_pattern's file name as a pattern: `core.%e.%p` matches `core.python3.4711`. */
function coreName(pattern: string): RegExp {
  const text = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/%[a-zA-Z]/g, '[^/]*')
    .replace(/%%/g, '%');
  // core_uses_pid adds the pid where the pattern has no %p.
  return new RegExp(`^${text}(?:\\.\\d+)?$`);
}

async function coresIn(machine: Machine, folder: string, name: RegExp): Promise<Gathered> {
  const { wanted, readFile, onProgress } = machine;
  const listed = entriesOf(folder);
  if ('status' in listed)
    return nothing(
      'core-files',
      folder,
      listed.status,
      undefined,
      listed.status === 'denied' ? 'sudo coroner diagnose' : undefined,
    );
  const cores = listed.names
    .filter((entry) => name.test(entry))
    .map((entry) => ({ path: join(folder, entry), about: fileAbout(join(folder, entry)) }))
    .filter((core) => core.about !== null)
    .map((core) => ({ ...core, about: core.about! }))
    .filter(
      ({ path, about }) =>
        (wanted.since === undefined || about.changedMs >= wanted.since.getTime()) &&
        (wanted.until === undefined || about.changedMs <= wanted.until.getTime() + 60_000) &&
        mayBe(path, wanted.pid),
    )
    .sort((a, b) => b.about.changedMs - a.about.changedMs);
  const evidence: Evidence[] = [];
  const sources: SourceReport[] = [];
  let packedBytes = 0;
  for (const { path, about } of cores.slice(0, maxCores)) {
    onProgress?.(path);
    if (/\.(?:zst|lz4|xz|gz)$/.test(path)) {
      packedBytes += about.bytes;
      if (packedBytes > maxPackedBytes) {
        sources.push({
          id: 'core',
          place: path,
          status: 'truncated',
          detail: 'left out: the cores here are too large to unpack all',
          command: `coroner diagnose ${path}`,
        });
        continue;
      }
    }
    const part = await readFile(path, path);
    const wall = isoTime(about.changedMs);
    const changed = wall === undefined ? {} : { when: { wall } };
    // A core has no time in it: the file was written when the process died.
    evidence.push(
      ...part.evidence.map((fact) =>
        fact.kind === 'core-dump' && fact.when === undefined ? { ...fact, ...changed } : fact,
      ),
    );
    sources.push(...part.sources);
  }
  if (cores.length > maxCores)
    sources.push({
      id: 'core',
      place: folder,
      status: 'truncated',
      detail: `${cores.length - maxCores} older cores were left out`,
      command: `coroner diagnose ${folder}/…`,
    });
  if (cores.length === 0)
    sources.push({ id: 'core-files', place: folder, status: 'read', detail: 'no cores there' });
  return { evidence, sources };
}

/** systemd names its cores `core.COMM.UID.BOOT.PID.USEC.zst`. */
function mayBe(path: string, pid: number | undefined): boolean {
  if (pid === undefined) return true;
  const named = /\.[0-9a-f]{32}\.(\d+)\.\d+(?:\.\w+)?$/.exec(path);
  return named === null || Number(named[1]) === pid;
}

async function coredumpctl({ ask, readStream, wanted }: Machine): Promise<Gathered> {
  const narrowed = wanted.pid === undefined ? [] : [String(wanted.pid)];
  const answer = await ask('coredumpctl', ['--no-pager', '--quiet', 'info', ...narrowed], {
    timeoutMs: 20_000,
    maxBytes: 16 << 20,
  });
  // `No coredumps found.`, and where a pid was asked for or it was to be quiet `No match found.`
  if (answer.stdout === '' && /^No (?:coredumps|match) found/m.test(answer.stderr))
    return nothing('systemd-coredump', 'coredumpctl info', 'read', 'no core dumps were noted');
  if (answer.stdout === '')
    return nothing(
      'systemd-coredump',
      'coredumpctl',
      answer.status === 'denied' ? 'denied' : 'absent',
      answer.stderr.split('\n')[0] || 'no core dumps were noted',
    );
  const part = await readStream(one(answer.stdout), 'coredumpctl info');
  return {
    evidence: part.evidence,
    sources: [{ id: 'systemd-coredump', place: 'coredumpctl info', status: 'read' }],
  };
}

/** Apport's reports, and what kdump saved of a kernel that panicked. */
async function crashFolder(machine: Machine): Promise<Gathered> {
  const folder = machine.roots.varCrash;
  const listed = entriesOf(folder);
  if ('status' in listed)
    return nothing(
      'crash-reports',
      folder,
      listed.status,
      undefined,
      listed.status === 'denied' ? `sudo ls ${folder}` : undefined,
    );
  const evidence: Evidence[] = [];
  const sources: SourceReport[] = [];
  const inside = listed.names.flatMap((name) => {
    const sub = entriesOf(join(folder, name));
    return [
      join(folder, name),
      ...('names' in sub ? sub.names.map((file) => join(folder, name, file)) : []),
    ];
  });
  for (const path of inside.slice(0, 1000)) {
    const about = fileAbout(path);
    if (
      about === null ||
      !/\.crash$|dmesg|vmcore-dmesg/.test(path.slice(path.lastIndexOf('/') + 1))
    )
      continue;
    if (machine.wanted.since !== undefined && about.changedMs < machine.wanted.since.getTime())
      continue;
    machine.onProgress?.(path);
    const part = await machine.readFile(path, path);
    evidence.push(...part.evidence);
    sources.push(...part.sources);
  }
  if (sources.length === 0)
    sources.push({ id: 'crash-reports', place: folder, status: 'read', detail: 'nothing there' });
  return { evidence, sources };
}

const nothing = (
  id: string,
  place: string,
  status: SourceReport['status'],
  detail?: string,
  command?: string,
): Gathered => ({
  evidence: [],
  sources: [
    {
      id,
      place,
      status,
      ...defined({ detail, command }),
    },
  ],
});

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
