/**
 * The file that the agent leaves behind (`agent/layout.h`, version 1): which call paths had allocated what was live at
 * the peak and at the end, every refused request, and how it grew. Bytes in, facts out; whatever the end of the process
 * or of the disk left of it is read as far as it goes.
 */
import type { StackFrame } from '../../../model/report.ts';
import { formatBytes } from '../../../model/units.ts';
import type { Bytes, Ms } from '../../../model/units.ts';
import { header } from '../../../model/agent-header.ts';
import { isoTime } from '../../../model/units.ts';

export const agentFileId = 'agent';

const magic = 'CORONERA';
const sectionNames = [
  'stacks',
  'nodes',
  'frames',
  'codes',
  'text',
  'live',
  'failures',
  'history',
  'modules',
] as const;
type SectionName = (typeof sectionNames)[number];
/** The least stride with which the fields below can be read. */
const leastStride: Readonly<Record<SectionName, number>> = {
  stacks: 120,
  nodes: 8,
  frames: 16,
  codes: 40,
  text: 1,
  live: 40,
  failures: 136,
  history: 32,
  modules: 32,
};
const nativeDepth = 6;
const maxPythonDepth = 80;

export interface AgentBytes {
  /** Counted one by one, by resident pages once these were looked at. */
  readonly exactBytes: Bytes;
  /** Sum of the samples' weights. */
  readonly estimatedBytes: Bytes;
  readonly samples: number;
}
export interface NativeFrame {
  /** Path of the file it lies in; null: in no known module. */
  readonly module: string | null;
  /** Offset in that file, for its symbols. */
  readonly fileOffset: number;
}
/** One way to the allocator. */
export interface AgentPath {
  readonly kind: 'heap' | 'object' | 'mapping' | 'shared';
  /** Python frames, innermost first. */
  readonly stack: readonly StackFrame[];
  /** Return addresses, innermost first; all but the first were found by scanning. */
  readonly native: readonly NativeFrame[];
  /** The stack is a guess: a thread that is not Python's asked. */
  readonly probable: boolean;
  readonly live: AgentBytes;
  readonly peak: AgentBytes;
  readonly totalBytes: Bytes;
}
export interface AgentFailure {
  readonly sequence: number;
  readonly at: string;
  readonly sinceStartMs: Ms;
  readonly bytes: Bytes;
  readonly errno: number;
  readonly rssBytes: Bytes;
  readonly vmBytes: Bytes;
  readonly limitAsBytes: Bytes | null;
  readonly limitDataBytes: Bytes | null;
  readonly threadId: number;
  readonly mainThread: boolean;
  /** Refused by the agent itself: --memory-limit. */
  readonly byLimit: boolean;
  readonly call: string;
  readonly stack: readonly StackFrame[];
  readonly native: readonly NativeFrame[];
}
export interface AgentMoment {
  readonly sinceStartMs: Ms;
  readonly liveBytes: Bytes;
  readonly rssBytes: Bytes;
  /** Largest first. */
  readonly top: readonly { readonly path: number; readonly bytes: Bytes }[];
}
export interface AgentFile {
  readonly pid: number;
  readonly parentPid: number;
  readonly name: string;
  readonly executable: string | null;
  readonly startedAt: string;
  readonly startedMonotonicNs: number;
  readonly state: 'running' | 'exiting' | 'exited' | 'executing';
  readonly exitCode: number | null;
  readonly forked: boolean;
  readonly python: {
    readonly version: string;
    readonly stacks: boolean;
    readonly objects: boolean;
    readonly freeThreaded: boolean;
    readonly otherAllocator: boolean;
  } | null;
  readonly sampleMeanBytes: Bytes;
  readonly liveBytes: Bytes;
  readonly peakBytes: Bytes;
  readonly peakSinceStartMs: Ms;
  readonly peakRssBytes: Bytes;
  readonly forkedLiveBytes: Bytes;
  readonly lastEventSinceStartMs: Ms;
  readonly limit: {
    readonly bytes: Bytes;
    readonly hits: number;
    readonly usedBytes: Bytes;
  } | null;
  readonly paths: readonly AgentPath[];
  readonly failures: readonly AgentFailure[];
  readonly failureCount: number;
  readonly history: readonly AgentMoment[];
  /** What it could not see or keep, in words. */
  readonly notes: readonly string[];
}
export type AgentReading =
  | { readonly status: 'read' | 'truncated'; readonly file: AgentFile }
  | { readonly status: 'malformed'; readonly detail: string };

