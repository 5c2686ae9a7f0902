import { defined } from '../../model/defined.ts';
import {
  crashFacts,
  formatOperand,
  missingFileText,
  moduleBase,
  openCore,
  type CoreFile,
  type CoreOptions,
  type CrashFacts,
  type ReadAt,
} from '../../elf/index.ts';
import type { CoreDump } from '../../model/evidence.ts';
import type { SourceReport, StackFrame, Thread } from '../../model/report.ts';
import { functionName, isLibraryFunction, typeName } from '../text/mangled/mangled.ts';
import { signalName } from '../../model/signals.ts';

export interface CoreInput extends CoreOptions {
  /** Name for `origin.place`. */
  readonly name: string;
  readonly readAt: ReadAt;
  readonly size: number;
  /** The Python stacks of a core, where somebody can read them. */
  readonly pythonStacks?: (core: CoreFile) => readonly Thread[];
}

export interface CoreReading {
  readonly evidence: readonly CoreDump[];
  readonly source: SourceReport;
}

const SIGBUS = 7;

/** One core file as evidence. Never throws on what stands in it. */
export function readCore(input: CoreInput): CoreReading {
  const { name, readAt, size, openFile, elsewhere, pythonStacks } = input;
  const opened = openCore(readAt, size, defined({ openFile, elsewhere }));
  if ('problem' in opened) {
    const { status, why } = opened.problem;
    return {
      evidence: [],
      source: {
        id: 'core',
        place: name,
        status: status === 'unsupported' ? 'malformed' : status,
        detail: why,
      },
    };
  }
  const { core } = opened;
  const status = core.truncated === null ? 'read' : 'truncated';
  const evidence = coreDump(name, core, pythonStacks?.(core) ?? []);
  const detail =
    core.truncated === null
      ? missingText(core)
      : `the core was cut short: ${core.truncated.actualBytes} of ${core.truncated.expectedBytes} bytes are there`;
  return {
    evidence: [evidence],
    source: {
      id: 'core',
      place: name,
      status,
      ...defined({ detail }),
      ...(core.missingFiles.length === 0
        ? {}
        : { command: `coroner diagnose ${name} --executable FILE --library-path DIR` }),
    },
  };
}

/** Which files its stacks and names would need that are not here. */
function missingText({ missingFiles, executable }: CoreFile): string | undefined {
  const first =
    missingFiles.find(({ path }) => path === executable) ??
    missingFiles.find(({ path }) => /\/libpython[^/]*$/.test(path)) ??
    missingFiles[0];
  if (first === undefined) return undefined;
  const others = missingFiles.length - 1;
  return `stacks and names are incomplete: ${missingFileText(first)}${others === 0 ? '' : `, and ${others} more`}`;
}

