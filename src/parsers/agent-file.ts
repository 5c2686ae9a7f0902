/**
 * The file that the agent leaves behind (`agent/layout.h`, version 1): which call paths had allocated what was live at
 * the peak and at the end, every refused request, and how it grew. Bytes in, facts out; whatever the end of the process
 * or of the disk left of it is read as far as it goes.
 */
import type { FailedAllocation, MemoryLook } from '../model/evidence.ts';
import type {
  Allocation,
  AllocationFailure,
  GrowthMoment,
  Limit,
  StackFrame,
} from '../model/report.ts';
import { userFrame } from '../model/stack.ts';
import { formatBytes } from '../model/units.ts';
import type { Bytes, Ms } from '../model/units.ts';
import { functionName } from './mangled.ts';
import { header } from './agent-header.ts';

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
    const wall = isoTime(u64(place + 8));
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
  const startedAt = isoTime(u64(header.startedRealtime));
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

// --- what the report shows ---

export interface AllocationOptions {
  /** Lines that hold less than this share are left out. */
  readonly leastShare?: number;
  /** Name of a function in a native module, where its symbols are known. */
  readonly symbol?: (frame: NativeFrame) => string | null;
}

const mostPaths = 50;

/** Where what Python takes before the program's first line, without any line, and for our own hook is counted. */
const ownOfPython: StackFrame = {
  function: '(Python itself and its start-up)',
  file: null,
  line: null,
};
/** More than this is worth its lines: an instrumentation that a .pth file or a sitecustomize loads. */
const mostOwnBytes = 16 * 2 ** 20;
const isStartUp = ({ file }: StackFrame) =>
  file !== null &&
  (file === '<frozen site>' || /\/lib(?:64)?\/python\d[\w.]*\/site\.py$/.test(file));
/** What a program imports has the program's own frame outside of importlib's. */
const isBeforeProgram = (stack: readonly StackFrame[]) =>
  /^<frozen (?:importlib|zipimport)/.test(stack.at(-1)?.file ?? '') &&
  userFrame(stack) === undefined;
const isOwnHook = ({ file }: StackFrame) =>
  file !== null && file.endsWith('/python-hook/sitecustomize.py');

/** The line that a path counts for. */
function frameOfPaths(
  file: AgentFile,
  native: (path: AgentPath) => readonly StackFrame[],
): (path: AgentPath) => StackFrame | null {
  const isOwn = (path: AgentPath) =>
    file.python !== null &&
    (path.stack.some((frame) => isStartUp(frame) || isOwnHook(frame)) ||
      isBeforeProgram(path.stack) ||
      (path.stack.length === 0 && native(path).length === 0));
  const own = file.paths.filter(isOwn);
  const ownBytes = own.reduce(
    (sum, { peak, live }) =>
      sum + Math.max(peak.exactBytes + peak.estimatedBytes, live.exactBytes + live.estimatedBytes),
    0,
  );
  const folded = new Set(ownBytes <= mostOwnBytes ? own : []);
  return (path) =>
    folded.has(path)
      ? ownOfPython
      : (userFrame(path.stack) ?? native(path)[0] ?? path.stack[0] ?? null);
}

