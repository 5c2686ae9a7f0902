/**
 * Whose words stand in the tail of the command's stderr. A tail has no pids, and a file (`2>>shared.log`) may hold another process'
 * words as well: what an exception of the hook, a refusal that the agent saw, a program file or an end of a process of the run
 * bears out is the run's; the rest stays in doubt.
 */
import type {
  Evidence,
  FailedAllocation,
  ProcessExit,
  ProgramAbort,
  ProgramError,
} from '../../model/evidence.ts';
import type { RecordedProcess, Recording } from '../../model/recording.ts';
import type { StackFrame } from '../../model/report.ts';

export function attributed(
  evidence: readonly Evidence[],
  { processes, cwd }: Pick<Recording, 'processes' | 'cwd'>,
): readonly Evidence[] {
  if (!evidence.some(({ origin }) => origin.ofRun === true)) return evidence;
  const run: Run = {
    cwd,
    processes,
    byPid: new Map(processes.map((process) => [process.pid, process])),
    exits: evidence.filter((fact) => fact.kind === 'process-exit'),
    said: evidence.filter(
      (fact): fact is Witness =>
        (fact.kind === 'program-error' && fact.origin.source === 'python-hook') ||
        (fact.kind === 'failed-allocation' && fact.seenBy === 'agent'),
    ),
  };
  const onlyRelays = run.said.length === 0 && processes.every(({ name }) => relays.has(name));
  return evidence.map((fact) => {
    if (fact.origin.ofRun !== true) return fact;
    return onlyRelays && isOfProgram(fact) ? relayed(fact) : attribute(fact, run);
  });
}

/**
 * Of evidence that was attributed: what the run's processes said, and the programs of others whose tracebacks stand in the same file. A
 * traceback begins in the module that was started: where no process of the run was started with it, another process said it.
 */
export function splitOthers(
  evidence: readonly Evidence[],
  { processes }: Pick<Recording, 'processes'>,
): { readonly own: readonly Evidence[]; readonly others: readonly Other[] } {
  const commands = processes.flatMap(({ command }) => command ?? []);
  const known =
    processes.length > 0 &&
    processes.every(({ name, command }) => command !== null || relays.has(name));
  const others = new Map<Evidence, string>();
  if (known)
    for (const fact of evidence) {
      const started = startedModule(fact);
      if (started !== null && !commands.some((command) => mayStart(command, started)))
        others.set(fact, started);
    }
  return {
    own: evidence.filter((fact) => !others.has(fact)),
    others: [...others].map(([{ origin }, program]) => ({ place: origin.place, program })),
  };
}

export interface Other {
  readonly place: string;
  readonly program: string;
}

/** The file that the interpreter was started with, where a traceback in a shared file begins with it; null: it does not tell. */
function startedModule(fact: Evidence): string | null {
  if (fact.kind !== 'program-error' || fact.origin.doubt !== 'shared') return null;
  const outermost = fact.stack.at(-1);
  return outermost?.function === '<module>' && outermost.file?.startsWith('/') === true
    ? outermost.file
    : null;
}

