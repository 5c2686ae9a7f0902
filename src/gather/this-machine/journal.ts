import type { Machine } from './machine.ts';
import type { Gathered, Wanted } from '../../model/gathered.ts';

/** Only what the parsers read: entries with all their fields are ten times as large. */
const fields = [
  'MESSAGE',
  'MESSAGE_ID',
  'PRIORITY',
  'SYSLOG_IDENTIFIER',
  '_TRANSPORT',
  '_PID',
  '_COMM',
  '_SYSTEMD_UNIT',
  'UNIT',
  'USER_UNIT',
  '_SOURCE_MONOTONIC_TIMESTAMP',
  '_HOSTNAME',
  'UNIT_RESULT',
  'EXIT_CODE',
  'EXIT_STATUS',
  'COREDUMP_PID',
  'COREDUMP_UID',
  'COREDUMP_COMM',
  'COREDUMP_EXE',
  'COREDUMP_CMDLINE',
  'COREDUMP_SIGNAL',
  'COREDUMP_SIGNAL_NAME',
  'COREDUMP_TIMESTAMP',
  'COREDUMP_FILENAME',
  'COREDUMP_TRUNCATED',
  'COREDUMP_PROC_STATUS',
  'COREDUMP_PROC_LIMITS',
];
/** The kernel, who ends processes for their memory, who dumps cores; `+` is journalctl's "or". */
const matches = [
  '_TRANSPORT=kernel',
  ...[
    'systemd',
    'systemd-oomd',
    'earlyoom',
    'nohang',
    'oomd',
    'systemd-coredump',
    'kubelet',
    'dockerd',
    'containerd',
    'slurmstepd',
  ].map((name) => `SYSLOG_IDENTIFIER=${name}`),
].flatMap((match, index) => (index === 0 ? [match] : ['+', match]));

/** `-- No entries --` and `-- Logs begin at ...`: shorter than any entry as JSON. */
const lessThanAnEntry = 150;

const timeoutMs = 120_000;
const maxBytes = 2 * 2 ** 30;

/** The journal of all boots, or of the one that was asked for. */
export async function gatherJournal(machine: Machine): Promise<Gathered> {
  // Not --quiet: it also keeps quiet about journals that may not be read.
  const args = [
    '--no-pager',
    '--output=json',
    `--output-fields=${fields.join(',')}`,
    ...timeArguments(machine.wanted),
    ...matches,
  ];
  const { chunks, answer } = machine.listen('journalctl', args, { timeoutMs, maxBytes });
  const counted = { bytes: 0 };
  const part = await machine.readStream(counting(chunks, counted), 'journal');
  const { status, stderr, truncated } = await answer;
  const readable = 'sudo usermod -aG systemd-journal $USER';
  const report =
    status === 'absent'
      ? { status: 'absent' as const, detail: 'there is no journalctl here' }
      : status === 'denied' || /not seeing messages from other users/i.test(stderr)
        ? {
            status: 'denied' as const,
            detail: 'only the messages of this user may be read',
            command: readable,
          }
        : /no journal files were (?:found|opened)/i.test(stderr) && counted.bytes < lessThanAnEntry
          ? { status: 'absent' as const, detail: 'no journal files were found' }
          : status === 'timed-out' || truncated
            ? {
                status: 'truncated' as const,
                detail: `reading ended after ${counted.bytes} bytes`,
                command: 'coroner diagnose --since yesterday',
              }
            : status === 'failed'
              ? {
                  status: 'malformed' as const,
                  detail: stderr.split('\n')[0] ?? 'journalctl failed',
                }
              : {
                  status: 'read' as const,
                  detail:
                    counted.bytes < lessThanAnEntry
                      ? 'it holds nothing of the kernel or a memory guard'
                      : `${machine.wanted.boot === undefined ? 'all boots' : `boot ${machine.wanted.boot}`}`,
                };
  return { evidence: part.evidence, sources: [{ id: 'journal', place: 'journalctl', ...report }] };
}

export function timeArguments({ since, until, boot }: Wanted): readonly string[] {
  const seconds = (date: Date) => `@${Math.floor(date.getTime() / 1000)}`;
  return [
    ...(since === undefined ? [] : [`--since=${seconds(since)}`]),
    ...(until === undefined ? [] : [`--until=${seconds(until)}`]),
    ...(boot === undefined ? [] : [`--boot=${boot}`]),
  ];
}

async function* counting(
  chunks: AsyncIterable<Uint8Array>,
  counted: { bytes: number },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    counted.bytes += chunk.length;
    yield chunk;
  }
}
