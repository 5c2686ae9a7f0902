import { readFileSync } from 'node:fs';
import type { HostSample, MachineFacts } from '../model/incident-folder.ts';
import { keep, numberOf, textOf } from './read.ts';
import { parseKeyed } from './proc.ts';
import { parsePressure } from './pressure.ts';

export function bootId(procRoot: string): string | null {
  return textOf(`${procRoot}/sys/kernel/random/boot_id`)?.trim() ?? null;
}

export function machineFacts(procRoot: string): MachineFacts {
  const memory = parseKeyed(textOf(`${procRoot}/meminfo`) ?? '');
  const known = {
    kernel: textOf(`${procRoot}/sys/kernel/osrelease`)?.trim(),
    architecture: process.arch,
    totalBytes: memory.get('MemTotal'),
    swapTotalBytes: memory.get('SwapTotal'),
    commitLimitBytes: memory.get('CommitLimit'),
    overcommitMode: numberOf(`${procRoot}/sys/vm/overcommit_memory`) ?? undefined,
    maxMapCount: numberOf(`${procRoot}/sys/vm/max_map_count`) ?? undefined,
    pageSizeBytes: pageSizeBytes(procRoot),
  };
  return Object.fromEntries(
    Object.entries(known).filter(([, value]) => value !== undefined),
  ) as MachineFacts;
}

/**
 * The kernel's page size, from AT_PAGESZ of our own auxiliary vector: Node has no sysconf, and 16 and 64 KiB pages
 * exist (arm64, ppc64le).
 */
export function pageSizeBytes(procRoot: string): number {
  try {
    const bytes = readFileSync(`${procRoot}/self/auxv`);
    for (let at = 0; at + 16 <= bytes.length; at += 16)
      if (bytes.readBigUInt64LE(at) === 6n) return Number(bytes.readBigUInt64LE(at + 8));
  } catch {
    // A /proc without auxv: the usual size.
  }
  return 4096;
}

/** The host's memory over time: kept descriptors, deltas since it was made. */
export function hostReader(procRoot: string) {
  const meminfo = keep(`${procRoot}/meminfo`);
  const vmstat = keep(`${procRoot}/vmstat`);
  const pressure = keep(`${procRoot}/pressure/memory`);
  const counters = () => {
    const text = vmstat?.read();
    if (text == null) return null;
    const counter = (name: string) => {
      const match = new RegExp(`^${name} (\\d+)$`, 'm').exec(text);
      return match?.[1] === undefined ? undefined : Number(match[1]);
    };
    return {
      pswpin: counter('pswpin'),
      pswpout: counter('pswpout'),
      // Since 4.13.
      oomKills: counter('oom_kill'),
    };
  };
  const first = counters();
  const firstPressure = parsePressure(pressure?.read() ?? '');
  const since = (now: number | undefined, then: number | undefined) =>
    now === undefined || then === undefined ? undefined : now - then;
  return {
    /** Only the counter of OOM kills: cheap enough for every moment. */
    oomKills: () => since(counters()?.oomKills, first?.oomKills),
    sample: (): HostSample => {
      const memory = parseKeyed(meminfo?.read() ?? '');
      const now = counters();
      const stalled = parsePressure(pressure?.read() ?? '');
      const known = {
        availableBytes: memory.get('MemAvailable'),
        freeBytes: memory.get('MemFree'),
        swapFreeBytes: memory.get('SwapFree'),
        committedBytes: memory.get('Committed_AS'),
        pswpin: since(now?.pswpin, first?.pswpin),
        pswpout: since(now?.pswpout, first?.pswpout),
        oomKills: since(now?.oomKills, first?.oomKills),
        psiSomeMs: since(stalled?.someMs, firstPressure?.someMs),
        psiFullMs: since(stalled?.fullMs, firstPressure?.fullMs),
      };
      return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
    },
    close: () => {
      meminfo?.close();
      vmstat?.close();
      pressure?.close();
    },
  };
}
export type HostReader = ReturnType<typeof hostReader>;
