/**
 * The allocation agent as a companion of a run: which library fits the command, what the environment must say, and whether memory was
 * refused. What the agent's files tell is read in gather/incident-folder/agent-files.ts, which a run that ends well never loads.
 * Where the agent cannot be loaded (a static program, another C library, no compiler), a note says why and the run goes on without it.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceFile } from '../files/held-folder.ts';
import { anySize, isFileRefusal, openBelow, openNamed, readSafely } from '../files/open-safely.ts';
import { header } from '../model/agent-header.ts';
import { SpareFiles, trimAgentFile } from './agent-files.ts';
import type { Companion } from './recorder.ts';
import { find } from './launch.ts';

export interface AgentOptions {
  /** The agent samples one allocation in so many bytes on average; default 512 KiB. */
  readonly sampleEveryBytes?: number | undefined;
  readonly memoryLimitBytes?: number | undefined;
  /** Told before the command starts that its limit is not enforced, and why. */
  readonly unlimited?: (why: string) => void;
  readonly atLimit?: AtLimit | undefined;
  readonly command: readonly string[];
}
export type AtLimit = 'raise' | 'report' | 'kill';
const atLimits: readonly AtLimit[] = ['raise', 'report', 'kill'];

/** sizeof(struct coroner_tree) in agent/layout.h */
const treeBytes = 8192;

/** A companion that preloads the agent into the command and everything it starts. */
export function agentCompanion(options: AgentOptions): Companion {
  let said: string | null = null;
  let used: string | null = null;
  let spares: SpareFiles | null = null;
  /** Sampled processes that are alive or left a file: one that is no longer sampled has ended. */
  const known = new Set<number>();
  let thinnedAtMs = 0;
  /** Why the command may not load the agent: noted where no process of the run has. */
  let doubt: string | null = null;
  let noteAtEnd: (text: string) => void = () => {};
  return {
    prepare: (env, folder, told) => {
      const found = agentFor(options.command, env);
      const without = (why: string) =>
        `no agent: ${why}${options.memoryLimitBytes === undefined ? '' : '; --memory-limit is not enforced'}`;
      if ('lacks' in found) {
        said = without(found.lacks);
        if (options.memoryLimitBytes !== undefined) options.unlimited?.(said);
        return;
      }
      if (found.doubt !== undefined) doubt = without(found.doubt);
      const agentFolder = join(folder, 'agent');
      used = agentFolder;
      mkdirSync(agentFolder, { recursive: true, mode: 0o700 });
      const tree = Buffer.alloc(treeBytes);
      tree.write('CORONERT', 'latin1');
      replaceFile(agentFolder, 'tree', tree);
      spares = new SpareFiles(agentFolder);
      fill(spares, sparesAtStart);
      const settings = [
        ...(options.sampleEveryBytes === undefined ? [] : [`sample=${options.sampleEveryBytes}`]),
        ...(options.memoryLimitBytes === undefined
          ? []
          : [
              `limit=${options.memoryLimitBytes}`,
              `at-limit=${atLimits.indexOf(options.atLimit ?? 'raise')}`,
            ]),
      ];
      env['CORONER_AGENT_FOLDER'] = join(told, 'agent');
      env['CORONER_AGENT_OPTIONS'] = settings.join(',');
      env['LD_PRELOAD'] = preloading(found.library, env['LD_PRELOAD']);
    },
    started: (pid, { note }) => {
      if (said !== null) note(said, pid);
      noteAtEnd = (text) => note(text, pid);
    },
    onSample: ({ atMs, processes }) => {
      for (const { pid } of processes) known.add(pid);
      if (spares !== null && atMs >= briefMs) fill(spares, sparesReady);
      if (used === null || atMs - thinnedAtMs < thinEveryMs) return;
      thinnedAtMs = atMs;
      const alive = new Set(processes.map(({ pid }) => pid));
      const left = thinOut(used, (pid) => known.has(pid) && !alive.has(pid));
      for (const pid of known) if (!alive.has(pid) && !left.has(pid)) known.delete(pid);
    },
    ended: () => {
      spares?.clear();
      if (used !== null) {
        thinAtEnd(used);
        trimFiles(used);
      }
      if (doubt !== null && used !== null && loadedBy(used) === 0) noteAtEnd(doubt);
    },
    notable: () => used !== null && anyRefusal(used),
  };
}

