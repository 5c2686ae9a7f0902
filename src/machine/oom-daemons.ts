import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceReport } from '../model/report.ts';
import type { Ask } from './ask.ts';

/** Programs that end processes for their memory and tell the journal of it, by name and unit. */
export const oomDaemons = ['earlyoom', 'nohang', 'systemd-oomd', 'oomd'] as const;

/** Those that run on this machine. */
export function runningOomDaemons(procRoot: string): readonly string[] {
  const running = new Set<string>();
  let entries: readonly string[];
  try {
    entries = readdirSync(procRoot);
  } catch {
    return [];
  }
  for (const entry of entries) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const name = readFileSync(join(procRoot, entry, 'comm'), 'utf8').trimEnd();
      if ((oomDaemons as readonly string[]).includes(name)) running.add(name);
    } catch {
      // ended meanwhile
    }
  }
  return [...running];
}

export interface OomDaemonLog {
  readonly text: string;
  readonly source: SourceReport;
}

/** A guard says that it acts, in whichever words: earlyoom, nohang, systemd-oomd, oomd. */
const acts = /ending SIG(?:TERM|KILL)|[Kk]ill(?:ed|ing) |oomd kill/;

/**
 * What the guards wrote into the journal since then. nohang writes its lines half a second after the victim is gone, and the
 * journal is late where memory is short: while nothing tells of an action it is asked again, after each of the pauses.
 */
export async function askOomDaemons(
  daemons: readonly string[],
  sinceSeconds: number,
  pausesMs: readonly number[],
  ask: Ask,
): Promise<OomDaemonLog> {
  // Not --quiet: it also keeps quiet about journals that may not be read.
  const args = [
    '--no-pager',
    '--output=short',
    `--since=@${Math.floor(sinceSeconds)}`,
    ...daemons.flatMap((name, index) => [
      ...(index === 0 ? [] : ['+']),
      `SYSLOG_IDENTIFIER=${name}`,
    ]),
  ];
  const place = `journalctl ${daemons.map((name) => `-u ${name}`).join(' ')}`;
  for (let attempt = 0; ; attempt += 1) {
    const { status, stdout, stderr } = await ask('journalctl', args, {
      timeoutMs: 3000,
      maxBytes: 1 << 20,
    });
    if (status !== 'answered' && status !== 'failed')
      return { text: '', source: { id: 'guards', place, status: 'absent' } };
    if (acts.test(stdout)) return { text: stdout, source: { id: 'guards', place, status: 'read' } };
    // Only who belongs to the group adm or systemd-journal sees what services write.
    if (/not seeing messages from other users|no journal files were opened/i.test(stderr))
      return {
        text: '',
        source: { id: 'guards', place, status: 'denied', command: `sudo ${place} --since -1h` },
      };
    const pauseMs = pausesMs[attempt];
    if (pauseMs === undefined)
      return { text: stdout, source: { id: 'guards', place, status: 'read' } };
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