/** A notebook's cells are files of their own; for the rest the file, or a folder or package that it lies in, stands in the command. */
function mayStart(command: string, file: string): boolean {
  if (/ipykernel|jupyter|ipython/i.test(command)) return true;
  const parts = new Set(
    file
      .replace(/\.pyw?$/, '')
      .split('/')
      .filter((part) => part !== ''),
  );
  return command
    .split(/\s+/)
    .some((word) => [basename(word), ...word.split('.')].some((part) => parts.has(stem(part))));
}
const basename = (path: string): string => path.replace(/\/+$/, '').replace(/^.*\//, '');
const stem = (name: string): string => name.replace(/\.pyw?$/, '');

/** Programs that print what others wrote, here or on another machine, and start nothing that is not a process of the run. */
const relays: ReadonlySet<string> = new Set(
  [
    'ash bash busybox dash fish ksh sh zsh',
    'bzcat cat cut echo head less more printf sort tac tail tee tr ts uniq xzcat zcat zstdcat',
    'awk egrep fgrep gawk grep jq mawk rg sed',
    'coredumpctl dmesg journalctl logger sacct systemd-cat systemctl',
    'aws az crictl docker flyctl gcloud heroku kubectl nerdctl nomad oc podman ssh',
    'curl env nohup rsync scp sleep stdbuf sudo timeout true watch wget xargs',
  ].flatMap((names) => names.split(' ')),
);

/** An exception or an abort: what only the process that prints it, and no relay, can have met. */
const isOfProgram = (fact: Evidence): fact is ProgramError | ProgramAbort =>
  fact.kind === 'program-error' || (fact.kind === 'program-abort' && fact.reporter !== 'glibc');

/** The process that met it is none of the run. */
function relayed(fact: ProgramError | ProgramAbort): Evidence {
  const { pid: _, name: __, ...rest } = fact;
  return { ...rest, origin: { ...fact.origin, doubt: 'quoted' } };
}

type Witness = ProgramError | FailedAllocation;
interface Run {
  readonly cwd: string;
  readonly processes: readonly RecordedProcess[];
  readonly byPid: ReadonlyMap<number, RecordedProcess>;
  readonly exits: readonly ProcessExit[];
  readonly said: readonly Witness[];
}

function attribute(fact: Evidence, run: Run): Evidence {
  if ('pid' in fact && fact.pid != null) return run.byPid.has(fact.pid) ? withoutDoubt(fact) : fact;
  if (fact.kind !== 'program-error' && fact.kind !== 'program-abort') {
    const signal = fact.kind === 'death-notice' ? fact.signal : undefined;
    return signal !== undefined && run.exits.some((exit) => exit.signal === signal)
      ? withoutDoubt(fact)
      : fact;
  }
  // Workers of a pool are refused at one line, one after the other: the first one's exception is what its parent tells.
  const witness = run.said
    .filter((one) => one.pid !== undefined && isSamePlace(stackOf(one), fact.stack))
    .toSorted((a, b) => momentOf(a) - momentOf(b))[0];
  const pids = new Set(witness?.pid === undefined ? [] : [witness.pid]);
  if (pids.size === 0)
    for (const { pid, command } of run.processes)
      if (fact.stack.some((frame) => isProgramOf(frame, command, run.cwd))) pids.add(pid);
  if (pids.size === 0 && fact.kind === 'program-abort')
    for (const { pid, signal } of run.exits)
      if (signal !== null && signal === (fact.signal ?? 'SIGABRT')) pids.add(pid);
  const [pid] = pids;
  if (pid === undefined) return fact;
  if (pids.size > 1) return withoutDoubt(fact);
  return { ...withoutDoubt(fact), pid, name: fact.name ?? run.byPid.get(pid)?.name ?? 'python' };
}

function withoutDoubt<Fact extends Evidence>(fact: Fact): Fact {
  if (fact.origin.doubt !== 'shared') return fact;
  const { doubt: _, ...origin } = fact.origin;
  return { ...fact, origin };
}

const momentOf = ({ when }: Witness): number => Date.parse(when?.wall ?? '') || Infinity;
const stackOf = (witness: Witness): readonly StackFrame[] =>
  witness.kind === 'failed-allocation' ? witness.failure.stack : witness.stack;

/** The innermost lines that both have; a traceback begins where the exception is caught, a stack at the thread's start. */
function isSamePlace(a: readonly StackFrame[], b: readonly StackFrame[]): boolean {
  const depth = Math.min(a.length, b.length, 3);
  return (
    depth > 0 &&
    a
      .slice(0, depth)
      .every(({ file, line }, at) => line !== null && file === b[at]?.file && line === b[at].line)
  );
}

/** `python3 app.py` runs a frame of app.py; `python3 -m pkg.tool` one of pkg/tool.py or pkg/tool/. */
function isProgramOf({ file }: StackFrame, command: string | null, cwd: string): boolean {
  if (file === null || file.startsWith('<') || command === null) return false;
  const words = command.split(/\s+/);
  const absolute = (path: string) =>
    path.startsWith('/') ? path : `${cwd}/${path.replace(/^(?:\.\/)+/, '')}`;
  const module = words[words.indexOf('-m') + 1];
  if (words.includes('-m') && module !== undefined && /^[\w.]+$/.test(module)) {
    const path = `/${module.replaceAll('.', '/')}`;
    if (file.endsWith(`${path}.py`) || file.includes(`${path}/`)) return true;
  }
  return words.slice(0, 8).some((word) => absolute(word) === absolute(file));
}