/**
 * LD_PRELOAD with the agent. Other libraries (jemalloc, another tool) stay, behind ours: RTLD_NEXT finds them there. The agent of a run around
 * this one, perhaps of another version, goes: the variables that say where it writes are this run's now.
 */
export function preloading(library: string, others = ''): string {
  const foreign = others
    .split(/[: ]/)
    .filter((path) => path !== '' && !/(^|\/)coroner-agent-linux-[^/]*\.so$/.test(path));
  return [library, ...foreign].join(':');
}

/**
 * Made before the command starts, which waits for it; and kept ready from then on. Few processes need one, and what takes a moment
 * shall not pay for 24.
 */
const sparesAtStart = 2;
const sparesReady = 24;
const briefMs = 250;

/** Where there is no room for them agents make their own, or none. */
function fill(spares: SpareFiles, wanted: number): void {
  try {
    spares.fill(wanted);
  } catch {
    // Said by nobody: the run does not need them.
  }
}

const mostTrimmingMs = 1000;

/** Workers that came and went since the last sample are not counted before. */
function thinAtEnd(folder: string): void {
  try {
    thinOut(folder, (pid) => !existsSync(`/proc/${pid}`));
  } catch {
    // The command has put something else in the folder's place: what is left is read within bounds.
  }
}

/** Of the processes that have ended: what a survivor goes on writing to stays where it is. */
function trimFiles(folder: string): void {
  const until = performance.now() + mostTrimmingMs;
  for (const name of readdirSync(folder)) {
    if (!/^\d+\.mem$/.test(name) || existsSync(`/proc/${Number.parseInt(name, 10)}`)) continue;
    if (performance.now() > until) return;
    try {
      trimAgentFile(folder, name);
    } catch {
      // No plain file, or no room for another one: it stays as it is.
    }
  }
}

const thinEveryMs = 2000;
/** As many as are read afterwards (gather/incident-folder/agent-files.ts). */
const mostFiles = 60;
const keptFirst = 10;
/** Offsets in struct coroner_tree: `files`, `processes`. */
const treeFilesOffset = 8;
const treeProcessesOffset = 16;

/**
 * Removes agent files beyond the number that is read afterwards. A supervisor whose workers die for days would leave 3.9 MB a worker, and
 * from the thousandth file on the agent makes no more. Of the processes that have ended the first files stay, and the last of those that
 * did not end well. Returns the pids whose files are left. Throws where the folder cannot be read.
 */
export function thinOut(folder: string, hasEnded: (pid: number) => boolean): ReadonlySet<number> {
  const names = readdirSync(folder).filter((name) => /^\d+\.mem$/.test(name));
  const pids = new Set(names.map((name) => Number.parseInt(name, 10)));
  if (names.length <= mostFiles) return pids;
  const over = names
    .filter((name) => hasEnded(Number.parseInt(name, 10)))
    .map((name) => ({ name, madeMs: lstatSync(join(folder, name)).birthtimeMs }))
    .sort(
      (a, b) => a.madeMs - b.madeMs || Number.parseInt(a.name, 10) - Number.parseInt(b.name, 10),
    )
    .slice(keptFirst)
    .map(({ name }) => ({ name, isDull: isDull(folder, name) }));
  const leaving = [...over.filter((one) => one.isDull), ...over.filter((one) => !one.isDull)].slice(
    0,
    names.length - mostFiles,
  );
  for (const { name } of leaving) {
    rmSync(join(folder, name), { force: true, recursive: true });
    pids.delete(Number.parseInt(name, 10));
  }
  // The agents count by themselves. A file that is made at this very moment is missing from the count, which only has to bound it.
  const count = Buffer.alloc(4);
  count.writeUInt32LE(names.length - leaving.length);
  const tree = openBelow(folder, 'tree', { mostBytes: treeBytes, write: true });
  if (isFileRefusal(tree)) return pids;
  try {
    writeSync(tree.fd, count, 0, count.length, treeFilesOffset);
  } finally {
    closeSync(tree.fd);
  }
  return pids;
}

/** How many processes of the run have loaded the agent. */
function loadedBy(folder: string): number {
  return headOf(folder, 'tree', treeProcessesOffset + 4)?.readUInt32LE(treeProcessesOffset) ?? 0;
}