const kinds = ['heap', 'object', 'mapping', 'shared'] as const;
const states = ['running', 'exiting', 'exited', 'executing'] as const;
const calls = ['malloc', 'calloc', 'realloc', 'aligned_alloc', 'mmap', 'mremap'] as const;
const utf8 = new TextDecoder('utf-8');

export function parseAgentFile(bytes: Uint8Array): AgentReading {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < header.end) return { status: 'malformed', detail: 'shorter than its header' };
  // The magic number is written last: without it the process ended while it made the file.
  if (latin1(bytes, 0, 8) !== magic) return { status: 'malformed', detail: 'no agent file' };
  const version = view.getUint32(header.version, true);
  if (version !== 1)
    return { status: 'malformed', detail: `layout version ${version}, known is 1` };

  const u64 = (offset: number) => number64(view, offset);
  const i64 = (offset: number) => Number(view.getBigInt64(offset, true));
  const startedNs = u64(header.startedMonotonic);
  const sinceStartMs = (ns: number) =>
    ns === 0 ? 0 : Math.max(0, Math.round((ns - startedNs) / 1e6));

  let truncated = false;
  const sections = {} as Record<SectionName, Section>;
  for (const [index, name] of sectionNames.entries()) {
    const at = header.sections + index * 16;
    const [offset, stride, capacity, used] = [0, 4, 8, 12].map((field) =>
      view.getUint32(at + field, true),
    ) as [number, number, number, number];
    if (stride < leastStride[name] || stride > 4096 || used > capacity)
      return { status: 'malformed', detail: `section ${name} contradicts itself` };
    const whole = Math.max(0, Math.min(used, Math.floor((bytes.length - offset) / stride)));
    if (whole < used) truncated = true;
    sections[name] = { offset, stride, count: whole };
  }
  const at = (name: SectionName, index: number) =>
    sections[name].offset + sections[name].stride * index;

  const text = (offset: number): string | null => {
    if (offset === 0 || offset + 4 > sections.text.count) return null;
    const start = sections.text.offset + offset;
    const length = view.getUint32(start, true);
    if (length > 4096 || offset + 4 + length > sections.text.count) return null;
    return utf8.decode(bytes.subarray(start + 4, start + 4 + length));
  };

  const frames = new Map<number, StackFrame | null>();
  const frame = (id: number): StackFrame | null => {
    const known = frames.get(id);
    if (known !== undefined) return known;
    let found: StackFrame | null = null;
    if (id >= 1 && id <= sections.frames.count) {
      const place = at('frames', id - 1);
      const code = view.getUint32(place, true);
      const line = view.getInt32(place + 8, true);
      if (code >= 1 && code <= sections.codes.count) {
        const codePlace = at('codes', code - 1);
        found = {
          function: text(view.getUint32(codePlace + 32, true)) ?? '?',
          file: text(view.getUint32(codePlace + 28, true)),
          line: line > 0 ? line : null,
        };
      }
    }
    frames.set(id, found);
    return found;
  };
  const pythonStack = (innermost: number): StackFrame[] => {
    const stack: StackFrame[] = [];
    for (
      let node = innermost;
      node >= 1 && node <= sections.nodes.count && stack.length < maxPythonDepth;
    ) {
      const place = at('nodes', node - 1);
      const found = frame(view.getUint32(place + 4, true));
      if (found) stack.push(found);
      node = view.getUint32(place, true);
    }
    return stack;
  };

  const modules: { start: number; end: number; offset: number; path: string | null }[] = [];
  for (let i = 0; i < sections.modules.count; i += 1) {
    const place = at('modules', i);
    modules.push({
      start: u64(place),
      end: u64(place + 8),
      offset: u64(place + 16),
      path: text(view.getUint32(place + 24, true)),
    });
  }
  const native = (place: number, count: number): NativeFrame[] => {
    const found: NativeFrame[] = [];
    for (let i = 0; i < Math.min(count, nativeDepth); i += 1) {
      const address = u64(place + i * 8);
      const module = modules.findLast(({ start, end }) => address >= start && address < end);
      if (address !== 0)
        found.push({
          module: module?.path ?? null,
          fileOffset: module ? address - module.start + module.offset : address,
        });
    }
    return found;
  };

  const paths: AgentPath[] = [];
  for (let i = 0; i < sections.stacks.count; i += 1) {
    const place = at('stacks', i);
    const amount = (exact: number, estimated: number, samples: number): AgentBytes => ({
      exactBytes: Math.max(0, i64(place + exact)),
      estimatedBytes: Math.max(0, i64(place + estimated)),
      samples: view.getInt32(place + samples, true) > 0 ? view.getInt32(place + samples, true) : 0,
    });
    paths.push({
      kind: kinds[view.getUint16(place + 64, true)] ?? 'heap',
      stack: pythonStack(view.getUint32(place + 60, true)),
      native: native(place + 72, view.getUint32(place + 68, true)),
      probable: (view.getUint16(place + 66, true) & 1) !== 0,
      live: amount(8, 16, 48),
      peak: amount(24, 32, 52),
      totalBytes: u64(place + 40),
    });
  }

  const failures: AgentFailure[] = [];
  const limitOrNull = (offset: number) => {
    const value = view.getBigUint64(offset, true);
    return value > 2n ** 62n ? null : Number(value);
  };
  for (let i = 0; i < sections.failures.count; i += 1) {
    const place = at('failures', i);
    const sequence = u64(place);
    const wall = timeOf(u64(place + 8));
    if (sequence === 0 || wall === null) continue;
    const flags = view.getUint16(place + 78, true);
    failures.push({
      sequence,
      at: wall,
      sinceStartMs: sinceStartMs(u64(place + 16)),
      bytes: u64(place + 24),
      rssBytes: u64(place + 32),
      vmBytes: u64(place + 40),
      limitAsBytes: limitOrNull(place + 48),
      limitDataBytes: limitOrNull(place + 56),
      threadId: view.getUint32(place + 64, true),
      errno: view.getInt32(place + 68, true),
      stack: pythonStack(view.getUint32(place + 72, true)),
      call: calls[view.getUint16(place + 76, true)] ?? 'malloc',
      byLimit: (flags & 1) !== 0,
      mainThread: (flags & 2) !== 0,
      native: native(place + 88, view.getUint32(place + 80, true)),
    });
  }
  failures.sort((a, b) => a.sequence - b.sequence);

  const history: AgentMoment[] = [];
  const topCount = Math.floor((sections.history.stride - 32) / 16);
  for (let i = 0; i < sections.history.count; i += 1) {
    const place = at('history', i);
    const top: { path: number; bytes: Bytes }[] = [];
    for (let n = 0; n < topCount; n += 1) {
      const path = view.getUint32(place + 32 + n * 16, true);
      if (path === 0 || path > paths.length) break;
      top.push({ path: path - 1, bytes: i64(place + 40 + n * 16) });
    }
    history.push({
      sinceStartMs: sinceStartMs(u64(place)),
      liveBytes: i64(place + 8),
      rssBytes: u64(place + 16),
      top,
    });
  }

  const pythonVersion = view.getUint32(header.pythonVersion, true);
  const pythonFlags = view.getUint32(header.pythonFlags, true);
  const state = states[view.getUint32(header.state, true)] ?? 'running';
  const limitBytes = u64(header.limitBytes);
  const startedAt = timeOf(u64(header.startedRealtime));
  if (startedAt === null) return { status: 'malformed', detail: 'its start is no time' };
  const file: AgentFile = {
    pid: view.getUint32(header.pid, true),
    parentPid: view.getUint32(header.parentPid, true),
    name: zeroEnded(bytes, header.name, 16),
    executable: zeroEnded(bytes, header.executable, 256) || null,
    startedAt,
    startedMonotonicNs: startedNs,
    state,
    exitCode: state === 'exited' ? view.getInt32(header.exitCode, true) : null,
    forked: (view.getUint32(header.flags, true) & 1) !== 0,
    python:
      pythonVersion === 0
        ? null
        : {
            version: [24, 16, 8].map((shift) => (pythonVersion >>> shift) & 255).join('.'),
            stacks: (pythonFlags & 1) !== 0,
            objects: (pythonFlags & 2) !== 0,
            freeThreaded: (pythonFlags & 8) !== 0,
            otherAllocator: (pythonFlags & 16) !== 0,
          },
    sampleMeanBytes: u64(header.sampleMean),
    liveBytes: i64(header.liveBytes),
    peakBytes: i64(header.peakBytes),
    peakSinceStartMs: sinceStartMs(u64(header.peakMonotonic)),
    peakRssBytes: u64(header.peakRss),
    forkedLiveBytes: i64(header.forkedLiveBytes),
    lastEventSinceStartMs: sinceStartMs(u64(header.lastEventMonotonic)),
    limit:
      limitBytes === 0
        ? null
        : { bytes: limitBytes, hits: u64(header.limitHits), usedBytes: u64(header.limitUsedBytes) },
    paths,
    failures,
    failureCount: u64(header.failureCount),
    history,
    notes: [],
  };
  return {
    status: truncated ? 'truncated' : 'read',
    file: {
      ...file,
      notes: notesOf(file, {
        droppedLive: u64(header.droppedLive),
        droppedStacks: u64(header.droppedStacks),
        mixedPeak: view.getUint32(header.peakSequence, true) % 2 === 1,
        firstSampleMean: u64(header.firstSampleMean),
        truncated,
      }),
    },
  };
}

