import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Incident } from '../model/report.ts';
import { recurrenceOf, recurrenceText, type Recurrence } from '../model/recurrence.ts';
import { isInterrupt } from '../model/incident.ts';
import { defined } from '../model/defined.ts';
import { formatDuration, formatPeak, isoTime } from '../model/units.ts';
import { commandLine } from '../render/command-line.ts';
import { safeCopy } from '../render/safe-text.ts';
import { clipped, displayWidth, inked, type Line, type Style } from '../render/terminal/layout.ts';
import { listIncidentFolders, readEnd, readStart } from '../store/incidents.ts';
import { deathsIn, isRunning, rootOf, storedReport, type StoredDeath } from './incident-store.ts';
import { terminalOptions, type Terminal } from './terminal-options.ts';
import { inWords } from '../model/prose.ts';

interface Options {
  readonly json?: true;
  readonly all?: true;
  readonly color: boolean;
  readonly store?: string;
}

interface Row {
  readonly id: string;
  readonly startedAt: string;
  readonly command: readonly string[];
  readonly durationMs: number | null;
  /** running: its recorder still lives. ended: it has an end. cut-short: neither. */
  readonly state: 'running' | 'ended' | 'cut-short';
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The run's peak, where it was long enough to be told or died. */
  readonly peakBytes: number | null;
  /** It may have held more after the last reading. */
  readonly peakIsLeast?: true;
  /** The same death before, by its fingerprint; null: it came once, or there was none. */
  readonly recurrence: Recurrence | null;
  readonly verdict: Pick<
    Incident,
    | 'outOfMemory'
    | 'death'
    | 'cause'
    | 'confidence'
    | 'headline'
    | 'fingerprint'
    | 'id'
    | 'exception'
  > | null;
}

const shownAtFirst = 20;