/** The lines that had allocated what was live at the peak or at the end, largest first. */
export function allocationsOf(
  file: AgentFile,
  when: Allocation['when'],
  { leastShare = 0.002, symbol = () => null }: AllocationOptions = {},
): readonly Allocation[] {
  const lines = new Map<
    string,
    {
      frame: StackFrame | null;
      exact: number;
      estimated: number;
      samples: number;
      paths: Map<string, { bytes: number; stack: StackFrame[] }>;
    }
  >();
  let total = 0;
  const native = (path: AgentPath) => nativeFrames(path, file, symbol);
  const frameOfPath = frameOfPaths(file, native);
  for (const path of file.paths) {
    const { exactBytes, estimatedBytes, samples } = when === 'peak' ? path.peak : path.live;
    const bytes = exactBytes + estimatedBytes;
    if (bytes <= 0) continue;
    total += bytes;
    const stack = [...native(path), ...path.stack];
    const frame = frameOfPath(path);
    const key = keyOf(frame);
    const line = lines.get(key) ?? { frame, exact: 0, estimated: 0, samples: 0, paths: new Map() };
    lines.set(key, line);
    line.exact += exactBytes;
    line.estimated += estimatedBytes;
    line.samples += samples;
    const stackKey = stack
      .map(({ file: name, line: number, function: called }) => `${name}:${number}:${called}`)
      .join('\n');
    const known = line.paths.get(stackKey);
    if (known) known.bytes += bytes;
    else line.paths.set(stackKey, { bytes, stack });
  }
  const found: Allocation[] = [];
  for (const { frame, exact, estimated, samples, paths } of lines.values()) {
    const bytes = exact + estimated;
    if (bytes < total * leastShare) continue;
    const ways = [...paths.values()]
      .sort((a, b) => b.bytes - a.bytes)
      .filter(
        (way, index) => index === 0 || (index < mostPaths && way.bytes >= total * leastShare),
      );
    found.push({
      when,
      file: frame?.file ?? null,
      line: frame?.line ?? null,
      function: frame?.function ?? null,
      bytes: Math.round(bytes),
      share: bytes / total,
      plusMinus: estimated === 0 ? 0 : estimated / Math.sqrt(Math.max(1, samples)) / bytes,
      stack: ways[0]?.stack ?? [],
      ...(ways.length > 1
        ? {
            paths: ways
              .slice(0, 50)
              .map((way) => ({ bytes: Math.round(way.bytes), stack: way.stack })),
          }
        : {}),
    });
  }
  return found.sort((a, b) => b.bytes - a.bytes);
}

const mostMoments = 100;
const keyOf = (frame: StackFrame | null) =>
  frame === null ? '' : `${frame.file}\0${frame.line}\0${frame.function}`;

/** How the lines grew. The moments hold the largest call paths; a line is the sum of its paths among them. */
export function growthOf(file: AgentFile): readonly GrowthMoment[] {
  const { history } = file;
  const step = Math.max(1, Math.ceil(history.length / mostMoments));
  const frameOfPath = frameOfPaths(file, (path) => nativeFrames(path, file, () => null));
  return history
    .filter((_, index) => index % step === 0 || index === history.length - 1)
    .map(({ sinceStartMs, liveBytes, rssBytes, top }) => {
      const lines = new Map<string, { frame: StackFrame | null; bytes: Bytes }>();
      for (const { path, bytes } of top) {
        const from = file.paths[path];
        const frame = from === undefined ? null : frameOfPath(from);
        const known = lines.get(keyOf(frame));
        if (known) known.bytes += bytes;
        else lines.set(keyOf(frame), { frame, bytes });
      }
      return {
        atMs: sinceStartMs,
        liveBytes: Math.max(0, liveBytes),
        rssBytes,
        lines: [...lines.values()]
          .sort((a, b) => b.bytes - a.bytes)
          .slice(0, 8)
          .map(({ frame, bytes }) => ({
            file: frame?.file ?? null,
            line: frame?.line ?? null,
            function: frame?.function ?? null,
            bytes,
          })),
      };
    });
}

/** Lines that held more in each quarter of the run than in the one before, and at the end half as much again as in the middle. */
function growingLines(moments: readonly GrowthMoment[]): ReadonlySet<string> {
  const growing = new Set<string>();
  if (moments.length < 8) return growing;
  const at = (part: number) =>
    moments[Math.min(moments.length - 1, Math.floor(part * moments.length))];
  const quarters = [0.25, 0.5, 0.75, 1].map(at);
  for (const line of quarters[3]?.lines ?? []) {
    const held = quarters.map(
      (moment) =>
        moment?.lines.find((one) => keyOf(frameOf(one)) === keyOf(frameOf(line)))?.bytes ?? 0,
    );
    const [first = 0, second = 0, third = 0, last = 0] = held;
    if (second > first && third > second && last > third && last >= 1.5 * second && last >= 2 ** 20)
      growing.add(keyOf(frameOf(line)));
  }
  return growing;
}
const frameOf = ({
  file,
  line,
  function: name,
}: GrowthMoment['lines'][number] | Allocation): StackFrame => ({
  function: name ?? '?',
  file,
  line,
});