function coreDump(name: string, core: CoreFile, pythonThreads: readonly Thread[]): CoreDump {
  const facts = crashFacts(core);
  const { process } = core;
  const { executable } = core;
  const own = pythonThreads.find(({ id }) => id === core.threads[0]?.id);
  const stack =
    (own ?? (pythonThreads.length === 1 ? pythonThreads[0] : undefined))?.stack ??
    nativeFrames(facts);
  return {
    kind: 'core-dump',
    origin: { source: 'core', place: name },
    record: 'core',
    ...(process === null
      ? {}
      : {
          pid: process.pid,
          name: process.name,
          command: process.commandLine,
          uid: process.uid,
        }),
    ...known('threadId', core.threads[0]?.id),
    ...(executable === null ? {} : { executable }),
    signal: facts.signal === null || facts.signal === 0 ? null : signalName(facts.signal),
    ...known('signalCode', facts.code),
    reraised: facts.reraised,
    ...(facts.sender === null ? {} : { sender: facts.sender }),
    ...known('faultAddress', facts.faultAddress === null ? null : hex(facts.faultAddress)),
    ...(facts.stackPointer === 0 ? {} : { stackPointer: hex(facts.stackPointer) }),
    ...(facts.instructionPointer === 0 && facts.access !== 'execute'
      ? {}
      : { instructionPointer: hex(facts.instructionPointer) }),
    ...known('faultingObject', facts.object?.path ?? null),
    access: facts.access,
    ...(facts.operand === null
      ? {}
      : {
          operand: formatOperand(facts.operand),
          baseRegisterZero: facts.zeroRegister !== null,
        }),
    ...known('zeroRegister', facts.zeroRegister),
    ...known('faultMapping', facts.faultRegion?.path ?? busMapping(core, facts)),
    stackOverflow: facts.stackOverflow,
    ...known('abortMessage', facts.abortMessage),
    ...known('exceptionType', facts.exceptionType === null ? null : typeName(facts.exceptionType)),
    ...known('requestBytes', facts.requestBytes),
    ...known('errno', facts.errno),
    ctypes: core.files.some(({ path }) => /\/_ctypes[^/]*\.so/.test(path)),
    totalVmBytes: core.totalVmBytes,
    mapCount: core.mapCount,
    ...(core.threads.length === 0 ? {} : { threads: core.threads.length }),
    buildIds: buildIds(core, facts),
    ...(facts.nativeStack.length === 0 ? {} : { nativeStack: facts.nativeStack.map(frameText) }),
    ...(stack.length === 0 ? {} : { stack }),
    ...(pythonThreads.length === 0 ? {} : { pythonThreads }),
    truncated: core.truncated !== null,
    ...(core.truncated === null
      ? {}
      : { missingBytes: core.truncated.expectedBytes - core.truncated.actualBytes }),
  };
}

const runtimes = /\/(?:libc|libstdc\+\+|libgcc_s|libpthread|ld-linux|ld-musl|libc\.musl)[^/]*$/;
const mostFrames = 24;

/** The program's own frames: what libc does to copy or to abort says little about where in the code it was. */
function nativeFrames({ nativeStack }: CrashFacts): readonly StackFrame[] {
  const first = nativeStack.findIndex(
    ({ object, function: name }) =>
      name !== null && object !== null && !runtimes.test(object) && !isLibraryFunction(name),
  );
  if (first < 0) return [];
  return nativeStack.slice(first, first + mostFrames).map(({ function: name, object, offset }) => ({
    function: name === null ? `+0x${offset.toString(16)}` : functionName(name),
    file: object,
    line: null,
  }));
}

/** As coredumpctl writes it: `fill (naive.so + 0x11b6)`. */
function frameText({ function: name, object, offset }: CrashFacts['nativeStack'][number]): string {
  const file = object === null ? 'n/a' : object.slice(object.lastIndexOf('/') + 1);
  return `${name ?? 'n/a'} (${file} + 0x${offset.toString(16)})`;
}

/** A SIGBUS on a mapping that ends before its pages do: NT_FILE still names it. */
function busMapping(core: CoreFile, { signal, faultAddress }: CrashFacts): string | null {
  if (signal !== SIGBUS || faultAddress === null) return null;
  const address = Number(faultAddress);
  return core.files.find(({ start, end }) => address >= start && address < end)?.path ?? null;
}

/** Of the objects that matter: the one that faulted, the executable, libc, libpython. */
function buildIds(core: CoreFile, facts: CrashFacts): NonNullable<CoreDump['buildIds']> {
  const { executable } = core;
  const found = new Map<string, string>();
  if (facts.object?.buildId != null) found.set(facts.object.path, facts.object.buildId);
  for (const file of core.files) {
    if (found.size >= 8) break;
    if (found.has(file.path)) continue;
    if (file.path !== executable && !/\/(?:libc[.-]|ld-musl|libpython)[^/]*$/.test(file.path))
      continue;
    const buildId = core.buildIdAt(moduleBase(core.files, file));
    if (buildId !== null) found.set(file.path, buildId);
  }
  return [...found].map(([object, buildId]) => ({ object, buildId }));
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

function known<Key extends string, Value>(
  key: Key,
  value: Value | null | undefined,
): { readonly [K in Key]?: Value } {
  return (value === null || value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}
