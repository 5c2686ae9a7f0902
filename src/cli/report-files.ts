/** The files that a report can be written to: one set of options for `run`, `diagnose` and `show`. */
import { appendFileSync, existsSync } from 'node:fs';
import type { Command } from 'commander';
import { containedLater } from '../model/faults.ts';
import type { Recording } from '../model/recording.ts';
import type { Report } from '../model/report.ts';
import type { SourceText } from '../model/source-text.ts';
import { addForce, isStdout, writeOutput, type Output } from './output-path.ts';
import type { OutputKind } from '../model/own-outputs.ts';
import { exitCodes } from './exit-codes.ts';
import { Problem } from './problem.ts';
import { version } from './version.ts';

export interface FileOptions {
  readonly html?: string;
  /** Lines of source for the page. */
  readonly sourceText?: SourceText | undefined;
  /** A folder below which source files may be read. */
  readonly source?: string;
  readonly speedscope?: string;
  readonly pprof?: string;
  readonly collapsed?: string;
  readonly junit?: string;
  readonly sarif?: string;
  readonly terminationLog?: string | true;
  readonly github?: true;
  readonly force?: true;
  readonly redact?: true;
}

const kubernetesLog = '/dev/termination-log';

/** Every file that the options ask for, checked by `checkOutputs` before any work is done. */
export function outputsOf(
  options: FileOptions & { readonly json?: string | true },
): readonly Output[] {
  const { terminationLog } = options;
  if (terminationLog === true && !existsSync(kubernetesLog))
    throw new Problem(
      `--termination-log: there is no ${kubernetesLog} here`,
      'Kubernetes mounts one into its containers; elsewhere give a FILE',
    );
  const asked: Readonly<Record<OutputKind, string | undefined>> = {
    json: options.json === true ? '-' : options.json,
    html: options.html,
    speedscope: options.speedscope,
    pprof: options.pprof,
    collapsed: options.collapsed,
    junit: options.junit,
    sarif: options.sarif,
    'termination-log': terminationLog === true ? kubernetesLog : terminationLog,
  };
  return Object.entries(asked).flatMap(([kind, path]) =>
    path === undefined ? [] : [{ option: `--${kind}`, kind: kind as OutputKind, path }],
  );
}

export const redactHelp =
  'without messages and log lines, arguments, directories, hosts, users and source (names of functions and variables stay)';

export const briefHelp = 'the facts alone, below 1 KiB: for chats, alerts and language models';

/** Says at a terminal which files were written; a script that asked for them knows. */
export function sayWritten(options: FileOptions & { readonly quiet?: boolean }): void {
  if (options.quiet === true || !process.stderr.isTTY) return;
  for (const { kind, path } of outputsOf(options))
    if (!isStdout(path) && kind !== 'termination-log')
      process.stderr.write(`coroner: wrote ${path.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')}\n`);
}

export function addFileOptions(command: Command): Command {
  return addForce(command)
    .option('--html <file>', 'the report as one HTML page')
    .option('--speedscope <file>', 'allocations for speedscope')
    .option('--pprof <file>', 'allocations for pprof (gzipped protobuf)')
    .option('--collapsed <file>', 'allocations as collapsed stacks')
    .option('--junit <file>', 'the deaths as JUnit XML')
    .option('--sarif <file>', 'the deaths as SARIF')
    .option(
      '--termination-log [file]',
      'at most 4096 bytes for Kubernetes (default: /dev/termination-log)',
    )
    .option('--github', 'GitHub Actions: annotations, step summary, outputs');
}

/** Writes every file that was asked for; of annotations it gives back what belongs on stdout. */
export async function writeReportFiles(
  report: Report,
  recording: Recording | undefined,
  options: FileOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  await writeFile(options.html, () => htmlOf(report, recording, options.sourceText));
  await writeFile(options.speedscope, async () => {
    const { renderSpeedscope } = await import('../render/exports/speedscope.ts');
    return renderSpeedscope(report, { version });
  });
  await writeFile(options.pprof, async () => {
    const { renderPprof } = await import('../render/exports/pprof.ts');
    return renderPprof(report);
  });
  await writeFile(options.collapsed, async () => {
    const { renderCollapsed } = await import('../render/exports/collapsed.ts');
    return renderCollapsed(report);
  });
  await writeFile(options.junit, async () => {
    const { renderJunit } = await import('../render/exports/junit.ts');
    return renderJunit(report);
  });
  await writeFile(options.sarif, async () => {
    const { renderSarif } = await import('../render/exports/sarif.ts');
    return renderSarif(report, { version, directory: process.cwd() });
  });
  const log = options.terminationLog;
  await writeFile(log === true ? kubernetesLog : log, async () => {
    const { renderTerminationLog } = await import('../render/exports/termination-log.ts');
    return renderTerminationLog(report);
  });
  return options.github === true ? github(report, env) : '';
}

/** One renderer with a fault of its own leaves the others their files: it is said, and shows in the exit status. */
async function writeFile(
  file: string | undefined,
  render: () => Promise<string | Uint8Array>,
): Promise<void> {
  if (file === undefined) return;
  let problem: Problem | undefined;
  const content = await containedLater(
    `writing ${file}`,
    async () => {
      try {
        return await render();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        problem = error;
        return null;
      }
    },
    () => {
      process.exitCode = exitCodes.internal;
      return null;
    },
  );
  if (problem !== undefined) throw problem;
  if (content !== null) writeOutput(file, content);
}

/** The page; where it was not built, a problem that says how to build it. */
export async function htmlOf(
  report: Report,
  recording: Recording | undefined,
  sourceText?: SourceText,
): Promise<string> {
  const { pageIsBuilt, renderHtml } = await import('../render/html.ts');
  if (!pageIsBuilt()) throw new Problem('the page is not built', 'npm run build makes it');
  return renderHtml(report, { recording, version, sourceText });
}

async function github(
  report: Report,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { renderGithub } = await import('../render/exports/github.ts');
  const { commands, summary, outputs } = renderGithub(report, {
    directory: env['GITHUB_WORKSPACE'] ?? process.cwd(),
  });
  for (const [name, text] of [
    ['GITHUB_STEP_SUMMARY', summary],
    ['GITHUB_OUTPUT', outputs],
  ] as const) {
    const file = env[name];
    if (file !== undefined && file !== '') append(file, text);
  }
  return commands;
}

function append(file: string, text: string): void {
  try {
    appendFileSync(file, text);
  } catch (error) {
    throw new Problem(`cannot write ${file}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}