/** The first bytes of a file that the command may have put something else in place of. null: there are not so many. */
function headOf(folder: string, name: string, bytes: number): Buffer | null {
  const head = readSafely(openBelow(folder, name, { mostBytes: largestFileBytes }), bytes);
  return isFileRefusal(head) || head.length < bytes ? null : head;
}
const largestFileBytes = 16 * 2 ** 20;

/** Whether any process was refused memory. Reads the headers of the files alone, as most runs end well. */
function anyRefusal(folder: string): boolean {
  return readdirSync(folder).some((name) => {
    if (!/^\d+\.mem$/.test(name)) return false;
    const counts = headOf(folder, name, header.limitHits + 8);
    return (
      counts !== null &&
      (counts.readBigUInt64LE(header.failureCount) > 0n ||
        counts.readBigUInt64LE(header.limitHits) > 0n)
    );
  });
}

/** enum coroner_state in agent/layout.h: exit handlers run, _exit() was called. */
const exitedStates = [1, 2];

/** The process ended by itself and was refused nothing; or the file is none of the agent's. */
function isDull(folder: string, name: string): boolean {
  const head = headOf(folder, name, header.failureCount + 8);
  return (
    head === null ||
    (exitedStates.includes(head.readUInt32LE(header.state)) &&
      head.readBigUInt64LE(header.failureCount) === 0n)
  );
}

type FoundAgent =
  | {
      readonly library: string;
      /** Why the command itself will not load it; what the command starts may. */
      readonly doubt?: string | undefined;
    }
  | { readonly lacks: string };

/** The library for a command. Compiled on first use where the package has none that fits. */
export function agentFor(command: readonly string[], env: NodeJS.ProcessEnv): FoundAgent {
  if (process.platform !== 'linux') return { lacks: 'it is for Linux only' };
  const program = describeProgram(command[0] ?? '', env['PATH'] ?? '');
  if ('lacks' in program) return program;
  const name = `coroner-agent-linux-${program.arch}-${program.libc}.so`;
  const ready = [
    new URL('../agent/', import.meta.url),
    new URL('../../dist/agent/', import.meta.url),
  ]
    .map((folder) => fileURLToPath(folder) + name)
    .find((path) => existsSync(path));
  const found = ready === undefined ? compileAgent(name, program, env) : { library: ready };
  if ('library' in found && /[\s:]/.test(found.library))
    return { lacks: `LD_PRELOAD cannot name a path with a space or colon in it: ${found.library}` };
  return 'library' in found ? { ...found, doubt: program.doubt } : found;
}

interface Program {
  readonly arch: string;
  readonly libc: 'gnu' | 'musl';
  readonly doubt?: string;
}

const machines: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' };
const maxInterpreters = 4;

/** What kind of program a command is, which decides whether a loader runs and which library it accepts. */
function describeProgram(file: string, path: string): Program | { readonly lacks: string } {
  let current = find(file, path);
  for (let depth = 0; current !== null && depth < maxInterpreters; depth += 1) {
    const head = readHead(current);
    if (head === null) return { lacks: `${file} cannot be read` };
    if (head[0] === 0x23 && head[1] === 0x21) {
      // A script: the kernel starts its interpreter; `env` looks that up along PATH.
      const [interpreter = '', ...words] = head
        .toString('latin1', 2, Math.min(head.length, 256))
        .split('\n', 1)[0]!
        .trim()
        .split(/[ \t]+/);
      const wanted = /(?:^|\/)env$/.test(interpreter)
        ? words.find((word) => !word.startsWith('-') && !word.includes('='))
        : interpreter;
      current = wanted === undefined ? null : find(wanted, path);
      continue;
    }
    if (head.toString('latin1', 0, 4) !== '\x7fELF')
      return { lacks: `${file} is neither a program nor a script with a first line` };
    if (head[4] !== 2) return { lacks: `${file} is a 32-bit program` };
    const arch = machines[head.readUInt16LE(18)];
    if (arch === undefined || arch !== process.arch)
      return { lacks: `${file} is for another architecture` };
    const interpreter = interpreterOf(head);
    // A launcher (busybox, a Go program): preloading does it no harm, and what it starts mostly uses this machine's C library.
    if (interpreter === null)
      return {
        arch,
        libc: onGlibc() ? 'gnu' : 'musl',
        doubt: `${file} is statically linked, and nothing that it started loaded one`,
      };
    // A sanitizer's runtime must be loaded first, and its allocator must stay the only one.
    if (/lib(?:clang_rt\.)?[atml]san[.-]|__[at]san_init/.test(head.toString('latin1')))
      return { lacks: `${file} is built with a sanitizer, which has its own allocator` };
    const libc = interpreter.includes('ld-musl') ? 'musl' : 'gnu';
    // setuid, setgid: the loader drops LD_PRELOAD unless the file's owner starts it.
    const isSetuid = (statSync(current).mode & 0o6000) !== 0;
    return {
      arch,
      libc,
      ...(isSetuid ? { doubt: `${file} is setuid: the loader ignores LD_PRELOAD` } : {}),
    };
  }
  return { lacks: `${file} was not found` };
}

