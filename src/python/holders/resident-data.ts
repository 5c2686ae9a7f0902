import type { Holder } from '../../model/report.ts';
import type { Bytes } from '../../model/units.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import type { MemorySource } from '../process/memory.ts';
import { readText } from '../process/live-process.ts';

const pageBytes = 4096;
/** What an interpreter takes that has imported nothing, and what a module takes: code, classes, texts. */
const bareBytes = 5 << 20;
const moduleBytes = 40_000;

/** Resident bytes of a process that are neither files' nor its interpreter's and modules' own, roughly; 0 for a core. */
export function residentOf(python: Interpreter): Bytes {
  const { source } = python.memory;
  if (source.kind !== 'process' || source.pid === null) return 0;
  const [, resident, shared] = (readText(`/proc/${source.pid}/statm`) ?? '').split(' ').map(Number);
  if (resident === undefined || shared === undefined) return 0;
  let modules = 0;
  for (const interpreter of python.interpreters())
    modules += Math.min(python.memory.word(python.modules(interpreter) + 16), 10_000);
  return Math.max(0, (resident - shared) * pageBytes - bareBytes - modules * moduleBytes);
}

/** All that a process has in memory and in swap, but for pages of files, which no variable holds; Infinity where that is not known, as of a core. */
export function inUseBy(source: MemorySource): Bytes {
  if (source.kind !== 'process' || source.pid === null) return Infinity;
  const status = readText(`/proc/${source.pid}/status`) ?? '';
  const kilobytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN);
  const data = kilobytes('RssAnon') + kilobytes('RssShmem');
  // Linux 4.5 tells them apart.
  const resident = Number.isNaN(data) ? kilobytes('VmRSS') : data;
  return Number.isNaN(resident) ? Infinity : (resident + (kilobytes('VmSwap') || 0)) * 1024;
}

/** No variable holds more memory than its process: what is more was reserved, or counted twice. */
export const withinUse = (holders: readonly Holder[], inUse: Bytes): readonly Holder[] =>
  holders.map((holder) =>
    holder.retainedBytes <= inUse
      ? holder
      : { ...holder, ownBytes: Math.min(holder.ownBytes, inUse), retainedBytes: inUse },
  );
