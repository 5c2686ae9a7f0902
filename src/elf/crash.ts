/**
 * How the process of a core died, as facts: the signal (the original one, where a handler raised it again),
 * the instruction and the register that was zero, errno, what the C and C++ runtimes had noted.
 */
import { firstIndexWhere } from '../model/binary-search.ts';
import { x86Registers, type CoreFile } from './core.ts';
import { moduleBase, type MappedFile } from './mapped-files.ts';
import { loadedObject, type LoadedObject } from './dynamic.ts';
import { readElf } from './elf.ts';
import { regionAt, wordsOf, type MemoryRegion, type Words } from './memory-reader.ts';
import { findSignalFrame } from './signal-frame.ts';
import { dynamicTlsAddress, errnoAddress } from './thread-local.ts';
import { unwind } from './unwind.ts';
import { memoryOperands, type MemoryOperand, type Register } from './x86-operand.ts';

export interface NativeStackFrame {
  readonly address: number;
  /** As the object's symbols name it, mangled; null where it has none. */
  readonly function: string | null;
  readonly object: string | null;
  readonly offset: number;
}

export type Registers = Readonly<Record<Register | 'rip', bigint>>;

export interface CrashFacts {
  readonly signal: number | null;
  readonly code: number | null;
  /** A handler had caught the signal and raised it again: the rest is from the signal frame. */
  readonly reraised: boolean;
  /** Another process sent the signal. */
  readonly sender: { readonly pid: number; readonly uid: number } | null;
  /** null where the signal is no fault, or the kernel could not tell (general protection). */
  readonly faultAddress: bigint | null;
  readonly access: 'read' | 'write' | 'execute' | null;
  readonly instructionPointer: number;
  readonly stackPointer: number;
  readonly registers: Registers | null;
  readonly operand: MemoryOperand | null;
  /** The register of the faulting operand that should have held a pointer and held 0. */
  readonly zeroRegister: Register | null;
  readonly errno: number | null;
  /** The object that holds the instruction pointer. */
  readonly object: {
    readonly path: string;
    readonly offset: number;
    readonly buildId: string | null;
  } | null;
  /** Functions and their objects, innermost first, as far as the call frame information leads. */
  readonly nativeStack: readonly NativeStackFrame[];
  /** What is mapped at the fault address; null where nothing is. */
  readonly faultRegion: MemoryRegion | null;
  /** The stack pointer had left its stack, or the access fell below it. */
  readonly stackOverflow: boolean;
  /** What glibc printed before it aborted (`__abort_msg`). */
  readonly abortMessage: string | null;
  /** Mangled type name of the C++ exception that was being handled: `St9bad_alloc`. */
  readonly exceptionType: string | null;
  /** The request that malloc refused, where it and a length that glibc made of it are both still in sight. */
  readonly requestBytes: number | null;
}

const SIGABRT = 6;
const SIGSEGV = 11;
const ENOMEM = 12;
/** si_code of a fault whose address the kernel does not know: general protection, non-canonical addresses. */
const SI_KERNEL = 0x80;
const faults = new Set([4, 5, 7, 8, 11]);
/** A page, and room for a frame that was too large for it. */
const nearStackBytes = 64 << 10;

