import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import type { Inspection, MemoryPicture } from '../model/report.ts';
import { formatDuration } from '../model/units.ts';
import { maskSecrets } from '../model/secrets.ts';
import { isRefusal, readText, type Refusal } from '../python/process/live-process.ts';
import { takeSnapshot } from '../python/heap-snapshot.ts';
import { openTarget, smallChunks, versionText, type Target } from '../python/target.ts';
import {
  isTraced,
  notStopped,
  pause,
  startGuard,
  type Guard,
  type Paused,
  type Traced,
} from '../python/process/pause.ts';
import { renderHoldersCollapsed, renderHoldersSpeedscope } from '../render/exports/holders.ts';
import { compareRuns, type Run } from '../render/compare.ts';
import { renderGrowth } from '../render/comparison.ts';
import { renderInspection } from '../render/inspection.ts';
import { addBinaryOptions, placesOf, type BinaryOptions } from './binary-options.ts';
import { exitCodes } from './exit-codes.ts';
import {
  addForce,
  checkOutputs,
  isStdout,
  withDefault,
  writeOutput,
  type Output,
} from './output-path.ts';
import { Problem } from './problem.ts';
import { terminalOptions } from './terminal-options.ts';
import { version } from './version.ts';
import { inWords } from '../model/prose.ts';

interface Options extends BinaryOptions {
  readonly json?: string | true;
  readonly color: boolean;
  readonly pause: boolean;
  readonly follow?: true;
  readonly every: number;
  readonly budget: number;
  readonly verbose?: true;
  readonly stacks?: true;
  readonly collapsed?: string;
  readonly speedscope?: string;
  readonly force?: true;
}

export function configure(command: Command): void {
  addBinaryOptions(addForce(command))
    .argument('<target>', 'a process id, or a core file')
    .option('--stacks', 'stacks only: stops the process for some milliseconds')
    .option('--json [file]', 'the result as JSON (format coroner/1), to a file or - (default)')
    .option('--collapsed <file>', 'the holders as collapsed stacks (flamegraph.pl)')
    .option('--speedscope <file>', 'the holders for https://www.speedscope.app')
    .option('--budget <seconds>', 'longest stop of the process', secondsOf('--budget'), 10)
    .option(
      '--follow',
      'look again and again, and say what grew since the look before, until it ends',
    )
    .option('--every <seconds>', 'time between two looks of --follow', secondsOf('--every'), 10)
    .option('--no-pause', 'do not stop the process while it is read (figures may not fit together)')
    .option('-v, --verbose', 'all stacks, types and holders')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      '\nA living process is stopped while it is read, at most as long as the budget, and goes on\n' +
        'afterwards, whatever becomes of coroner. Names, types and sizes are read, never values.',
    )
    .action((target: string, options: Options) =>
      options.follow === true ? follow(target, options) : show(inspect(target, options), options),
    );
}

const secondsOf =
  (option: string) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isFinite(value) || value <= 0)
      throw new Problem(`${option}: ${text} is not a number of seconds`);
    return value;
  };

function inspect(name: string, options: Options): Inspection {
  const pid = /^\d{1,10}$/.test(name) ? Number(name) : null;
  checkOutputs(outputsOf(options), {
    force: options.force === true,
    inputs: pid === null ? [name] : [],
  });
  if (pid === null) checkFile(name);
  const places = placesOf(options);
  const guard = pid !== null && options.pause ? startGuard() : null;
  let target: Target | null = null;
  let paused: Paused | null = null;
  try {
    const started = performance.now();
    const stopped = pid !== null && guard !== null ? stop(pid, guard, options.budget * 1000) : null;
    const notes = stopped !== null && isTraced(stopped) ? [notStopped(stopped)] : [];
    paused = stopped === null || isTraced(stopped) ? null : stopped;
    // Small chunks read a tenth for the stacks; the count takes larger ones of its own.
    const opened = openTarget(pid ?? name, 256, smallChunks, undefined, undefined, places);
    if (isRefusal(opened)) throw problemOf(opened);
    target = opened;
    // Now: later another program may run in its place.
    const who = whoIs(opened);
    let stoppedMs: number | null = null;
    const memory = takeSnapshot(opened, {
      budgetMs: Math.min(
        options.budget * 1000,
        (paused?.heldUntil ?? Infinity) - performance.now(),
      ),
      stacksOnly: options.stacks === true,
      moves: pid !== null && (paused === null || (paused.wasStopped && !paused.isStill)),
      onRead: () => {
        if (paused !== null && !paused.wasStopped)
          stoppedMs = Math.min(performance.now(), paused.heldUntil) - started;
        paused?.resume();
      },
    });
    if (stoppedMs !== null) notes.push(`it was stopped for ${formatDuration(stoppedMs)}`);
    return inspectionOf(opened, who, name, memory, notes);
  } finally {
    paused?.resume();
    guard?.close();
    target?.source.close();
  }
}

