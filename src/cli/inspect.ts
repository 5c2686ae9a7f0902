import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Inspection } from '../model/report.ts';
import { isRefusal, readText, type Refusal } from '../python/live-process.ts';
import { openTarget, stacksOf, versionText } from '../python/look.ts';
import { pause, startGuard, type Paused } from '../python/pause.ts';
import { renderInspection } from '../render/inspection.ts';
import { exitCodes } from './exit-codes.ts';
import { Problem } from './problem.ts';

interface Options {
  readonly json?: string | true;
  readonly color: boolean;
  readonly pause: boolean;
}

export function configure(command: Command): void {
  command
    .argument('<target>', 'a process id, or a core file')
    .option('--json [file]', 'the result as JSON (format coroner/1), to a file or - (default)')
    .option('--no-pause', 'do not stop the process while it is read (figures may not fit together)')
    .option('--no-color', 'no colours')
    .action((target: string, options: Options) => inspect(target, options));
}

function inspect(target: string, options: Options): void {
  const isPid = /^\d+$/.test(target);
  if (!isPid) checkFile(target);
  let paused: Paused | null = null;
  const guard = isPid && options.pause ? startGuard() : null;
  try {
    if (guard !== null) paused = pause(Number(target), guard);
    const opened = openTarget(isPid ? Number(target) : target);
    if (isRefusal(opened)) throw problemOf(opened);
    const { source, python, runtime } = opened;
    const { pid } = source;
    const inspection: Inspection = {
      format: 'coroner/1',
      process: {
        pid,
        name: source.kind === 'process' ? (readText(`/proc/${pid}/comm`)?.trim() ?? null) : null,
        command: source.kind === 'process' ? commandOf(pid!) : null,
        python: versionText(runtime),
        place: isPid ? `/proc/${target}` : target,
      },
      threads: stacksOf(python),
      memory: {},
    };
    paused?.resume();
    print(inspection, options);
  } finally {
    paused?.resume();
    guard?.close();
  }
}

function print(inspection: Inspection, { json, color }: Options): void {
  if (json !== undefined) {
    const text = `${JSON.stringify(inspection, null, 2)}\n`;
    if (json === true || json === '-') process.stdout.write(text);
    else writeFileSync(json, text);
    if (json === true || json === '-') return;
  }
  const isTerminal = process.stdout.isTTY === true;
  process.stdout.write(
    renderInspection(inspection, {
      columns: process.stdout.columns ?? 80,
      colors: color && isTerminal && process.env['NO_COLOR'] === undefined,
    }),
  );
}

function commandOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '');
    return text === '' ? null : text.replaceAll('\0', ' ');
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
  new Problem(detail, hint, exitCodes.noInput);
