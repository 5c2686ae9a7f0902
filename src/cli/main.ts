import { Command, CommanderError } from 'commander';
import { exitCodes } from './exit-codes.ts';
import { Problem } from './problem.ts';
import { version } from './version.ts';
import { hearFaults } from '../model/faults.ts';

/**
 * One file a command. Each is loaded only when it is asked for: `run` must not pay for the page's renderer.
 * A command file exports `configure(command)`, which adds arguments, options and the action.
 */
const commands: readonly [name: string, summary: string, load: () => Promise<CommandModule>][] = [
  ['run', 'runs a command, records its memory and says what it died of', () => import('./run.ts')],
  [
    'rehearse',
    'provokes each death safely and shows what it looks like',
    () => import('./rehearse.ts'),
  ],
  [
    'inspect',
    'looks into a living or dumped CPython: stacks, what holds its memory',
    () => import('./inspect.ts'),
  ],
  [
    'explain',
    'tells about a cause: what happened, how we know, what to do',
    () => import('./explain.ts'),
  ],
  [
    'diagnose',
    'verdicts from evidence that already exists: logs, tracebacks, core files, incident folders',
    () => import('./diagnose.ts'),
  ],
  [
    'show',
    'shows an incident again: on the terminal, as a page, for other tools',
    () => import('./show.ts'),
  ],
  ['list', 'lists the incidents recorded on this machine', () => import('./list.ts')],
  ['compare', 'what changed between two runs', () => import('./compare.ts')],
  ['rm', 'removes recorded incidents', () => import('./rm.ts')],
];

interface CommandModule {
  readonly configure: (command: Command) => void;
}

export async function main(args: readonly string[]): Promise<void> {
  process.stdout.on('error', endQuietlyOnClosedPipe);
  hearFaults(({ where, stack }) => {
    process.stderr.write(`coroner: a fault of coroner itself, in ${where}: ${stack}\n`);
  });
  const asked = args.find((arg) => !arg.startsWith('-'));
  const program = await programWith((name) => name === asked);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    process.exitCode = explain(error);
  }
}

/** The command line, with the options of those commands that are `wanted`: all of them for the man page and the completions. */
export async function programWith(wanted: (name: string) => boolean): Promise<Command> {
  const program = new Command('coroner')
    .description('Tells whether, how, where and why a process died of running out of memory')
    .version(version, '-V, --version')
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(coroner --help lists the commands)');
  for (const [name, summary, load] of commands) {
    const command = program.command(name).summary(summary).description(summary).exitOverride();
    if (wanted(name)) (await load()).configure(command);
  }
  return program;
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  if (error instanceof Problem) {
    process.stderr.write(`coroner: ${error.message}\n`);
    if (error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`);
    return error.exitCode;
  }
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'EMFILE' || code === 'ENFILE') {
    // Node loads modules many at a time: it needs some thirty descriptors to start at all.
    process.stderr.write(
      'coroner: too many open files: nothing was started. Allow at least 64 (ulimit -n 64)\n',
    );
    return exitCodes.internal;
  }
  process.stderr.write(
    `coroner: a fault of coroner itself: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return exitCodes.internal;
}

/** `coroner show last | head` must end without a word. */
function endQuietlyOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCodes.done);
  throw error;
}