export function configure(command: Command): void {
  command
    .option('--json', 'as JSON')
    .option('--all', `all of them, not just the newest ${shownAtFirst}`)
    .option('--no-color', 'no colours')
    .option('--store <dir>', 'where the incident folders are, if not in the default place')
    .action((options: Options) => {
      const root = rootOf(options.store);
      const folders = listIncidentFolders(root);
      const deaths = deathsIn(folders);
      const rows = (
        options.all === true || options.json === true ? folders : folders.slice(0, shownAtFirst)
      ).flatMap((folder) => rowOf(folder, deaths));
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify(rows, null, 2)}\n`
          : table(
              rows,
              folders.length,
              root,
              terminalOptions(process.stdout, process.env, options),
            ),
      );
    });
}

function rowOf(folder: string, deaths: readonly StoredDeath[]): readonly Row[] {
  const start = readStart(folder);
  if (start === null) return [];
  const end = readEnd(folder);
  const report = storedReport(folder);
  const incidents = report?.incidents ?? [];
  const loaded = incidents.findLast(({ outOfMemory }) => outOfMemory === true) ?? incidents.at(-1);
  const own = deaths.find((death) => death.folder === folder);
  return [
    {
      id: basename(folder),
      startedAt: start.startedAt,
      command: start.command,
      durationMs: end?.durationMs ?? null,
      state: end === null ? (isRunning(start) ? 'running' : 'cut-short') : 'ended',
      exitCode: end?.exitCode ?? null,
      signal: end?.signal ?? null,
      peakBytes: report?.run?.peak?.bytes ?? null,
      ...(report?.run?.peak?.isLeast === true ? { peakIsLeast: true } : {}),
      recurrence: own === undefined ? null : recurrenceOf(own, deaths),
      verdict:
        loaded === undefined
          ? null
          : {
              outOfMemory: loaded.outOfMemory,
              death: loaded.death,
              cause: loaded.cause,
              confidence: loaded.confidence,
              headline: loaded.headline,
              ...defined({
                exception: loaded.exception,
                fingerprint: loaded.fingerprint,
                id: loaded.id,
              }),
            },
    },
  ];
}

function endingOf(row: Row): string {
  const { id, state, verdict, exitCode, signal, peakBytes, peakIsLeast } = row;
  const peak = peakBytes === null ? '' : `, peak ${formatPeak(peakBytes, peakIsLeast)}`;
  if (verdict !== null)
    return isInterrupt(verdict) ? `stopped by Ctrl-C${peak}` : inWords(verdict.headline);
  if (state === 'ended') return `ended with ${signal ?? `status ${exitCode ?? '?'}`}${peak}`;
  return state === 'running' ? 'still running' : `no verdict yet: coroner show ${id}`;
}

function table(rows: readonly Row[], total: number, root: string, terminal: Terminal): string {
  if (rows.length === 0)
    return inked(
      [
        [
          { text: `No incidents are recorded in ${root}. ` },
          { text: 'coroner run COMMAND records one.', style: ['dim'] },
        ],
      ],
      terminal,
    );
  const width = Math.min(terminal.columns, 140) - 1;
  const ellipsis = terminal.unicode ? '…' : '...';
  const idWidth = 22;
  const now = isoTime(Date.now()) ?? '';
  const lines = safeCopy(rows, !terminal.unicode).flatMap((row): readonly Line[] => {
    const { id, command, durationMs, state, verdict, recurrence } = row;
    const [mark, style] = markOf(row, terminal);
    const again = recurrence === null ? '' : `, ${recurrenceText(recurrence, now)}`;
    const how = durationMs === null ? state : formatDuration(durationMs);
    const ending = endingOf(row);
    return [
      [
        { text: mark, style },
        { text: ` ${id.padEnd(idWidth)} `, style: ['dim'] },
        {
          text: clipped(
            command.length === 0 ? '(its command is not known)' : commandLine(command),
            Math.max(10, width - idWidth - 4 - displayWidth(how) - 2),
            ellipsis,
          ),
        },
        { text: `  ${how}`, style: ['dim'] },
      ],
      [
        { text: '  ' },
        {
          text: `${clipped(ending, width - 2 - again.length, ellipsis)}${again}`,
          ...(verdict === null ? { style: ['dim'] as const } : {}),
        },
      ],
    ];
  });
  const more = total - rows.length;
  return inked(
    [
      ...lines,
      ...legend(rows, terminal),
      ...(more > 0
        ? [[{ text: `${more} older ones: coroner list --all`, style: ['dim'] as const }]]
        : []),
    ],
    terminal,
  );
}

/** Green is for what ended well: a crash that was not memory is none. */
function markOf(
  { verdict, state, exitCode, signal }: Row,
  { unicode }: Terminal,
): readonly [string, readonly Style[]] {
  if (verdict?.outOfMemory === true) return [unicode ? '✖' : 'X', ['red']];
  if (verdict !== null && verdict.outOfMemory === null) return ['?', ['yellow']];
  const endedWell = state === 'ended' && signal === null && exitCode === 0;
  if (endedWell) return [unicode ? '✔' : '+', ['green']];
  const isOver = state === 'ended' && (verdict === null || !isInterrupt(verdict));
  return isOver ? ['!', ['yellow']] : [unicode ? '·' : '-', ['dim']];
}

function legend(rows: readonly Row[], terminal: Terminal): readonly Line[] {
  const words: Readonly<Record<string, string>> = terminal.unicode
    ? { '✖': 'memory', '?': 'not known', '!': 'died of something else', '✔': 'ended well' }
    : { X: 'memory', '?': 'not known', '!': 'died of something else', '+': 'ended well' };
  const seen = new Set(rows.map((row) => markOf(row, terminal)[0]));
  const told = Object.entries(words).filter(([mark]) => seen.has(mark));
  return told.length < 2
    ? []
    : [[{ text: told.map(([mark, word]) => `${mark} ${word}`).join('   '), style: ['dim'] }]];
}
