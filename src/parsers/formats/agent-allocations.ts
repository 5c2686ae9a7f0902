/** What the agent's file is evidence of: the lines that had allocated what was live, how they grew, and every refused request. */
import { defined } from '../../model/defined.ts';
import type { FailedAllocation, HeapSnapshot } from '../../model/evidence.ts';
import type {
  Allocation,
  AllocationFailure,
  GrowthMoment,
  Limit,
  StackFrame,
} from '../../model/report.ts';
import { isOwnHook, userFrame } from '../../model/stack.ts';
import type { Bytes } from '../../model/units.ts';
import { agentFileId } from './agent-file/agent-file.ts';
import type {
  AgentBytes,
  AgentFailure,
  AgentFile,
  AgentPath,
  NativeFrame,
} from './agent-file/facts.ts';
import { functionName } from '../text/mangled/mangled.ts';

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
/** Whom the interpreter calls while it starts: for its modules and its codecs. What a program imports has the program's own frame outside. */
const isBeforeProgram = (stack: readonly StackFrame[]) =>
  /^<frozen (?:importlib|zipimport)|\/lib(?:64)?\/python\d[\w.]*\/encodings\/__init__\.py$/.test(
    stack.at(-1)?.file ?? '',
  ) && userFrame(stack) === undefined;

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

function liveAt({ peak, refused, live }: AgentPath, when: Allocation['when']): AgentBytes | null {
  switch (when) {
    case 'peak':
      return peak;
    case 'refusal':
      return refused;
    case 'death':
      return live;
  }
}

/** The lines that had allocated what was live at that moment, largest first. */
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
    const at = liveAt(path, when);
    if (at === null) continue;
    const { exactBytes, estimatedBytes, samples } = at;
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
}

/** What our own hook is refused while it writes down an exception, or hands on to who prints it: the program was refused before. */
const isAftermath = (failure: AgentFailure, { failures }: AgentFile): boolean =>
  failure.stack.some(isOwnHook) && failures.some(({ stack }) => !stack.some(isOwnHook));

const withoutOwnHook = (failure: AllocationFailure): AllocationFailure => ({
  ...failure,
  stack: failure.stack.filter((frame) => !isOwnHook(frame)),
});

/** Everything the file is evidence of. */
export function agentEvidence(
  file: AgentFile,
  { place, endedAt, ...options }: AgentEvidenceOptions,
): (FailedAllocation | HeapSnapshot)[] {
  const evidence: (FailedAllocation | HeapSnapshot)[] = [];
  const endMs = endedAt === undefined ? Number.NaN : Date.parse(endedAt);
  for (const [index, failure] of file.failures.entries()) {
    if (isAftermath(failure, file)) continue;
    const beforeEndMs = endMs - Date.parse(failure.at);
    const limit = limitOfFailure(failure, file);
    const told = withoutOwnHook(failureOf(failure, file, options.symbol));
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
      failure: told,
      seenBy: 'agent',
      ...(Number.isFinite(beforeEndMs) && beforeEndMs >= 0 ? { beforeEndMs } : {}),
      ...defined({ limit }),
    });
  }
  const growth = growthOf(file);
  const growing = growingLines(growth);
  const allocations = [
    ...allocationsOf(file, 'peak', options),
    ...allocationsOf(file, 'refusal', options),
    // Exit handlers and the end of the interpreter free what was live: at a regular end only the peak tells.
    ...(file.state === 'exiting' ? [] : allocationsOf(file, 'death', options)),
  ].map((allocation) => ({
    ...allocation,
    ...(growing.has(keyOf(frameOf(allocation))) ? { growing: true as const } : {}),
  }));
  if (allocations.length > 0 || file.failures.length > 0 || file.notes.length > 0)
    evidence.push({
      kind: 'heap-snapshot',
      origin: { source: agentFileId, place },
      pid: file.pid,
      name: file.name,
      ...defined({ python: file.python?.version }),
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