export function crashFacts(core: CoreFile): CrashFacts {
  const words = wordsOf(core);
  const thread = core.threads[0];
  const { signalInfo } = core;
  const own = thread === undefined ? null : registersOf(core, thread.registers);
  const sentByItself =
    signalInfo !== null && signalInfo.code <= 0 && isOwn(core, signalInfo.senderPid);
  const mayBeReraised =
    core.header.machine === 'x86-64' &&
    thread !== undefined &&
    (core.signal === SIGABRT ||
      (signalInfo !== null && signalInfo.code <= 0 && faults.has(core.signal ?? 0)));
  const frame = mayBeReraised ? findSignalFrame(core, thread.stackPointer) : null;
  const reraised = frame !== null && frame.code > 0;

  const registers = reraised ? frame.registers : own;
  // Aborting handlers (abseil, Go) end with SIGABRT what had begun as a fault.
  const signal = reraised
    ? (frame.signal ?? (core.signal === SIGABRT ? SIGSEGV : core.signal))
    : core.signal;
  const code = reraised ? frame.code : (signalInfo?.code ?? null);
  const instructionPointer =
    registers === null ? (thread?.instructionPointer ?? 0) : Number(registers.rip);
  const stackPointer = registers === null ? (thread?.stackPointer ?? 0) : Number(registers.rsp);
  const isFault = signal !== null && faults.has(signal) && code !== null && code > 0;
  const faultAddress =
    !isFault || code === SI_KERNEL
      ? null
      : reraised
        ? frame.trap === 14
          ? frame.cr2
          : frame.address
        : (signalInfo?.address ?? null);
  const executes =
    faultAddress !== null && Number(faultAddress) === instructionPointer && signal === 11;
  const operand =
    isFault && !executes && registers !== null
      ? (readInstruction(words, instructionPointer).find((decoded) =>
          agrees(decoded, registers, faultAddress),
        ) ?? null)
      : null;

  const errno = readErrno(core, words);

  return {
    signal,
    code,
    reraised,
    sender:
      !reraised &&
      signalInfo !== null &&
      signalInfo.code <= 0 &&
      !sentByItself &&
      signalInfo.senderPid >= 0
        ? { pid: signalInfo.senderPid, uid: signalInfo.senderUid }
        : null,
    faultAddress,
    access: accessOf({
      executes,
      operand,
      error: reraised && frame.trap === 14 ? frame.error : null,
    }),
    instructionPointer,
    stackPointer,
    registers,
    operand,
    zeroRegister:
      operand === null || registers === null ? null : zeroRegister(core, operand, registers),
    errno,
    object: objectAt(core, instructionPointer),
    nativeStack: registers === null ? [] : nativeStack(core, registers),
    faultRegion:
      faultAddress === null ? null : (regionAt(core.regions, Number(faultAddress)) ?? null),
    stackOverflow: signal === 11 && isStackOverflow(core, faultAddress, stackPointer),
    abortMessage: signal === SIGABRT ? readAbortMessage(core, words) : null,
    exceptionType: signal === SIGABRT ? readExceptionType(core, words) : null,
    requestBytes:
      errno === ENOMEM && isFault && registers !== null
        ? refusedRequest(core, registers, stackPointer)
        : null,
  };
}

const isOwn = (core: CoreFile, pid: number): boolean =>
  pid === core.process?.pid || core.threads.some(({ id }) => id === pid);

function registersOf(core: CoreFile, values: BigUint64Array): Registers | null {
  if (core.header.machine !== 'x86-64' || values.length < x86Registers.length) return null;
  return Object.fromEntries(
    x86Registers.map((name, index) => [name, values[index]!]),
  ) as unknown as Registers;
}

function readInstruction(words: Words, address: number): readonly MemoryOperand[] {
  // The last instruction of a mapping may have fewer than 15 bytes behind it.
  for (const length of [15, 8, 4, 2]) {
    const code = words.bytes(address, length);
    if (code !== null) return memoryOperands(code);
  }
  return [];
}

/** Whether the decoded operand explains the fault address: else one of the two was misunderstood. */
function agrees(
  operand: MemoryOperand,
  registers: Registers,
  faultAddress: bigint | null,
): boolean {
  if (faultAddress === null || operand.base === 'rip' || operand.segment !== null) return true;
  const value = (name: Register | null) => (name === null ? 0n : registers[name]);
  const at = BigInt.asUintN(
    64,
    value(operand.base as Register | null) +
      value(operand.index) * BigInt(operand.scale) +
      BigInt(operand.displacement),
  );
  // A vector load faults anywhere within its 64 bytes; fxsave and the like are larger.
  return faultAddress >= at && faultAddress < at + 512n;
}

function zeroRegister(
  core: CoreFile,
  { base, index, scale, segment }: MemoryOperand,
  registers: Registers,
): Register | null {
  if (segment !== null || base === 'rip') return null;
  if (base !== null && registers[base] === 0n) return base;
  // With a scale of 1 either register may be the pointer: the other one must then not point to memory.
  if (base !== null && index !== null && scale === 1 && registers[index] === 0n)
    return regionAt(core.regions, Number(registers[base])) === undefined ? index : null;
  return null;
}

function accessOf({
  executes,
  operand,
  error,
}: {
  readonly executes: boolean;
  readonly operand: MemoryOperand | null;
  readonly error: number | null;
}): CrashFacts['access'] {
  if (executes) return 'execute';
  if (error !== null) return (error & 16) !== 0 ? 'execute' : (error & 2) !== 0 ? 'write' : 'read';
  if (operand === null) return null;
  return operand.access === 'both' ? 'write' : operand.access;
}