/** Native callers worth a line: not the interpreter itself, not libc. */
function nativeFrames(
  { native, stack }: Pick<AgentPath, 'native' | 'stack'>,
  { python, executable }: Pick<AgentFile, 'python' | 'executable'>,
  symbol: (frame: NativeFrame) => string | null,
): StackFrame[] {
  const found: StackFrame[] = [];
  for (const frame of stack.length > 0 ? native.slice(0, 1) : native) {
    const name = frame.module === null ? null : baseName(frame.module);
    if (python && (frame.module === null || isOwnOf(frame.module, { python, executable })))
      continue;
    const called = symbol(frame);
    found.push({
      function: called === null ? (name ?? '?') : (operatorNew[called] ?? functionName(called)),
      file: frame.module,
      line: null,
    });
  }
  // Who called `operator new` is of interest, where it was found.
  const own = found.findIndex(({ function: called }) => !called.startsWith('operator new'));
  return own > 0 ? found.slice(own) : found;
}
/** Beside `operator new` and `operator new[]`: a name without its parameters would not tell. */
const operatorNew: Readonly<Record<string, string>> = {
  _ZnwmRKSt9nothrow_t: 'operator new (nothrow)',
  _ZnamRKSt9nothrow_t: 'operator new[] (nothrow)',
};
/** The C library, the agent itself (its frames lie among the callers of what it serves), and in a Python process the interpreter. */
function isOwnOf(
  module: string,
  { python, executable }: Pick<AgentFile, 'python' | 'executable'>,
): boolean {
  const name = baseName(module);
  return (
    /^libc[.-]|^ld-|^coroner-agent-/.test(name) ||
    (python !== null && (name.startsWith('libpython') || module === executable))
  );
}
const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1);

const errnoNames: Readonly<Record<number, string>> = { 11: 'EAGAIN', 12: 'ENOMEM', 22: 'EINVAL' };

export function failureOf(
  failure: AgentFailure,
  file: AgentFile,
  symbol: (frame: NativeFrame) => string | null = () => null,
): AllocationFailure {
  const native = failure.native.find(({ module }) => module !== null && !isOwnOf(module, file));
  const library = native?.module == null ? null : baseName(native.module);
  const mangled = native ? symbol(native) : null;
  const called = mangled === null ? null : (operatorNew[mangled] ?? functionName(mangled));
  return {
    bytes: failure.bytes,
    errno: errnoNames[failure.errno] ?? `errno ${failure.errno}`,
    stack: failure.stack.length > 0 ? failure.stack : nativeFrames(failure, file, symbol),
    ...(library === null ? {} : { caller: called === null ? library : `${called} in ${library}` }),
    pid: file.pid,
  };
}

/** What refused it, as far as the figures at that moment tell; undefined: they do not. */
export function limitOfFailure(failure: AgentFailure, file: AgentFile): Limit | undefined {
  if (failure.byLimit)
    return { owner: 'budget', path: '--memory-limit', bytes: file.limit?.bytes ?? null };
  const { limitAsBytes, limitDataBytes, vmBytes, bytes } = failure;
  // For a small request the allocator asks the kernel for more: 132 KiB (glibc's heap) to 1 MiB (CPython's arena).
  const asked = Math.max(bytes, 2 * 2 ** 20);
  if (limitAsBytes !== null && vmBytes + asked > limitAsBytes)
    return { owner: 'rlimit', path: 'RLIMIT_AS', bytes: limitAsBytes };
  // 47 bits of address space on x86-64, 48 on arm64, less what is in use.
  if (bytes >= 2 ** 47 - 2 ** 40) return { owner: 'address-space', bytes: 2 ** 47 };
  // RLIMIT_DATA counts only private writable memory, which is at most what is mapped.
  if (limitDataBytes !== null && vmBytes + asked > limitDataBytes && limitAsBytes === null)
    return { owner: 'rlimit', path: 'RLIMIT_DATA', bytes: limitDataBytes };
  return undefined;
}

