import { loadedObject } from '../../elf/index.ts';
import { debugCookie, layoutOfDebugOffsets, withThread } from './debug-offsets.ts';
import type { Layout } from '../layouts/layout.ts';
import { layouts } from '../layouts/tables.ts';
import { isRefusal, type Refusal } from '../process/live-process.ts';
import { isPlausible, type Memory } from '../process/memory.ts';
import { fileSymbols } from '../process/symbol-file.ts';

/** A CPython found in a process. */
export interface Runtime {
  readonly version: {
    readonly major: number;
    readonly minor: number;
    readonly patch: number | null;
  };
  readonly layout: Layout;
  /** `_PyRuntime`; null before 3.7. */
  readonly runtimeAddress: number | null;
  /** Address of the first interpreter, which leads to the others. */
  readonly interpreter: number;
  /** Address of `PyType_Type`. */
  readonly typeType: number;
  /** No more than the stacks is known: of 2.7, and of a 3.14 or later whose objects do not lie as expected. */
  readonly isStacksOnly: boolean;
  /** 3.6 only: heads of the collector's generations. */
  readonly generations36: number | null;
  /** Where 2.7 and 3.6 keep the thread state that holds the GIL; null: another version, or not known. */
  readonly threadCurrent: number | null;
  /** The executable or library that holds the interpreter. */
  readonly path: string;
}

interface Module {
  readonly path: string;
  readonly base: number;
}

/** Finds the CPython among the mapped modules: libpython first, then executables of that name, then the main executable (embedders). */
export function findRuntime(memory: Memory): Runtime | Refusal {
  const refusals: Refusal[] = [];
  for (const module of candidates(memory)) {
    const found = inspectModule(memory, module);
    if (found === null) continue;
    if (!isRefusal(found)) return found;
    refusals.push(found);
  }
  return refusals[0] ?? noCPython(memory);
}

