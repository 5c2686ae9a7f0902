import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { Evidence } from '../../model/evidence.ts';
import { bootId } from '../../machine/host.ts';
import type { Machine } from './machine.ts';
import type { Gathered } from '../../model/gathered.ts';
import { isoTime } from '../../model/units.ts';
import { defined } from '../../model/defined.ts';

/** The ring of this boot: /dev/kmsg, else dmesg. */
export async function gatherKernelRing(machine: Machine): Promise<Gathered> {
  const { roots, wanted, ask, readStream } = machine;
  if (wanted.boot !== undefined && wanted.boot !== '0') return { evidence: [], sources: [] };
  const ring = readRing(roots.kmsg);
  if ('records' in ring) {
    const part = await readStream(chunksOf(ring.records), roots.kmsg);
    return {
      evidence: part.evidence.map((fact) => dated(fact, machine)),
      sources: [
        {
          id: 'kernel-log',
          place: roots.kmsg,
          status: 'read',
          detail: since(ring.firstUptimeSeconds, ring.lost),
        },
      ],
    };
  }
  const answer = await ask('dmesg', ['--raw'], { timeoutMs: 5000, maxBytes: 64 << 20 });
  if (answer.status === 'answered' && answer.stdout !== '') {
    const part = await readStream(chunksOf([answer.stdout]), 'dmesg');
    return {
      evidence: part.evidence.map((fact) => dated(fact, machine)),
      sources: [{ id: 'kernel-log', place: 'dmesg', status: 'read' }],
    };
  }
  return {
    evidence: [],
    sources: [
      {
        id: 'kernel-log',
        place: roots.kmsg,
        status: ring.status === 'denied' || answer.status === 'denied' ? 'denied' : 'absent',
        detail:
          answer.stderr === ''
            ? `neither ${roots.kmsg} nor dmesg gave anything`
            : answer.stderr.split('\n')[0]!,
        command: 'sudo coroner diagnose',
      },
    ],
  };
}

const since = (firstUptimeSeconds: number | null, lost: boolean): string =>
  firstUptimeSeconds === null
    ? 'it is empty'
    : firstUptimeSeconds > 60
      ? `it reaches back to ${Math.round(firstUptimeSeconds)} s after boot: what is older was overwritten`
      : lost
        ? 'records were overwritten while they were read'
        : 'the whole of this boot';

function readRing(device: string):
  | {
      readonly records: readonly string[];
      readonly firstUptimeSeconds: number | null;
      readonly lost: boolean;
    }
  | { readonly status: 'absent' | 'denied' } {
  let fd: number;
  try {
    fd = openSync(device, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { status: code === 'EACCES' || code === 'EPERM' ? 'denied' : 'absent' };
  }
  const buffer = Buffer.allocUnsafe(8192);
  const records: string[] = [];
  let first: number | null = null;
  let lost = false;
  try {
    // A ring holds some ten thousand records; the count ends a device that never says EAGAIN.
    for (let count = 0; count < 2_000_000; count += 1) {
      let length: number;
      try {
        length = readSync(fd, buffer, 0, buffer.length, null);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') break;
        lost = true;
        continue;
      }
      if (length === 0) break;
      const record = buffer.toString('utf8', 0, length);
      first ??= uptimeOf(record);
      records.push(record.endsWith('\n') ? record : `${record}\n`);
    }
  } finally {
    closeSync(fd);
  }
  return { records, firstUptimeSeconds: first, lost };
}

function uptimeOf(record: string): number | null {
  const match = /^\d+,\d+,(\d+),/.exec(record);
  return match === null ? null : Number(match[1]) / 1e6;
}

/** The ring has no dates. Where this boot was never suspended, its clock and ours differ by a constant. */
function dated(fact: Evidence, { clock, roots }: Machine): Evidence {
  const { when } = fact;
  if (when?.uptimeSeconds === undefined || when.wall !== undefined) return fact;
  const now = clock();
  const boot = bootId(roots.proc);
  const wall =
    now === null ? undefined : isoTime(now.nowMs - (now.uptimeSeconds - when.uptimeSeconds) * 1000);
  return {
    ...fact,
    when: {
      ...when,
      ...(boot === null ? {} : { bootId: boot }),
      ...defined({ wall }),
    },
  };
}

async function* chunksOf(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
