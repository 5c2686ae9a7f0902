/** Whom the OOM killer shall choose: the command, not the recorder that could tell of it. */
import { writeFileSync } from 'node:fs';
import { textOf } from '../machine/read.ts';
import type { Bytes } from '../model/units.ts';
import { tightestLimitBytes, type WatchedCgroup } from './cgroups.ts';

/** What the recorder weighs at most. */
const recorderBytes = 100 * 2 ** 20;

/**
 * Makes the command likelier to be chosen by the OOM killer than its recorder, by as many points as the recorder itself may weigh:
 * almost none on a large machine, many where both sit in a small container. Never lowers `oom_score_adj`, and leaves a negative one alone.
 * `path`: the command's oom_score_adj. Throws where it cannot be written.
 */
export function offerAsVictim(
  path: string,
  cgroups: readonly WatchedCgroup[],
  totalBytes: Bytes | undefined,
): void {
  const current = Number.parseInt(textOf(path) ?? '', 10);
  if (!Number.isFinite(current) || current < 0) return;
  const bytes = Math.min(totalBytes ?? Infinity, tightestLimitBytes(cgroups) ?? Infinity);
  const points = Math.ceil((1000 * recorderBytes) / Math.max(bytes, recorderBytes)) + 20;
  writeFileSync(path, String(Math.min(1000, current + points)));
}

/** The recorder needs so much at least. In a smaller limit a process that cannot be killed and gets no memory would wait for ever. */
const leastLimitBytes = 96 * 2 ** 20;

/**
 * Takes the recorder out of the OOM killer's choice while the command lives, where it may (CAP_SYS_RESOURCE). Points alone do not help
 * within one limit: a killed process is no candidate any more but holds its memory until it has ended, and whoever touches a page
 * meanwhile is the only candidate left (seen in 2 of 12 runs at 100 MiB on a busy machine, 6.18).
 * `path`: the recorder's oom_score_adj. Returns what undoes it. Never throws.
 */
export function protectItself(path: string, cgroups: readonly WatchedCgroup[]): () => void {
  const nothing = () => {};
  const limit = tightestLimitBytes(cgroups);
  if (limit !== null && limit < leastLimitBytes) return nothing;
  const before = textOf(path)?.trim();
  // An ordinary user may only raise it.
  if (before === undefined || !write(path, '-1000')) return nothing;
  return () => void write(path, before);
}

function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}
