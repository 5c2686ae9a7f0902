import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { SourceStatus } from '../model/report.ts';
import type { Prose } from '../model/prose.ts';

/** One record of the kernel log, as /dev/kmsg gives it: `priority,sequence,microseconds,flags;text`. */
export interface KernelRecord {
  readonly uptimeSeconds: number;
  /** The whole record on one line, continuation lines with ` KEY=value` left out. */
  readonly raw: string;
  readonly text: string;
}

export interface KernelLogFollower {
  readonly status: SourceStatus;
  readonly detail?: Prose;
  /** Records since the start that were not handed out yet; at most `most`. */
  readonly read: (most?: number) => readonly KernelRecord[];
  /** Reads over at most so many records from before the start; true: there may be more of them. */
  readonly skipOld: (most: number) => boolean;
  /** The ring was overwritten before it was read. */
  readonly lost: () => boolean;
  readonly close: () => void;
}

/** /dev/kmsg is character device 1:11. */
const kernelLogDevice = (1 << 8) | 11;

/** Clock of the kernel log against CLOCK_MONOTONIC: they drift apart by some parts per million, seconds in months. */
const clockSlackSeconds = 2;

/**
 * Follows the kernel log without blocking. A descriptor of /dev/kmsg begins at the oldest record of the ring, and Node cannot
 * seek, so what is older than `sinceUptimeSeconds` is read and left out.
 */
export function followKernelLog(device: string, sinceUptimeSeconds: number): KernelLogFollower {
  let fd: number;
  try {
    fd = openSync(device, constants.O_RDONLY | constants.O_NONBLOCK);
    // Containers put /dev/null or the console in its place, which read as an empty log.
    const { rdev } = fstatSync(fd);
    if (rdev !== 0 && rdev !== kernelLogDevice) {
      closeSync(fd);
      throw Object.assign(new Error(), { code: 'ENXIO' });
    }
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException;
    return {
      status: code === 'ENOENT' || code === 'ENXIO' ? 'absent' : 'denied',
      detail: code,
      read: () => [],
      skipOld: () => false,
      lost: () => false,
      close: () => {},
    };
  }
  // A record is at most 8 KiB (CONSOLE_EXT_LOG_MAX); a smaller buffer gives EINVAL.
  const buffer = Buffer.allocUnsafe(8192);
  const sinceMicroseconds = (sinceUptimeSeconds - clockSlackSeconds) * 1e6;
  let lost = false;
  let begun = false;
  const waiting: KernelRecord[] = [];
  /** One record; null: none there. */
  const next = (): KernelRecord | 'old' | null => {
    for (;;) {
      let length: number;
      try {
        length = readSync(fd, buffer, 0, buffer.length, null);
      } catch (error) {
        // EPIPE: records were overwritten; the next read goes on at the oldest one.
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return null;
        if (begun) lost = true;
        continue;
      }
      if (length === 0) return null;
      // Thousands may be older: of them the clock alone is read.
      if (microsecondsOf(buffer, length) < sinceMicroseconds) return 'old';
      const record = parseKernelRecord(buffer.toString('utf8', 0, length));
      if (record === null) return 'old';
      begun = true;
      return record;
    }
  };
  return {
    status: 'read',
    read: (most = Number.POSITIVE_INFINITY) => {
      const records = waiting.splice(0);
      for (let count = 0; count < most; count += 1) {
        const record = next();
        if (record === null) break;
        if (record !== 'old') records.push(record);
      }
      return records;
    },
    skipOld: (most) => {
      for (let count = 0; count < most; count += 1) {
        const record = next();
        if (record === 'old') continue;
        if (record !== null) waiting.push(record);
        return false;
      }
      return true;
    },
    lost: () => lost,
    close: () => closeSync(fd),
  };
}

/** The third field of `priority,sequence,microseconds,flags;text`; 0: none. */
function microsecondsOf(bytes: Uint8Array, length: number): number {
  let value = 0;
  for (let at = 0, commas = 0; at < length; at += 1) {
    const digit = bytes[at]! - 0x30;
    if (bytes[at] === 0x2c) {
      commas += 1;
      if (commas === 3) return value;
    } else if (commas === 2) {
      if (digit < 0 || digit > 9) return 0;
      value = value * 10 + digit;
    }
  }
  return 0;
}

export function parseKernelRecord(text: string): KernelRecord | null {
  const match = /^\d+,\d+,(\d+),[^;]*;([^\n]*)/.exec(text);
  if (match?.[1] === undefined) return null;
  return { uptimeSeconds: Number(match[1]) / 1e6, raw: match[0], text: match[2] ?? '' };
}

/**
 * What another program may tell where the device may not be opened: `dmesg` (reads by system call where
 * `kernel.dmesg_restrict` is 0, also in a container without /dev/kmsg), then the journal.
 */
export async function askForKernelLog(
  startedAtSeconds: number,
  sinceUptimeSeconds: number,
): Promise<{ place: string; lines: readonly string[] } | null> {
  // -S: by system call. Without it dmesg reads /dev/kmsg, which may be something else here. BusyBox knows only -r.
  const dmesg =
    (await output('dmesg', ['-S', '--raw'], 1500)) ?? (await output('dmesg', ['-r'], 1500));
  if (dmesg !== null && dmesg !== '') {
    const lines = dmesg.split('\n').filter((line) => {
      const seconds = /^<\d+>\[\s*(\d+\.\d+)\]/.exec(line)?.[1];
      return seconds !== undefined && Number(seconds) >= sinceUptimeSeconds - clockSlackSeconds;
    });
    return { place: 'dmesg', lines };
  }
  const journal = await output(
    'journalctl',
    ['-k', '-q', '--no-pager', '-o', 'short-monotonic', '--since', `@${startedAtSeconds}`],
    800,
  );
  if (journal !== null && journal !== '')
    return { place: 'journalctl -k', lines: journal.split('\n').filter((line) => line !== '') };
  return null;
}

function output(
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= 8 * 2 ** 20) chunks.push(chunk);
    });
    child.on('error', () => resolve(null));
    child.on('close', (code) =>
      resolve(code === 0 ? Buffer.concat(chunks).toString('latin1') : null),
    );
  });
}