const outputsOf = ({ json, collapsed, speedscope }: Options): readonly Output[] => [
  ...(json === undefined
    ? []
    : [{ option: '--json', kind: 'json' as const, path: withDefault(json) }]),
  ...(collapsed === undefined
    ? []
    : [{ option: '--collapsed', kind: 'collapsed' as const, path: collapsed }]),
  ...(speedscope === undefined
    ? []
    : [{ option: '--speedscope', kind: 'speedscope' as const, path: speedscope }]),
];

/** Asks first: a process that may not be read must not be stopped either. */
function stop(pid: number, guard: Guard, mostMs: number): Paused | Traced | null {
  const probe = openTarget(pid, 64, smallChunks);
  if (isRefusal(probe)) throw problemOf(probe);
  probe.source.close();
  return pause(pid, guard, { mostMs });
}

/** Its name and command; unknown where they may be those of the program that came after it. */
function whoIs({ source }: Target): Pick<Inspection['process'], 'name' | 'command'> {
  const { kind, pid } = source;
  if (kind === 'core' || pid === null)
    return { name: source.processName ?? null, command: source.commandLine ?? null };
  const name = readText(`/proc/${pid}/comm`)?.trimEnd() ?? null;
  const command = commandOf(pid);
  return source.isCurrent() ? { name, command } : { name: null, command: null };
}

function inspectionOf(
  { source, runtime }: Target,
  who: Pick<Inspection['process'], 'name' | 'command'>,
  name: string,
  picture: MemoryPicture,
  more: readonly string[],
): Inspection {
  const { pid } = source;
  const { threads = [], ...memory } = picture;
  const notes = [...(memory.notes ?? []), ...more];
  const isLiving = source.kind === 'process' && pid !== null;
  return {
    format: 'coroner/1',
    process: {
      pid,
      ...who,
      python: versionText(runtime),
      place: isLiving ? `/proc/${pid}` : name,
    },
    threads,
    memory: { ...memory, ...(notes.length === 0 ? {} : { notes }) },
  };
}

/** Looks until the process has ended; each look after the first says what grew since the one before. */
async function follow(name: string, options: Options): Promise<void> {
  if (!/^\d{1,10}$/.test(name))
    throw new Problem('--follow: only a living process can be followed', 'give its pid');
  let before = inspect(name, options);
  show(before, options);
  const terminal = terminalOptions(process.stdout, process.env, { color: options.color });
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, options.every * 1000));
    if (!existsSync(`/proc/${name}`)) break;
    let after: Inspection;
    try {
      after = inspect(name, options);
    } catch (error) {
      if (error instanceof Problem && !existsSync(`/proc/${name}`)) break;
      throw error;
    }
    process.stdout.write(renderGrowth(compareRuns(lookOf(before), lookOf(after)), terminal));
    before = after;
  }
  process.stdout.write(`process ${name} has ended\n`);
}

const lookOf = ({ process: { place }, memory }: Inspection): Run => ({
  name: place,
  report: { format: 'coroner/1', incidents: [], sources: [] },
  look: memory,
});

function show(inspection: Inspection, options: Options): void {
  const { json, color, verbose, collapsed, speedscope } = options;
  if (collapsed !== undefined) writeOutput(collapsed, renderHoldersCollapsed(inspection.memory));
  if (speedscope !== undefined)
    writeOutput(
      speedscope,
      renderHoldersSpeedscope(inspection.memory, {
        name: inspection.process.name ?? inspection.process.place,
        version,
      }),
    );
  if (json !== undefined) {
    const text = `${JSON.stringify(inspection, null, 2)}\n`;
    const path = withDefault(json);
    writeOutput(path, text);
    if (isStdout(path)) return;
  }
  process.stdout.write(
    renderInspection(inspection, {
      ...terminalOptions(process.stdout, process.env, { color }),
      verbose: verbose === true,
    }),
  );
}

function commandOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '');
    return text === '' ? null : maskSecrets(text.split('\0')).join(' ');
  } catch {
    return null;
  }
}

function checkFile(path: string): void {
  let isFile: boolean;
  try {
    isFile = statSync(path).isFile();
  } catch {
    throw new Problem(
      `${path}: no such file`,
      'give a process id or the path of a core file',
      exitCodes.noInput,
    );
  }
  if (!isFile) throw new Problem(`${path} is not a file`, undefined, exitCodes.noInput);
}

const problemOf = ({ detail, hint }: Refusal): Problem =>
  new Problem(inWords(detail), hint, exitCodes.noInput);