export interface AgentEvidenceOptions extends AllocationOptions {
  readonly place: string;
  /** ISO 8601; when the process ended. */
  readonly endedAt?: string | undefined;
  /** Text of a source line, where it can be read. */
  readonly sourceLine?: (file: string, line: number) => string | null;
}

/** Everything the file is evidence of. */
export function agentEvidence(
  file: AgentFile,
  { place, endedAt, sourceLine = () => null, ...options }: AgentEvidenceOptions,
): (FailedAllocation | MemoryLook)[] {
  const evidence: (FailedAllocation | MemoryLook)[] = [];
  const endMs = endedAt === undefined ? Number.NaN : Date.parse(endedAt);
  const withText = <Frame extends StackFrame | Allocation>(frame: Frame): Frame => {
    const text =
      frame.file !== null && frame.line !== null ? sourceLine(frame.file, frame.line) : null;
    return text === null ? frame : { ...frame, text };
  };
  for (const [index, failure] of file.failures.entries()) {
    const beforeEndMs = endMs - Date.parse(failure.at);
    const limit = limitOfFailure(failure, file);
    const told = failureOf(failure, file, options.symbol);
    evidence.push({
      kind: 'failed-allocation',
      origin: {
        source: agentFileId,
        place,
        line: index + 1,
        quote: quoteOf(failure, told),
      },
      when: { wall: failure.at },
      pid: file.pid,
      name: file.name,
      failure: { ...told, stack: told.stack.map(withText) },
      seenBy: 'agent',
      ...(Number.isFinite(beforeEndMs) && beforeEndMs >= 0 ? { beforeEndMs } : {}),
      ...(limit === undefined ? {} : { limit }),
    });
  }
  const growth = growthOf(file);
  const growing = growingLines(growth);
  const allocations = [
    ...allocationsOf(file, 'peak', options),
    // Exit handlers and the end of the interpreter free what was live: at a regular end only the peak tells.
    ...(file.state === 'exiting' ? [] : allocationsOf(file, 'death', options)),
  ].map((allocation) => ({
    ...withText(allocation),
    stack: allocation.stack.map(withText),
    ...(growing.has(keyOf(frameOf(allocation))) ? { growing: true as const } : {}),
  }));
  if (allocations.length > 0 || file.failures.length > 0 || file.notes.length > 0)
    evidence.push({
      kind: 'memory-look',
      origin: { source: agentFileId, place },
      pid: file.pid,
      name: file.name,
      picture: {
        allocations,
        ...(growth.length === 0 ? {} : { growth }),
        ...(file.failures.length === 0
          ? {}
          : { failures: file.failures.map((failure) => failureOf(failure, file, options.symbol)) }),
        ...(file.notes.length === 0 ? {} : { notes: file.notes }),
      },
    });
  return evidence;
}

function quoteOf(
  { call, bytes, threadId, mainThread }: AgentFailure,
  { errno, stack }: AllocationFailure,
): string {
  const where = stack[0]
    ? ` at ${stack[0].file ?? '?'}:${stack[0].line ?? '?'} in ${stack[0].function}`
    : '';
  return `${call} of ${bytes} bytes = ${errno}, thread ${threadId}${mainThread ? ' (main)' : ''}${where}`;
}

// --- bytes ---

/** Sizes may be any 64-bit number; those beyond 2^53 lose their last digits, which nobody reads. */
const number64 = (view: DataView, offset: number) => Number(view.getBigUint64(offset, true));

function isoTime(ns: number): string | null {
  const ms = ns / 1e6;
  return ms > 0 && ms < 8.64e15 ? new Date(ms).toISOString() : null;
}
function latin1(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}
function zeroEnded(bytes: Uint8Array, from: number, length: number): string {
  const field = bytes.subarray(from, from + length);
  const end = field.indexOf(0);
  return utf8.decode(end === -1 ? field : field.subarray(0, end));
}