/**
 * The fault lies at the edge of the stack. Not required: sp - 8, as a frame may be larger than a page;
 * nor an address near 7ff…, as the stacks of other threads are in the mmap area.
 */
function isStackOverflow(
  core: CoreFile,
  faultAddress: bigint | null,
  stackPointer: number,
): boolean {
  if (faultAddress === null || faultAddress >= 1n << 53n) return false;
  const fault = Number(faultAddress);
  const hit = regionAt(core.regions, fault);
  // A mapped page that may be written is no guard page.
  if (hit?.writable === true) return false;
  const distance = Math.abs(fault - stackPointer);
  // The stack begins right above the fault: the first writable mapping behind it.
  const above = regionAbove(core, fault);
  if (above === null || above.start - fault > nearStackBytes) return false;
  return distance <= nearStackBytes || (fault >= stackPointer && fault - stackPointer <= 8 << 20);
}

function regionAbove(core: CoreFile, address: number): MemoryRegion | null {
  const { regions } = core;
  const low = firstIndexWhere(regions.length, (index) => regions[index]!.start > address);
  for (let index = low; index < Math.min(low + 2, regions.length); index += 1)
    if (regions[index]!.writable && regions[index]!.path === null) return regions[index]!;
  return null;
}

function nativeStack(core: CoreFile, registers: Registers): readonly NativeStackFrame[] {
  const loaded = new Map<number, LoadedObject | null>();
  const fileAt = (address: number) =>
    core.files.find(({ start, end }) => address >= start && address < end);
  const loadedAt = (address: number): LoadedObject | null => {
    const file = fileAt(address);
    if (file === undefined) return null;
    const base = moduleBase(core.files, file);
    if (!loaded.has(base)) loaded.set(base, loadedObject(core, base));
    return loaded.get(base) ?? null;
  };
  const number = (name: Register | 'rip') => Number(registers[name]);
  const frames = unwind(core, loadedAt, {
    rip: number('rip'),
    rsp: number('rsp'),
    rbp: number('rbp'),
    rbx: number('rbx'),
    r12: number('r12'),
    r13: number('r13'),
    r14: number('r14'),
    r15: number('r15'),
  });
  // Each object's symbols are read once for all of its frames.
  const wanted = new Map<MappedFile, number[]>();
  const placed = frames.map(({ address }, index) => {
    const file = fileAt(address);
    const object = file === undefined ? null : loadedAt(address);
    const at = (index === 0 ? address : address - 1) - (object?.bias ?? 0);
    if (file !== undefined && object !== null) {
      const first = core.files.find(({ path }) => path === file.path) ?? file;
      wanted.set(first, [...(wanted.get(first) ?? []), at]);
    }
    return { address, file, at, base: object?.base ?? file?.start ?? 0 };
  });
  const names = new Map<string, ReadonlyMap<number, string>>();
  for (const [file, addresses] of wanted) {
    const opened = core.openMapped(file);
    const read = opened === null ? null : readElf(opened.readAt, opened.size);
    if (read !== null && 'elf' in read) names.set(file.path, read.elf.functionsAt(addresses));
  }
  return placed.map(({ address, file, at, base }) => ({
    address,
    function: file === undefined ? null : (names.get(file.path)?.get(at) ?? null),
    object: file?.path ?? null,
    offset: address - base,
  }));
}

export function objectAt(core: CoreFile, address: number): CrashFacts['object'] {
  const file = core.files.find(({ start, end }) => address >= start && address < end);
  if (file === undefined) return null;
  const base = moduleBase(core.files, file);
  return { path: file.path, offset: address - base, buildId: core.buildIdAt(base) };
}

/** First mappings of the objects whose file name matches. */
function objectsNamed(core: CoreFile, name: RegExp): readonly MappedFile[] {
  const seen = new Set<string>();
  const found: MappedFile[] = [];
  for (const file of core.files) {
    if (seen.has(file.path)) continue;
    seen.add(file.path);
    if (name.test(file.path.slice(file.path.lastIndexOf('/') + 1))) found.push(file);
  }
  return found.slice(0, 8);
}

const libc = /^(?:libc[.-]|libc\.so|ld-musl|libc\.musl)/;

