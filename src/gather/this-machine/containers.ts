import type { Evidence } from '../../model/evidence.ts';
import type { SourceReport } from '../../model/report.ts';
import type { Machine } from './machine.ts';
import type { Gathered } from '../../model/gathered.ts';

const timeoutMs = 2000;
const maxContainers = 200;
const maxBytes = 32 << 20;

/** Runtimes in which a container's record may say how it ended. */
const runtimes = [
  { command: 'docker', list: ['ps', '--all', '--quiet', '--no-trunc'], inspect: ['inspect'] },
  { command: 'podman', list: ['ps', '--all', '--quiet', '--no-trunc'], inspect: ['inspect'] },
  { command: 'nerdctl', list: ['ps', '--all', '--quiet', '--no-trunc'], inspect: ['inspect'] },
  { command: 'crictl', list: ['ps', '--all', '--quiet'], inspect: ['inspect'] },
] as const;

/** Every runtime that answers within two seconds; those that are not installed are not mentioned. */
export async function gatherContainers({ ask, readStream }: Machine): Promise<Gathered> {
  const parts = await Promise.all(
    runtimes.map(async ({ command, list, inspect }): Promise<Gathered> => {
      const listed = await ask(command, list, { timeoutMs, maxBytes: 1 << 20 });
      if (listed.status === 'absent') return { evidence: [], sources: [] };
      if (listed.status !== 'answered')
        return {
          evidence: [],
          sources: [
            {
              id: command,
              place: `${command} ps`,
              status: listed.status === 'denied' ? 'denied' : 'absent',
              detail:
                listed.status === 'timed-out'
                  ? 'it did not answer within 2 s'
                  : (listed.stderr.split('\n')[0] ?? ''),
              ...(listed.status === 'denied'
                ? { command: `sudo ${command} inspect CONTAINER | coroner diagnose -` }
                : {}),
            },
          ],
        };
      const ids = listed.stdout
        .split('\n')
        .filter((id) => /^[0-9a-f]{12,64}$/.test(id))
        .slice(0, maxContainers);
      if (ids.length === 0)
        return {
          evidence: [],
          sources: [
            { id: command, place: `${command} ps`, status: 'read', detail: 'it has no containers' },
          ],
        };
      const answer = await ask(command, [...inspect, ...ids], {
        timeoutMs: timeoutMs * 2,
        maxBytes,
      });
      const evidence: Evidence[] = [];
      const sources: SourceReport[] = [];
      if (answer.stdout !== '')
        evidence.push(...(await readStream(one(answer.stdout), `${command} inspect`)).evidence);
      sources.push({
        id: command,
        place: `${command} inspect`,
        status: answer.status === 'answered' ? 'read' : 'truncated',
        detail: `${ids.length} containers`,
      });
      return { evidence, sources };
    }),
  );
  return {
    evidence: parts.flatMap(({ evidence }) => evidence),
    sources: parts.flatMap(({ sources }) => sources),
  };
}

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
