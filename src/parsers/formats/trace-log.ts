/**
 * What a tracefs instance of ours recorded (`src/machine/tracing.ts`): memory that the kernel refused to a process of the
 * run, who sent a signal, who was chosen by the OOM killer. Text of `trace`, the same since 2.6.3x:
 *
 *     python-16639   [001] .....  5407.041003: sys_mmap -> 0xfffffffffffffff4
 *     bash-15813     [000] d..1.  2736.896605: signal_generate: sig=9 errno=0 code=0 comm=sleep pid=15817 grp=1 res=0
 *
 * See events/signal/signal.h, events/oom.h of the kernel and print_syscall_enter in kernel/trace/trace_syscalls.c.
 */
import type { Bytes } from '../../model/units.ts';

export interface TracedRefusal {
  readonly pid: number;
  readonly name: string;
  readonly uptimeSeconds: number;
  /** `mmap`, `mremap`, `clone`, … */
  readonly call: string;
  /** Known where the request was large enough to be traced on its way in. */
  readonly bytes: Bytes | null;
  readonly quote: string;
  readonly line: number;
}
export interface TracedSignal {
  readonly pid: number;
  readonly name: string;
  readonly signal: number;
  /** si_code: 0 from kill(), -6 from tkill(), 128 from the kernel, 1 to 5 a fault. */
  readonly code: number;
  readonly sender: { readonly pid: number; readonly name: string };
  readonly uptimeSeconds: number;
  readonly quote: string;
  readonly line: number;
}
export interface TracedVictim {
  readonly pid: number;
  readonly name: string | null;
  readonly totalVmBytes: Bytes | null;
  readonly anonRssBytes: Bytes | null;
  readonly fileRssBytes: Bytes | null;
  readonly shmemRssBytes: Bytes | null;
  readonly uid: number | null;
  readonly oomScoreAdj: number | null;
  readonly uptimeSeconds: number;
  readonly quote: string;
  readonly line: number;
}
export interface TraceLog {
  readonly refusals: readonly TracedRefusal[];
  readonly signals: readonly TracedSignal[];
  readonly victims: readonly TracedVictim[];
}

/** `COMM-PID [CPU] FLAGS TIME: REST`; COMM may hold anything, so the last dash counts. */
const lineShape = /^\s*(.{1,16})-(\d+)\s+\[\d{3,}\]\s+\S+\s+(\d+\.\d+): (.*)$/;
const ioerr = /^sys_(\w+) -> 0xf+4$/; // -ENOMEM: …fff4
const enter = /^sys_(mmap|mremap)\(.*?\b(?:len|new_len): (?:0x)?([0-9a-f]+)/;
const signal =
  /^signal_generate: sig=(\d+) errno=-?\d+ code=(-?\d+) comm=(.{0,16}) pid=(\d+) grp=\d+ res=(\d+)/;
// Before 6.8 it is the pid alone; a name may hold anything, so the fields are read from behind it.
const victim =
  /^mark_victim: pid=(\d+)(?: comm=(.{0,16}) total-vm=(\d+)kB anon-rss=(\d+)kB file-rss:(\d+)kB shmem-rss:(\d+)kB uid=(\d+) pgtables=\d+kB oom_score_adj=(-?\d+))?\s*$/;

const mostRecords = 10_000;

export function parseTraceLog(text: string): TraceLog {
  const refusals: TracedRefusal[] = [];
  const signals: TracedSignal[] = [];
  const victims: TracedVictim[] = [];
  const asked = new Map<number, { readonly call: string; readonly bytes: Bytes }>();
  let number = 0;
  for (const line of text.split('\n')) {
    number += 1;
    const shape = lineShape.exec(line);
    if (shape === null || refusals.length + signals.length > mostRecords) continue;
    const [, comm = '', pidText, time, rest = ''] = shape;
    const pid = Number(pidText);
    const name = comm.trim();
    const common = { uptimeSeconds: Number(time), quote: line.trim(), line: number };
    const entered = enter.exec(rest);
    if (entered !== null) {
      const bytes = Number.parseInt(entered[2] ?? '', 16);
      asked.set(pid, { call: entered[1] ?? '', bytes });
      continue;
    }
    const refused = ioerr.exec(rest);
    if (refused !== null) {
      const call = refused[1] ?? '';
      const request = asked.get(pid);
      refusals.push({
        pid,
        name,
        call,
        bytes: request?.call === call ? request.bytes : null,
        ...common,
      });
      asked.delete(pid);
      continue;
    }
    const sent = signal.exec(rest);
    // res 0: delivered; others were ignored or already pending.
    if (sent !== null && sent[5] === '0') {
      signals.push({
        pid: Number(sent[4]),
        name: sent[3] ?? '',
        signal: Number(sent[1]),
        code: Number(sent[2]),
        sender: { pid, name },
        ...common,
      });
      continue;
    }
    const marked = victim.exec(rest);
    if (marked !== null) {
      const field = (at: number, unit = 1) =>
        marked[at] === undefined ? null : Number(marked[at]) * unit;
      victims.push({
        pid: Number(marked[1]),
        name: marked[2] ?? null,
        totalVmBytes: field(3, 1024),
        anonRssBytes: field(4, 1024),
        fileRssBytes: field(5, 1024),
        shmemRssBytes: field(6, 1024),
        uid: field(7),
        oomScoreAdj: field(8),
        ...common,
      });
    }
  }
  return { refusals, signals, victims };
}