function readErrno(core: CoreFile, words: Words): number | null {
  const threadPointer = core.threads[0]?.threadPointer ?? null;
  if (core.header.machine !== 'x86-64' || threadPointer === null || threadPointer === 0)
    return null;
  for (const file of objectsNamed(core, libc)) {
    const location =
      loadedObject(core, moduleBase(core.files, file))?.symbol('__errno_location') ?? null;
    const address = location === null ? null : errnoAddress(words, location, threadPointer);
    const value = address === null ? null : words.u32(address);
    // Linux has no errno above 133; anything else was not errno.
    if (value !== null && value <= 4095) return value;
  }
  return null;
}

/** glibc keeps the text of `malloc(): …`, `free(): …` and of assertions (`struct abort_msg_s`). */
function readAbortMessage(core: CoreFile, words: Words): string | null {
  for (const file of objectsNamed(core, libc)) {
    const variable =
      loadedObject(core, moduleBase(core.files, file))?.symbol('__abort_msg') ?? null;
    const message = variable === null ? null : words.u64(variable);
    if (message === null || message === 0 || !Number.isSafeInteger(message)) continue;
    const text = words.string(message + 4, 512)?.trim();
    if (text !== undefined && text !== '') return text;
  }
  return null;
}

/**
 * libstdc++ hangs the exceptions that are being handled on `__cxa_get_globals()->caughtExceptions`, and
 * `std::terminate` handles the uncaught one so; its first word is its std::type_info (`unwind-cxx.h`).
 */
function readExceptionType(core: CoreFile, words: Words): string | null {
  const threadPointer = core.threads[0]?.threadPointer ?? null;
  if (core.header.machine !== 'x86-64' || threadPointer === null) return null;
  for (const file of objectsNamed(core, /^libstdc\+\+/)) {
    const accessor =
      loadedObject(core, moduleBase(core.files, file))?.symbol('__cxa_get_globals') ?? null;
    const globals = accessor === null ? null : dynamicTlsAddress(words, accessor, threadPointer);
    const exception = globals === null ? null : words.u64(globals);
    if (exception === null || exception === 0) continue;
    const type = words.u64(exception);
    const name = type === null ? null : words.u64(type + 8);
    const text = name === null ? null : words.string(name, 256);
    if (text !== null && /^[\w*.$]+$/.test(text)) return text.replace(/^\*/, '');
  }
  return null;
}

/** Smaller numbers are too common to mean anything. */
const smallestRequestBytes = 16 << 20;
const largestRoundingBytes = 2 << 20;
const upTo = (unit: number, value: number): number => Math.ceil(value / unit) * unit;

/**
 * A malloc beyond the mmap threshold makes a chunk of the size (a header of 8 bytes, units of 16) and asks the kernel for
 * that in whole pages, then for it as heap with some more (glibc's sysmalloc). Where the size, its chunk and one of the
 * lengths are still in registers or on the stack around sp, it is what was asked for. Two numbers that are merely near
 * each other are not: halves of packed integers are, now and then.
 */
function refusedRequest(core: CoreFile, registers: Registers, stackPointer: number): number | null {
  const values = new Set<number>();
  const add = (value: number): void => {
    if (value >= smallestRequestBytes && value < 2 ** 56 && !nearMapping(core, value))
      values.add(value);
  };
  for (const value of Object.values(registers)) add(Number(value));
  const from = Math.floor(stackPointer / 8) * 8 - 2048;
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer, 0, core.readMemory(from, bytes));
  for (let at = 0; at + 8 <= view.byteLength; at += 8)
    add(view.getUint32(at + 4, true) * 4294967296 + view.getUint32(at, true));
  const lengths = [...values].filter((value) => value % 4096 === 0);
  for (const asked of values) {
    const chunk = upTo(16, asked + 8);
    if (!values.has(chunk)) continue;
    if (lengths.some((length) => length > chunk && length - chunk <= largestRoundingBytes))
      return asked;
  }
  return null;
}

/** Numbers that are addresses, or were: near what is mapped. */
function nearMapping(core: CoreFile, value: number): boolean {
  const slack = 1 << 30;
  const { regions } = core;
  const region =
    regions[firstIndexWhere(regions.length, (index) => regions[index]!.end + slack > value)];
  return region !== undefined && value >= region.start - slack;
}
