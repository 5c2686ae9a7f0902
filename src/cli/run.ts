import { accessSync, constants, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { Report } from '../model/report.ts';
import { formatBytes, formatPeak, formatDuration, parseSize } from '../model/units.ts';
import { pythonHook } from '../record/python-hook.ts';
import { finalSnapshot, noFinalSnapshot } from '../record/final-snapshot/final-snapshot.ts';
import type { Companion } from '../record/companion.ts';
import { find } from '../record/launch.ts';
import { record, type RecordResult } from '../record/recorder.ts';
import { agentCompanion, type AtLimit } from '../record/agent.ts';
import { availableLimitBytes } from '../record/available.ts';
import { sharedLimit } from '../record/shared-limit.ts';
import { isWithinReach } from '../record/headroom.ts';
import { tracingCompanion } from '../record/tracing.ts';
import { endLike } from '../record/end.ts';
import { lostWithoutHelper, takeHelper, type Helper } from '../record/helper.ts';
import { keepStderrTail } from '../record/stderr-tail.ts';
import { newIncidentId, openIncident, storeRoot } from '../store/incidents.ts';
import { defaultStoreLimits, keepWithin, parseStoreLimits } from '../store/retention.ts';
import { liveCompanion } from './live.ts';
import { Problem } from './problem.ts';
import { checkOutputs } from './output-path.ts';
import { checkSourceFolder } from './source-folder.ts';
import {
  addFileOptions,
  outputsOf,
  redactHelp,
  type FileOptions,
  briefHelp,
} from './report-files.ts';
import { terminalOptions } from './terminal-options.ts';
import { version } from './version.ts';

export interface RunOptions extends FileOptions {
  readonly json?: string | true;
  readonly quiet?: boolean;
  readonly brief?: true;
  readonly color?: boolean;
  readonly output?: string;
  readonly pythonHook: boolean;
  readonly agent: boolean;
  readonly memoryLimit?: number;
  readonly atLimit?: AtLimit;
  readonly lastLook?: boolean;
  readonly lookAtPeak?: true;
  readonly live?: true;
  readonly sampleEvery?: SampleEvery;
}

export function configure(command: Command): void {
  command
    .argument('<command...>', 'the command to run, with its arguments')
    .passThroughOptions()
    .allowUnknownOption(false)
    .option(
      '--json [file]',
      'write the report as JSON to a file, or (-) to stdout after the command has ended',
    )
    .option('-q, --quiet', 'one line for a verdict, nothing while the command runs')
    .option('--brief', briefHelp)
    .option('--live', 'a line of status while it runs, on a terminal')
    .option('--no-color', 'no colours')
    .option('-o, --output <dir>', 'folder in which the incident folder is made')
    .option(
      '--source <dir>',
      'keep lines of source files below DIR only (default: of every file that the report names)',
    )
    .option('--redact', `the files that are asked for ${redactHelp}`)
    .option('--no-python-hook', 'do not inject the Python start-up hook')
    .option('--no-agent', 'do not preload the allocation agent')
    .option(
      '--memory-limit <size>',
      'refuse memory beyond this: 4G, or 90% of the limit of the cgroup or machine',
      memoryLimit,
    )
    .addOption(
      new Option('--at-limit <what>', 'raise (the allocation fails, default), report or kill')
        .choices(['raise', 'report', 'kill'])
        .argParser(atLimit),
    )
    .option(
      '--last-look',
      'look into a Python before it is killed also where coroner lives within its small limit (default: from 512 MiB on)',
    )
    .option(
      '--look-at-peak',
      'look into a Python also at each new peak, far from any limit: stops it for 2 % of the time at most',
    )
    .option('--no-last-look', 'do not look into the process before it is killed')
    .option(
      '--sample-every <size|ms>',
      'with a unit (64K): the agent notes one allocation in so many bytes on average (default: 512K, finer while the heap grows); without: shortest time between two samples of the process tree in ms (default: 50 where a limit may be near, else up to 200)',
      sampleEvery,
    )
    .action(async (words: string[], options: RunOptions) => {
      await run(words, options);
    });
  addFileOptions(command);
}

interface SampleEvery {
  readonly ms?: number;
  readonly agentBytes?: number;
}
function sampleEvery(text: string, before: SampleEvery = {}): SampleEvery {
  if (/[a-z]$/i.test(text))
    return { ...before, agentBytes: sizeOption('--sample-every', 4096)(text) };
  const ms = Number(text);
  if (!Number.isFinite(ms) || ms < 1)
    throw new Problem(
      `--sample-every: ${text} is neither a size (64K) nor a number of milliseconds`,
    );
  return { ...before, ms };
}

const sizeOption = (option: string, least: number) => (text: string) => {
  const bytes = parseSize(text);
  if (bytes === null || bytes < least)
    throw new Problem(`${option}: "${text}" is no size (like 64K, 512M, 4G)`);
  return bytes;
};

function memoryLimit(text: string): number {
  const percent = /^(\d{1,2}(?:\.\d+)?|100)%$/.exec(text)?.[1];
  if (percent === undefined) return sizeOption('--memory-limit', 2 ** 20)(text);
  const whole = availableLimitBytes();
  if (whole === null)
    throw new Problem('--memory-limit: the limit of the cgroup or machine cannot be read here');
  return Math.floor((whole * Number(percent)) / 100);
}

function atLimit(text: string): AtLimit {
  if (text !== 'raise' && text !== 'report' && text !== 'kill')
    throw new Problem(`--at-limit: "${text}" is none of raise, report, kill`);
  return text;
}

async function run(words: readonly string[], options: RunOptions): Promise<void> {
  const helper = takeHelper(process.env);
  const [file, ...args] = words;
  if (file === undefined) throw new Problem('run: no command given');
  if (options.memoryLimit !== undefined && !options.agent)
    throw new Problem('--memory-limit: the agent enforces it, and --no-agent leaves that out');
  if (options.source !== undefined) checkSourceFolder(options.source);
  checkOutputs(outputsOf(options), {
    force: options.force === true,
    // `run --json python3 app.py`: the option took the command's name.
    guess: ({ option, path }) =>
      !isCommand(path) || isCommand(file)
        ? null
        : `did you mean: coroner run ${option} - ${path} ${words.join(' ')}`,
  });
  // When Node first touches a pipe it makes it non-blocking for everybody who shares it; starting a process (libuv) undoes that. So both are
  // touched before the command is started. If Node did so while it runs, the command's own writes, or tee's, would fail with EAGAIN.
  void [process.stdout, process.stderr];
  const root = options.output === undefined ? storeRoot() : resolve(options.output);
  const writer = openIncident(root, newIncidentId(new Date()));
  const say = (line: string) => {
    if (options.quiet !== true) write(2, `coroner: ${oneLine(line)}\n`);
  };
  for (const fault of writer.faults()) say(`${fault}; recording to ${writer.folder ?? 'memory'}`);
  const result = await record({
    command: [file, ...args],
    version,
    writer,
    env: process.env,
    stderr: keepStderrTail(writer.held),
    options: { ...options },
    helper,
    companions: [...companions(options, [file, ...args], helper), verdictAtHand()],
    say,
    ...(options.sampleEvery?.ms === undefined ? {} : { sampleEveryMs: options.sampleEvery.ms }),
  });
  if ('launchError' in result) {
    write(2, `coroner: ${oneLine(result.launchError.message)}\n`);
    writer.close();
    process.exit(result.launchError.exitCode);
  }
  const { ending } = result;
  const end = () => (helper?.hasLaunched() === true ? process.exit(0) : endLike(ending));
  if (!result.notable && !wantsFile(options) && !isWorthTelling(result)) {
    if (options.output === undefined) prune(root, writer.folder, say);
    writer.close();
    end();
  }
  // A fault in the verdict must not change the exit status.
  try {
    const { judge, show, isUneventful } = await import('./verdict.ts');
    const judged = judge(writer, options.source);
    if (judged !== null) {
      writer.append('report.json', `${JSON.stringify(judged.report, null, 1)}\n`);
      await show(judged, { ...options, folder: writer.folder });
      if (isWorthTelling(result) && isUneventful(judged.report))
        namePage(judged.report, options, writer.folder);
    }
  } catch (error) {
    if (error instanceof Problem) say(error.message);
    else {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      writer.append('faults.log', `verdict: ${stack}\n`);
      write(2, `coroner: cannot give a verdict: ${stack}\n`);
    }
  }
  if (options.output === undefined) prune(root, writer.folder, say);
  writer.close();
  end();
}

const isCommand = (name: string): boolean => {
  const found = find(name, process.env['PATH'] ?? '');
  try {
    if (found === null) return false;
    accessSync(found, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Whether a report was asked for: it is also written where it says nothing. */
const wantsFile = ({
  json,
  html,
  speedscope,
  pprof,
  collapsed,
  junit,
  sarif,
  terminationLog,
  github,
}: RunOptions) =>
  [json, html, speedscope, pprof, collapsed, junit, sarif, terminationLog, github].some(
    (option) => option !== undefined,
  );

type Ended = Extract<RecordResult, { notable: boolean }>;

/** Shorter runs say nothing of themselves unless they came near their limit. */
const tellFromMs = 10_000;
const nearLimitShare = 0.8;
const isWorthTelling = ({ durationMs, peakRssBytes, limitBytes }: Ended): boolean =>
  durationMs >= tellFromMs || (limitBytes !== null && peakRssBytes >= limitBytes * nearLimitShare);

/** One dim line at a terminal that names the page of a run of which there is nothing else to say. */
function namePage({ run }: Report, { color, quiet, output }: RunOptions, folder: string | null) {
  if (!process.stderr.isTTY || quiet === true || run?.peak == null) return;
  const { peak, enough, growth, durationMs } = run;
  const text = [
    `coroner: peak ${formatPeak(peak.bytes, peak.isLeast)}`,
    ...(enough === null ? [] : [`${formatBytes(enough.bytes)} is enough`]),
    ...(growth === null ? [] : ['grew to its end']),
    ...(durationMs === null ? [] : [formatDuration(durationMs)]),
    `coroner show ${output === undefined ? 'last' : (folder ?? 'last')}`,
  ].join(', ');
  const { color: colored } = terminalOptions(process.stderr, process.env, {
    color: color !== false,
  });
  write(2, colored ? `\u001B[2m${oneLine(text)}\u001B[22m\n` : `${oneLine(text)}\n`);
}

/** What takes part in the run beside the recorder, in the order in which it is prepared. */
function companions(
  options: RunOptions,
  command: readonly string[],
  helper: Helper | null,
): readonly Companion[] {
  const live = options.live === true ? liveCompanion() : null;
  return [
    ...(options.pythonHook ? [pythonHook()] : []),
    ...(helper === null
      ? [{ started: (pid, { note }) => note(lostWithoutHelper, pid) } satisfies Companion]
      : []),
    tracingCompanion(
      !options.agent,
      undefined,
      helper === null ? undefined : [process.pid, helper.pid],
    ),
    ...(options.agent
      ? [
          agentCompanion({
            command,
            sampleEveryBytes: options.sampleEvery?.agentBytes,
            memoryLimitBytes: options.memoryLimit,
            atLimit: options.atLimit,
            // Who asks for a limit relies on it, --quiet or not.
            unlimited: (why) => write(2, `coroner: ${oneLine(why)}\n`),
          }),
        ]
      : []),
    ...(live === null ? [] : [live]),
    sharedLimit(),
    lastLook(options),
  ];
}

function lastLook({
  lastLook: asked,
  lookAtPeak,
  agent,
  memoryLimit: limit,
  atLimit: doThere,
}: RunOptions): Companion {
  if (asked === false)
    return noFinalSnapshot(
      'the last look was switched off (--no-last-look)',
      'coroner run COMMAND',
    );
  const available = availableLimitBytes() ?? 0;
  const left = agent && limit !== undefined && doThere !== 'report' ? available - limit : 0;
  const hasRoom = available >= leastForFinalSnapshotBytes || left >= roomBesideLimitBytes;
  if (asked === true || hasRoom)
    return finalSnapshot({
      forced: !hasRoom,
      atPeak: lookAtPeak === true,
      memoryLimitBytes: agent ? (limit ?? null) : null,
    });
  return noFinalSnapshot(
    `coroner and the command together have no more than ${formatBytes(available)}, and a look takes memory: none is taken below ${formatBytes(leastForFinalSnapshotBytes)}`,
  );
}

/**
 * Loads the code of the verdict while the command runs and nears a limit, so that the verdict follows its death at once. Not for short
 * commands, and not in a small container, where the command needs the memory until it is dead.
 */
function verdictAtHand(): Companion {
  let loaded = false;
  return {
    onSample: ({ atMs, headrooms, growthBytesPerSecond }) => {
      if (loaded || atMs < 1000 || !isWithinReach(headrooms, growthBytesPerSecond)) return;
      loaded = true;
      if ((availableLimitBytes() ?? 0) >= leastForFinalSnapshotBytes)
        void import('./verdict.ts').then(() => import('../render/terminal.ts'));
    },
  };
}

/** A snapshot takes tens of MiB. In a small container the command would die earlier for want of them, and perhaps coroner with it. */
const leastForFinalSnapshotBytes = 512 * 2 ** 20;
/** What the command may not have, by --memory-limit, is coroner's: the recorder with a snapshot holds up to 125 MiB. */
const roomBesideLimitBytes = 160 * 2 ** 20;

/** Removes the oldest incidents beyond the limits. Only in the default store: what lies below `--output` is the user's to keep. */
function prune(root: string, own: string | null, say: (line: string) => void): void {
  const limits = parseStoreLimits(process.env['CORONER_STORE_MAX']);
  if (limits === null)
    say('CORONER_STORE_MAX says neither a size (2G), nor a size and a number (2G,1000), nor none');
  keepWithin(root, limits ?? defaultStoreLimits, own);
}

const oneLine = (text: string) => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');

function write(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch {
    // A closed stderr is no reason to stop recording.
  }
}

export type { Report };