/** Enough for the program headers and the names of needed libraries, which linkers put at the front. */
const headBytes = 256 * 1024;

function readHead(path: string): Buffer | null {
  const head = readSafely(openNamed(path, anySize), headBytes);
  return isFileRefusal(head) ? null : head;
}

/** PT_INTERP of a 64-bit little-endian ELF file; null: static. */
function interpreterOf(head: Buffer): string | null {
  if (head.length < 64) return null;
  const offset = Number(head.readBigUInt64LE(32));
  const size = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  for (let i = 0; i < count; i += 1) {
    const at = offset + i * size;
    if (at + 56 > head.length) return null;
    if (head.readUInt32LE(at) !== 3) continue;
    const start = Number(head.readBigUInt64LE(at + 8));
    return head.toString('latin1', start, start + Number(head.readBigUInt64LE(at + 32)));
  }
  return null;
}

/** Compiles the agent into the cache folder, once for each version of its sources. */
function compileAgent(name: string, program: Program, env: NodeJS.ProcessEnv): FoundAgent {
  const sources = fileURLToPath(new URL('../../agent/', import.meta.url));
  let files: string[];
  try {
    files = readdirSync(sources).filter((file) => /\.(?:[ch]|rsp)$/.test(file));
  } catch {
    files = [];
  }
  if (files.length === 0)
    return { lacks: `there is no ready-made ${name} and its sources are not there` };
  // Not imported: it takes Node milliseconds to load, for which every command would wait.
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  for (const file of files) {
    const source = readSafely(openNamed(join(sources, file), anySize), largestFileBytes);
    if (isFileRefusal(source)) return { lacks: `its source ${file} ${source.message}` };
    hash.update(file).update(source);
  }
  const cache = join(
    env['XDG_CACHE_HOME']?.startsWith('/') === true
      ? env['XDG_CACHE_HOME']
      : join(homedir(), '.cache'),
    'coroner',
    `agent-${hash.digest('hex').slice(0, 16)}`,
  );
  const library = join(cache, name);
  if (isOwnFile(library)) return { library };
  const compiler = program.libc === 'musl' && onGlibc() ? 'musl-gcc' : (env['CC'] ?? 'cc');
  if (find(compiler, env['PATH'] ?? '') === null)
    return {
      lacks: `no ready-made library fits (${name}) and there is no C compiler (${compiler}) to make one`,
    };
  const unfinished = join(cache, `${name}.${process.pid}`);
  try {
    mkdirSync(cache, { recursive: true, mode: 0o700 });
    const { status, stderr } = spawnSync(
      compiler,
      [
        // A response file: gcc and clang read their options from it.
        `@${join(sources, 'flags.rsp')}`,
        '-o',
        unfinished,
        ...files.filter((file) => file.endsWith('.c')).map((file) => join(sources, file)),
        // As agent/build.mjs does, with the reason.
        ...(program.libc === 'musl' ? ['-nolibc'] : ['-ldl', '-lpthread']),
      ],
      { encoding: 'utf8', timeout: 30_000, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    if (status !== 0)
      return { lacks: `${compiler} could not compile it: ${(stderr ?? '').split('\n')[0] ?? ''}` };
    renameSync(unfinished, library);
    return { library };
  } catch (error) {
    return { lacks: `it could not be compiled into ${cache}: ${String(error)}` };
  } finally {
    rmSync(unfinished, { force: true });
  }
}

const onGlibc = () =>
  (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header
    ?.glibcVersionRuntime !== undefined;

/** Whether nobody else could have put the library there: it will be preloaded. */
function isOwnFile(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    const file = statSync(path);
    const folder = statSync(dirname(path));
    const uid = process.getuid?.();
    return [file, folder].every(({ uid: owner, mode }) => owner === uid && (mode & 0o022) === 0);
  } catch {
    return false;
  }
}