interface Section {
  readonly offset: number;
  readonly stride: number;
  readonly count: number;
}

function notesOf(
  file: AgentFile,
  seen: {
    readonly droppedLive: number;
    readonly droppedStacks: number;
    readonly mixedPeak: boolean;
    readonly firstSampleMean: Bytes;
    readonly truncated: boolean;
  },
): string[] {
  const notes: string[] = [];
  const { python } = file;
  if (python && python.freeThreaded)
    notes.push(
      `Python ${python.version} without the GIL: its small objects and its stacks are not seen by the agent`,
    );
  else if (python && !python.stacks)
    notes.push(
      `Python ${python.version} is not known to the agent: allocations have no Python lines`,
    );
  if (python && python.otherAllocator)
    notes.push(
      'PYTHONMALLOC, -X dev or a debug layer is in use: small objects are counted as malloc or not at all',
    );
  if (file.forked && file.forkedLiveBytes >= 2 ** 20)
    notes.push(
      `It was forked from pid ${file.parentPid}, which had ${formatBytes(file.forkedLiveBytes)} live then: shared until one of them writes, and counted there`,
    );
  if (file.python?.objects === true && file.peakBytes >= 16 * 2 ** 20)
    notes.push(
      'CPython hands out freed lists, tuples, dicts and floats again (its free lists): they count at the line that took them, as far as the first uses of a sampled object tell',
    );
  if (seen.droppedLive > 0)
    notes.push(
      `The table of live samples was full: ${seen.droppedLive} allocations were not noted`,
    );
  if (seen.droppedStacks > 0)
    notes.push(`A table of stacks was full: ${seen.droppedStacks} samples lack their line`);
  if (seen.mixedPeak)
    notes.push('It ended while the peak was being copied: the peak mixes two close moments');
  if (file.sampleMeanBytes > seen.firstSampleMean && seen.firstSampleMean > 0)
    notes.push(
      `Sampling was thinned out as the heap grew: one sample in ${Math.round(file.sampleMeanBytes / 1024)} KiB at the end`,
    );
  if (file.limit !== null && file.limit.hits > 0)
    notes.push(
      `The memory limit of ${formatBytes(file.limit.bytes)} was reached ${file.limit.hits} times; ${formatBytes(file.limit.usedBytes)} were held at the first`,
    );
  if (seen.truncated)
    notes.push('The file of the agent is cut short: what is missing is not counted');
  return notes;
}

/** What decides whether a file is worth reading whole, from its first page; null: not one of the agent's. */
export function glanceAtAgentFile(
  page: Uint8Array,
): { readonly peakBytes: Bytes; readonly failureCount: number } | null {
  if (page.length < header.end || latin1(page, 0, 8) !== magic) return null;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  return {
    peakBytes: Number(view.getBigInt64(header.peakBytes, true)),
    failureCount: number64(view, header.failureCount),
  };
}

/** Sizes may be any 64-bit number; those beyond 2^53 lose their last digits, which nobody reads. */
const number64 = (view: DataView, offset: number) => Number(view.getBigUint64(offset, true));

const timeOf = (ns: number): string | null => (ns > 0 ? (isoTime(ns / 1e6) ?? null) : null);
function latin1(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}
function zeroEnded(bytes: Uint8Array, from: number, length: number): string {
  const field = bytes.subarray(from, from + length);
  const end = field.indexOf(0);
  return utf8.decode(end === -1 ? field : field.subarray(0, end));
}
