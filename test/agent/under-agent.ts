/** Runs a program under the agent alone, without a recorder, and reads what it left. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentCompanion, agentFor, type AgentOptions } from '../../src/record/agent.ts';
import { ask, AskFile, type Ask } from '../../src/record/final-snapshot/ask-file.ts';
import { readAgentFiles } from '../../src/gather/incident-folder/agent-files.ts';
import type { AgentFile } from '../../src/parsers/formats/agent-file/facts.ts';

export interface UnderAgent {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: readonly AgentFile[];
  /** Only with `answering`: until when somebody had promised to answer at the end, as the `tree` file has it; 0: nobody. */
  readonly promisedUntilNs?: bigint;
  /** Only with `answering`: who waits still, by that file; 0: nobody. */
  readonly waitingPid?: number;
}
export interface UnderAgentOptions extends Partial<Omit<AgentOptions, 'command'>> {
  readonly env?: Readonly<Record<string, string>>;
  /** Put before the command: enters a cgroup or sets a limit. */
  readonly enter?: readonly string[];
  readonly timeoutMs?: number;
  readonly cwd?: string;
  /** Somebody promises to answer who is asked for a snapshot, and answers by calling this; null: and never does. */
  readonly answering?: ((ask: Ask) => void) | null;
}

export async function underAgent(
  command: readonly [string, ...string[]],
  {
    env: extra = {},
    enter = [],
    timeoutMs = 60_000,
    cwd,
    answering,
    ...options
  }: UnderAgentOptions = {},
): Promise<UnderAgent> {
  const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
  mkdirSync(join(folder, 'agent'));
  try {
    const env: NodeJS.ProcessEnv = { ...process.env, ...extra };
    agentCompanion({ ...options, command }).prepare?.(env, folder, folder);
    const stopAnswering = answering === undefined ? () => {} : answer(folder, answering);
    const [file = '', ...args] = [...enter, ...command];
    const child = spawn(file, args, {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code, name) => resolve([code, name]));
      },
    );
    clearTimeout(timer);
    stopAnswering();
    return {
      exitCode,
      signal,
      stdout,
      stderr,
      files: readAgentFiles(folder).snapshots.map(({ file: found }) => found),
      ...(answering === undefined ? {} : waitingIn(folder)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function waitingIn(folder: string): Pick<UnderAgent, 'promisedUntilNs' | 'waitingPid'> {
  const tree = readFileSync(join(folder, 'agent/tree'));
  return {
    promisedUntilNs: tree.readBigUInt64LE(ask.until),
    waitingPid: tree.readUInt32LE(ask.pid),
  };
}

/** Returns what ends it. */
function answer(folder: string, answering: ((ask: Ask) => void) | null): () => void {
  const file = AskFile.open(folder, 4096);
  if (file === null) throw new Error('the agent has no tree file');
  file.promise(600_000);
  const timer = setInterval(() => {
    const waiting = file.read()?.ask ?? null;
    if (waiting === null || answering === null) return;
    answering(waiting);
    file.answer(0);
  }, 1);
  return () => {
    clearInterval(timer);
    file.leave();
  };
}

/** Why no agent can be preloaded here; null: it can. */
export const noAgent = (program: string): string | null => {
  const found = agentFor([program], process.env);
  return 'lacks' in found ? found.lacks : null;
};
