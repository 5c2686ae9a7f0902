import { spawn } from 'node:child_process';

/** What a command of the system answered. */
export interface Answer {
  readonly status: 'answered' | 'absent' | 'denied' | 'failed' | 'timed-out';
  readonly stdout: string;
  readonly stderr: string;
  /** More came than was kept. */
  readonly truncated: boolean;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Runs a command and keeps what it says. A test answers in its place. */
export type Ask = (
  command: string,
  args: readonly string[],
  options: AskOptions,
) => Promise<Answer>;

/** Runs a command and hands out its standard output as it comes; ends with how it went. */
export type Listen = (
  command: string,
  args: readonly string[],
  options: AskOptions,
) => { readonly chunks: AsyncIterable<Uint8Array>; readonly answer: Promise<Answer> };

const deniedText =
  /permission denied|not permitted|must be root|access denied|insufficient permissions/i;

export const listen: Listen = (command, args, { timeoutMs, maxBytes }) => {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // The words are recognised, so they must not be translated.
    env: { ...process.env, LC_ALL: 'C', SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' },
  });
  let stderr = '';
  let spawnError: NodeJS.ErrnoException | null = null;
  let timedOut = false;
  let truncated = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  child.stderr.on('data', (data: Buffer) => {
    if (stderr.length < 4096) stderr += String(data).slice(0, 4096);
  });
  const closed = new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      spawnError = error;
      resolve(null);
    });
    child.on('close', resolve);
  });
  const chunks = (async function* () {
    let bytes = 0;
    try {
      for await (const chunk of child.stdout) {
        bytes += (chunk as Buffer).length;
        yield chunk as Uint8Array;
        if (bytes > maxBytes) {
          truncated = true;
          return;
        }
      }
    } catch {
      // A pipe that breaks is an answer that is cut short.
    } finally {
      child.kill('SIGKILL');
    }
  })();
  const answer = closed.then((code): Answer => {
    clearTimeout(timer);
    const status =
      spawnError !== null
        ? spawnError.code === 'ENOENT'
          ? 'absent'
          : spawnError.code === 'EACCES'
            ? 'denied'
            : 'failed'
        : timedOut
          ? 'timed-out'
          : code === 0 || truncated
            ? 'answered'
            : deniedText.test(stderr)
              ? 'denied'
              : 'failed';
    return { status, stdout: '', stderr: stderr.trim(), truncated };
  });
  return { chunks, answer };
};

export const ask: Ask = async (command, args, options) => {
  const { chunks, answer } = listen(command, args, options);
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return { ...(await answer), stdout: Buffer.concat(parts).toString('utf8') };
};
