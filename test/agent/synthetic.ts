/** An agent's file as agent/layout.h lays it out, with what a test wants in it. */
import type { StackFrame } from '../../src/model/report.ts';

export interface SyntheticPath {
  readonly stack: readonly StackFrame[];
  readonly kind?: number;
  readonly flags?: number;
  /** exact, estimated, samples */
  readonly live?: readonly [number, number, number];
  readonly peak?: readonly [number, number, number];
  readonly refused?: readonly [number, number, number];
  readonly native?: readonly number[];
}
export interface SyntheticFailure {
  readonly sequence: number;
  readonly at: Date;
  readonly bytes: bigint;
  readonly stack: readonly StackFrame[];
  readonly vmBytes?: number;
  readonly limitAsBytes?: bigint;
  readonly flags?: number;
}
export interface Synthetic {
  readonly pid?: number;
  readonly name?: string;
  readonly startedAt?: Date;
  readonly state?: number;
  readonly exitCode?: number;
  readonly pythonVersion?: number;
  readonly pythonFlags?: number;
  readonly limitBytes?: number;
  readonly paths?: readonly SyntheticPath[];
  readonly failures?: readonly SyntheticFailure[];
  readonly modules?: readonly { start: number; end: number; offset: number; path: string }[];
}

const sizes = {
  stacks: 144,
  nodes: 8,
  frames: 16,
  codes: 40,
  text: 1,
  live: 40,
  failures: 136,
  history: 288,
  modules: 32,
};
const none = 0xffff_ffff_ffff_ffffn;

export function syntheticAgentFile(wanted: Synthetic): Uint8Array {
  const sections = Object.fromEntries(
    Object.keys(sizes).map((name) => [name, [] as Buffer[]]),
  ) as Record<keyof typeof sizes, Buffer[]>;
  sections.text.push(Buffer.alloc(8));
  const add = (name: keyof typeof sizes, fill: (entry: Buffer) => void): number => {
    const entry = Buffer.alloc(sizes[name]);
    fill(entry);
    return sections[name].push(entry);
  };
  const text = (value: string): number => {
    const offset = sections.text.reduce((sum, { length }) => sum + length, 0);
    const bytes = Buffer.from(value);
    const entry = Buffer.alloc(4 + Math.ceil(bytes.length / 4) * 4);
    entry.writeUInt32LE(bytes.length);
    bytes.copy(entry, 4);
    sections.text.push(entry);
    return offset;
  };
  const node = (stack: readonly StackFrame[]): number => {
    let caller = 0;
    for (const { function: name, file, line } of stack.toReversed()) {
      const code = add('codes', (entry) => {
        entry.writeUInt32LE(file === null ? 0 : text(file), 28);
        entry.writeUInt32LE(text(name), 32);
      });
      const frame = add('frames', (entry) => {
        entry.writeUInt32LE(code);
        entry.writeInt32LE(line ?? 0, 8);
      });
      const outer = caller;
      caller = add('nodes', (entry) => {
        entry.writeUInt32LE(outer);
        entry.writeUInt32LE(frame, 4);
      });
    }
    return caller;
  };
  for (const { start, end, offset, path } of wanted.modules ?? [])
    add('modules', (entry) => {
      entry.writeBigUInt64LE(BigInt(start));
      entry.writeBigUInt64LE(BigInt(end), 8);
      entry.writeBigUInt64LE(BigInt(offset), 16);
      entry.writeUInt32LE(text(path), 24);
    });
  let liveBytes = 0;
  let peakBytes = 0;
  for (const path of wanted.paths ?? []) {
    const innermost = node(path.stack);
    add('stacks', (entry) => {
      const [exact, estimated, samples] = path.live ?? [0, 0, 0];
      const [peakExact, peakEstimated, peakSamples] = path.peak ?? path.live ?? [0, 0, 0];
      liveBytes += exact + estimated;
      peakBytes += peakExact + peakEstimated;
      for (const [i, value] of [
        1,
        exact,
        estimated,
        peakExact,
        peakEstimated,
        exact + estimated,
      ].entries())
        entry.writeBigInt64LE(BigInt(value), i * 8);
      entry.writeUInt32LE(samples, 48);
      entry.writeUInt32LE(peakSamples, 52);
      entry.writeUInt32LE(innermost, 60);
      entry.writeUInt16LE(path.kind ?? 0, 64);
      entry.writeUInt16LE(path.flags ?? 0, 66);
      entry.writeUInt32LE(path.native?.length ?? 0, 68);
      for (const [i, address] of (path.native ?? []).entries())
        entry.writeBigUInt64LE(BigInt(address), 72 + i * 8);
      const [refusedExact, refusedEstimated, refusedSamples] = path.refused ?? [0, 0, 0];
      entry.writeBigInt64LE(BigInt(refusedExact), 120);
      entry.writeBigInt64LE(BigInt(refusedEstimated), 128);
      entry.writeUInt32LE(refusedSamples, 136);
    });
  }
  for (const failure of wanted.failures ?? []) {
    const innermost = node(failure.stack);
    add('failures', (entry) => {
      const numbers = [
        BigInt(failure.sequence),
        BigInt(failure.at.getTime()) * 1_000_000n,
        2_000_000_000n,
        failure.bytes,
        50_000_000n,
        BigInt(failure.vmBytes ?? 100_000_000),
        failure.limitAsBytes ?? none,
        none,
      ];
      for (const [i, value] of numbers.entries()) entry.writeBigUInt64LE(value, i * 8);
      entry.writeUInt32LE(wanted.pid ?? 42, 64);
      entry.writeInt32LE(12, 68);
      entry.writeUInt32LE(innermost, 72);
      entry.writeUInt16LE(failure.flags ?? 2, 78);
    });
  }
  const header = Buffer.alloc(4096);
  header.write('CORONERA', 'latin1');
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(wanted.pid ?? 42, 24);
  header.writeBigUInt64LE(
    BigInt((wanted.startedAt ?? new Date('2026-01-31T12:00:00Z')).getTime()) * 1_000_000n,
    32,
  );
  header.writeBigUInt64LE(1_000_000_000n, 40);
  header.writeUInt32LE(wanted.state ?? 0, 48);
  header.writeInt32LE(wanted.exitCode ?? 0, 52);
  header.writeUInt32LE(wanted.pythonFlags ?? 3, 68);
  header.writeUInt32LE(wanted.pythonVersion ?? 0x030b0700, 72);
  for (const at of [80, 88]) header.writeBigUInt64LE(524_288n, at);
  header.writeBigUInt64LE(1_048_576n, 96);
  header.writeBigInt64LE(BigInt(liveBytes), 104);
  header.writeBigInt64LE(BigInt(peakBytes), 112);
  header.writeBigUInt64LE(BigInt(wanted.failures?.length ?? 0), 184);
  header.writeBigUInt64LE(BigInt(wanted.limitBytes ?? 0), 224);
  header.write(wanted.name ?? 'python', 256, 'latin1');
  header.write('/usr/bin/python3', 272, 'latin1');
  const parts: Buffer[] = [header];
  let offset = header.length;
  for (const [index, name] of (Object.keys(sizes) as (keyof typeof sizes)[]).entries()) {
    const body = Buffer.concat(sections[name]);
    const at = 528 + index * 16;
    header.writeUInt32LE(offset, at);
    header.writeUInt32LE(sizes[name], at + 4);
    header.writeUInt32LE(100_000, at + 8);
    header.writeUInt32LE(body.length / sizes[name], at + 12);
    parts.push(body);
    offset += body.length;
  }
  return Buffer.concat(parts);
}