/** Interpreters of Python that are no CPython, by the file that each of them maps. */
const otherPythons: readonly (readonly [RegExp, string])[] = [
  [/^(?:libpypy[\d.]*-c\.so|pypy[\d.]*(?:-c)?)$/, 'PyPy'],
  [/^(?:libpythonvm\.so|graalpy[\d.]*)$/, 'GraalPy'],
];
const baseName = (path: string): string => path.replace(/ \(deleted\)$/, '').replace(/^.*\//, '');

function noCPython({ regions, source }: Memory): Refusal {
  const refusal = { status: 'unsupported', code: 'not-cpython' } as const;
  const paths = [...new Set(regions.map(({ path }) => path))].filter((path) =>
    path.startsWith('/'),
  );
  const other = otherPythons.find(([file]) => paths.some((path) => file.test(baseName(path))));
  if (other !== undefined)
    return {
      ...refusal,
      detail: `this is ${other[1]}: its objects are not those of CPython, and coroner does not guess`,
      hint: 'coroner run tells how it died, at which limit and, by its start-up hook, on which line; python -X faulthandler prints the stacks of a crash',
    };
  const python = paths.find((path) =>
    /^(?:lib)?python[\d.]*[a-z]*(?:\.so[\d.]*)?$/.test(baseName(path)),
  );
  if (source.kind === 'core' && python !== undefined)
    return {
      ...refusal,
      detail: `no CPython was found in it: ${python}, which it had mapped, is not the same file here, and its pages are not in the core`,
      hint: `look at it where that file is, in the container that wrote it; or have such pages dumped: echo 0x3f > /proc/PID/coredump_filter`,
    };
  return {
    ...refusal,
    detail: 'no CPython was found in it',
    hint: 'coroner inspect looks into CPython 3.6 to 3.15; other programs have no variables that it could name',
  };
}

function candidates(memory: Memory): readonly Module[] {
  const bases = new Map<string, number>();
  for (const { path, start, offset } of memory.regions)
    if (path.startsWith('/') && !bases.has(path)) bases.set(path, start - offset);
  const modules = [...bases].map(([path, base]) => ({ path, base }));
  const name = ({ path }: Module) => baseName(path);
  const library = modules.filter((module) => /^libpython\d/.test(name(module)));
  const executable = modules.filter((module) => /^python[\d.]*[a-z]*$/.test(name(module)));
  // The main executable is mapped first (lowest) as a rule, above all where it is not position independent.
  const others = modules
    .filter((module) => !/\.so(\.|$)|\.pyc?$|\.zip$/.test(name(module)))
    .slice(0, 2);
  return [...new Set([...library, ...executable, ...others])];
}

/** null: nothing of CPython in this module. */
function inspectModule(memory: Memory, { path, base }: Module): Runtime | Refusal | null {
  const image = loadedObject(memory, base);
  const start = image === null ? null : startOf(memory, image, path);
  if (image === null || start === null) return null;
  const { runtimeAddress } = start;
  const version = versionOf(memory, image.symbol('Py_Version'), runtimeAddress, path);
  if (version === null)
    return {
      status: 'unsupported',
      code: 'version-not-told',
      detail: `the version of the CPython in ${path} cannot be told`,
    };
  const text = `${version.major}.${version.minor}`;
  const layout = layoutFor(memory, version, runtimeAddress);
  if (isRefusal(layout)) return layout;
  const { interpreter, generations36 } = interpreterOf(memory, image, path, start, layout);
  if (!isPlausible(interpreter)) return noInterpreter(text, path);
  const running = withThread(memory, interpreter, layout.interpreter);
  const thread = memory.word(running + layout.interpreter.threadsHead);
  const modules = memory.word(running + layout.interpreter.modules);
  const dictType = isPlausible(modules) ? memory.word(modules + 8) : 0;
  // At its very start and end: not a matter of the build.
  if (thread === 0 || modules === 0) return noInterpreter(text, path);
  const isDict =
    isPlausible(dictType) && memory.cString(memory.word(dictType + layout.type.name), 8) === 'dict';
  const pointsBack =
    isPlausible(thread) && memory.word(thread + layout.thread.interpreter) === running;
  if (!isDict || !pointsBack) return notAsExpected(text);
  const typeType = image.symbol('PyType_Type') ?? memory.word(dictType + 8);
  return {
    version,
    layout,
    isStacksOnly: version.major === 2 || !isObjectsAsExpected(memory, layout, running, typeType),
    runtimeAddress,
    interpreter,
    typeType,
    generations36,
    threadCurrent: start.threadCurrent,
    path,
  };
}

type LoadedImage = NonNullable<ReturnType<typeof loadedObject>>;

/** Where reading begins; at least one of them is known. */
interface Start {
  /** `_PyRuntime`; null before 3.7. */
  readonly runtimeAddress: number | null;
  /** `_PyThreadState_Current` of 2.7 and 3.6. */
  readonly threadCurrent: number | null;
}

/** null: nothing of CPython in this module. */
function startOf(memory: Memory, image: LoadedImage, path: string): Start | null {
  const writable = (address: number | null) =>
    address !== null &&
    image.segments.some((part) => part.writable && address >= part.start && address < part.end)
      ? address
      : null;
  const runtimeAddress = writable(image.symbol('_PyRuntime'));
  // Exported up to 3.11 or so as a hint; 2.7 and 3.6 have no _PyRuntime.
  const threadCurrent = writable(image.symbol('_PyThreadState_Current'));
  if (runtimeAddress !== null || threadCurrent !== null) return { runtimeAddress, threadCurrent };
  if (image.symbol('Py_Initialize') === null && !/python/.test(path)) return null;
  const local = fileSymbols(memory.source.openFile(path), ['_PyRuntime'], '.PyRuntime');
  const address = local.get('_PyRuntime') ?? local.get('.PyRuntime');
  return address === undefined
    ? null
    : { runtimeAddress: address + image.bias, threadCurrent: null };
}

/**
 * What tells the objects of a 3.14 or later from those of a build that is laid out in another way: `type` is its own type and the first
 * in its tuple of bases, and the collector's lists lead back to where they begin. Older ones have not changed for years: true.
 */
function isObjectsAsExpected(
  memory: Memory,
  { interpreter: fields, tuple, gc, type }: Layout,
  interpreter: number,
  typeType: number,
): boolean {
  if (tuple === undefined) return true;
  const mro = memory.word(typeType + type.mro);
  if (memory.word(typeType + 8) !== typeType || !isPlausible(mro)) return false;
  if (memory.word(mro + 16) !== 2 || memory.word(mro + tuple.items) !== typeType) return false;
  // The younger lists change all the time while a process is looked at that goes on.
  const heads = [fields.gcGenerations! + 2 * gc.generationSize, fields.gcPermanent!];
  const attempts = [0, 1, 2];
  return attempts.some((attempt) => {
    if (attempt > 0) memory.forget();
    // While it collects, the collector keeps counts in the links back, and mends them at its end.
    const isCollecting = memory.i32(interpreter + fields.gcCollecting!) === 1;
    return heads.every((head) => isListHead(memory, interpreter + head, isCollecting));
  });
}

/**
 * Whether a neighbour of a head of a doubly linked list of the collector, flags in the low bits, points back to it. One is enough: a
 * process that is stopped at any moment may be about to mend the other.
 */
function isListHead(memory: Memory, head: number, isCollecting: boolean): boolean {
  const plain = (link: number) => link - (link % 4);
  const next = plain(memory.word(head));
  const before = plain(memory.word(head + 8));
  if (!isPlausible(next) || !isPlausible(before)) return false;
  const isLinked = plain(memory.word(before)) === head || plain(memory.word(next + 8)) === head;
  return isLinked || isCollecting;
}

function layoutFor(
  memory: Memory,
  version: Runtime['version'],
  runtimeAddress: number | null,
): Layout | Refusal {
  const { major, minor } = version;
  const layout = layouts[`${major}.${minor}`];
  if (layout === undefined)
    return {
      status: 'unsupported',
      code: 'version-not-known',
      detail: `CPython ${major}.${minor} is not known to this coroner`,
      hint: 'known are CPython 3.6 to 3.15, and the stacks of 2.7',
    };
  return major === 3 && minor >= 13 && runtimeAddress !== null
    ? withDebugOffsets(memory, runtimeAddress, layout, minor)
    : layout;
}

/** The first interpreter (0: there is none), and for 3.6 where the collector's generations lie (null: not known, or not 3.6). */
function interpreterOf(
  memory: Memory,
  image: LoadedImage,
  path: string,
  { runtimeAddress, threadCurrent }: Start,
  layout: Layout,
): Pick<Runtime, 'interpreter' | 'generations36'> {
  if (runtimeAddress !== null && layout.runtime !== undefined)
    return {
      interpreter: memory.word(runtimeAddress + layout.runtime.interpretersHead),
      generations36: null,
    };
  const local = fileSymbols(memory.source.openFile(path), ['interp_head', 'generations'], null);
  const head = local.get('interp_head');
  const generations = local.get('generations');
  const generations36 = generations === undefined ? null : generations + image.bias;
  if (head !== undefined) return { interpreter: memory.word(head + image.bias), generations36 };
  // Known only while a thread holds the GIL.
  const thread = threadCurrent === null ? 0 : memory.word(threadCurrent);
  const interpreter = isPlausible(thread) ? memory.word(thread + layout.thread.interpreter) : 0;
  return { interpreter, generations36 };
}

const noInterpreter = (version: string, path: string): Refusal => ({
  status: 'unsupported',
  code: 'no-interpreter',
  detail: `the CPython ${version} in ${path} has no interpreter (not started yet, ended, or stripped of its symbols)`,
  mayPass: true,
});

const notAsExpected = (version: string): Refusal => ({
  status: 'unsupported',
  code: 'not-as-expected',
  detail: `this CPython ${version} is not laid out as expected (a debug or free-threaded build, a patched one, or one that is just starting or ending)`,
  hint: 'coroner reads release builds with the GIL; it does not guess',
  mayPass: true,
});

function versionOf(
  memory: Memory,
  symbol: number | null,
  runtimeAddress: number | null,
  path: string,
): Runtime['version'] | null {
  const fromHex = (hex: number) => ({
    major: hex >>> 24,
    minor: (hex >>> 16) & 255,
    patch: (hex >>> 8) & 255,
  });
  // PY_VERSION_HEX, exported since 3.11.
  if (symbol !== null) {
    const found = fromHex(memory.u32(symbol));
    if (found.major === 3) return found;
  }
  if (runtimeAddress !== null && memory.cString(runtimeAddress, 8) === debugCookie)
    return fromHex(memory.u32(runtimeAddress + 8));
  const match = /python(\d)\.(\d+)/.exec(path);
  return match === null ? null : { major: Number(match[1]), minor: Number(match[2]), patch: null };
}

/**
 * 3.13's `_Py_DebugOffsets` at the start of `_PyRuntime` (pycore_runtime.h): words after the cookie are version,
 * free_threaded, then runtime {size, finalizing, head}, interpreter {size, id, next, threads_head, gc, modules,
 * sysdict, builtins, ceval_gil, …}, thread {size, prev, next, interp, current_frame, thread_id, native_thread_id, …}.
 * The shape is stable within a minor version only.
 */
function withDebugOffsets(
  memory: Memory,
  runtimeAddress: number,
  layout: Layout,
  minor: number,
): Layout | Refusal {
  if (memory.cString(runtimeAddress, 8) !== debugCookie || layout.runtime === undefined)
    return minor >= 14 ? notAsExpected(`3.${minor}`) : layout;
  const field = (index: number) => memory.word(runtimeAddress + 8 * index);
  if (field(2) !== 0)
    return {
      status: 'unsupported',
      code: 'free-threaded',
      detail:
        'this is a free-threaded CPython: its objects have another shape, and coroner does not guess',
    };
  if (minor >= 14)
    return layoutOfDebugOffsets(memory, runtimeAddress, layout) ?? notAsExpected(`3.${minor}`);
  const { interpreter } = layout;
  const shift = field(10) - (interpreter.gcGenerations! - gcGenerationsWithinGc);
  return {
    ...layout,
    runtime: { ...layout.runtime, interpretersHead: field(5) },
    interpreter: {
      ...interpreter,
      next: field(8),
      threadsHead: field(9),
      gcGenerations: interpreter.gcGenerations! + shift,
      gcPermanent: interpreter.gcPermanent! + shift,
      gcCollecting: interpreter.gcCollecting! + shift,
      modules: field(11),
      sysdict: field(12),
      builtins: field(13),
    },
  };
}
/** `struct _gc_runtime_state` of 3.13: trash_delete_later and so on precede `generations`. */
const gcGenerationsWithinGc = 24;
