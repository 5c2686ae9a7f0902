/** What servers and workflow engines say of a worker or task that died: gunicorn, uWSGI, celery, Airflow, Dagster, Prefect, … */
import { defined } from '../../model/defined.ts';
import type { DeathNotice } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { mentions, wholeText } from '../text/lines.ts';
import { readNotices, type NoticeWording } from '../text/notices.ts';

const id = 'app-servers';

const wordings: readonly NoticeWording[] = [
  {
    reporter: 'gunicorn',
    literal: 'was sent SIGKILL',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /Worker \(pid:(?<pid>\d{1,9})\) was sent SIGKILL! Perhaps out of memory\?/,
  },
  {
    reporter: 'gunicorn',
    literal: 'was terminated due to signal',
    guessesMemory: true,
    pattern: /Worker with pid (?<pid>\d{1,9}) was terminated due to signal (?<signal>\d{1,2})/,
  },
  {
    reporter: 'gunicorn',
    literal: 'was sent SIGTERM',
    signal: 'SIGTERM',
    otherReason: 'it was asked to end (SIGTERM), which no OOM killer does',
    pattern: /Worker \(pid:(?<pid>\d{1,9})\) was sent SIGTERM!/,
  },
  {
    reporter: 'gunicorn',
    literal: 'was sent SIG',
    pattern: /Worker \(pid:(?<pid>\d{1,9})\) was sent (?<signal>SIG(?!KILL|TERM)[A-Z]+)!/,
  },
  {
    reporter: 'gunicorn',
    literal: 'WORKER TIMEOUT',
    signal: 'SIGABRT',
    otherReason: 'timeout',
    pattern: /WORKER TIMEOUT \(pid:(?<pid>\d{1,9})\)/,
  },
  {
    reporter: 'uWSGI',
    literal: 'DAMN ! ',
    guessesMemory: true,
    pattern:
      /DAMN ! (?<name>worker \d{1,4}) \(pid: (?<pid>\d{1,9})\) died(?: :|, killed by signal (?<signal>\d{1,2}))/,
  },
  {
    reporter: 'uWSGI',
    literal: 'HARAKIRI',
    signal: 'SIGKILL',
    otherReason: 'timeout (harakiri)',
    pattern: /HARAKIRI ON WORKER \d{1,4} \(pid: (?<pid>\d{1,9})/,
  },
  {
    reporter: 'celery',
    literal: "exited with 'exitcode 155'",
    exitCode: 155,
    otherReason:
      'recycled by worker_max_memory_per_child or worker_max_tasks_per_child: not a kill',
    pattern: /Process '(?<name>[\w-]{1,60})' pid:(?<pid>\d{1,9}) exited with 'exitcode 155'/,
  },
  {
    reporter: 'celery',
    literal: "exited with 'exitcode 0'",
    exitCode: 0,
    otherReason: 'it ended by itself (exit status 0)',
    pattern: /Process '(?<name>[\w-]{1,60})' pid:(?<pid>\d{1,9}) exited with 'exitcode 0'/,
  },
  {
    reporter: 'celery',
    literal: 'Timed out waiting for UP message',
    signal: 'SIGKILL',
    otherReason: 'celery gave up waiting for it to start (worker_proc_alive_timeout)',
    pattern:
      /Timed out waiting for UP message from <\w{1,40}Process\((?<name>[\w-]{1,60}), .{1,60}?\)>/,
  },
  {
    reporter: 'celery',
    literal: "exited with 'signal",
    guessesMemory: true,
    pattern:
      /Process '(?<name>[\w-]{1,60})' pid:(?<pid>\d{1,9}) exited with 'signal \d{1,2} \((?<signal>SIG[A-Z]+)\)'/,
  },
  {
    reporter: 'celery',
    literal: 'Worker exited prematurely',
    guessesMemory: true,
    pattern: /Worker exited prematurely: signal \d{1,2} \((?<signal>SIG[A-Z]+)\)/,
    unless: ({ input }) => mentions(input, /exited with 'signal/),
  },
  {
    reporter: 'celery',
    literal: 'Worker exited prematurely: exitcode',
    otherReason: 'it ended by itself, with an exit status of its own',
    pattern: /Worker exited prematurely: exitcode (?<code>\d{1,3})(?= |\.|$)/,
    unless: ({ input, groups }) =>
      Number(groups['code']) > 128 || mentions(input, /exited with 'exitcode/),
  },
  {
    reporter: 'celery',
    literal: 'Hard time limit',
    signal: 'SIGKILL',
    otherReason: 'time limit',
    pattern: /Hard time limit \([\d.]{1,12}s?\) exceeded for .{1,80}/,
  },
  {
    reporter: 'Airflow',
    literal: 'Negsignal.SIGKILL',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern:
      /(?:return code|exit(?:ed)? (?:with )?(?:return )?code).{0,20}Negsignal\.SIGKILL.{0,60}/,
  },
  {
    reporter: 'Airflow',
    literal: 'Negsignal.SIGKILL',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /Negsignal\.SIGKILL/,
    unless: ({ input }) => mentions(input, /return code.{0,20}Negsignal/),
  },
  {
    reporter: 'Airflow',
    literal: 'signal_name=',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /Process terminated by signal.{0,300}signal_name="?SIGKILL/,
  },
  {
    reporter: 'Airflow',
    literal: 'return code -9',
    exitCode: -9,
    guessesMemory: true,
    pattern: /Task exited with return code (?<code>-9)/,
  },
  {
    reporter: 'Airflow',
    literal: 'Detected zombie job',
    vanished: true,
    pattern: /Detected zombie job/,
  },
  {
    reporter: 'Airflow',
    literal: 'killed before it finished',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /Job \S{1,40} was killed before it finished \(likely due to running out of memory\)/,
  },
  {
    reporter: 'Dagster',
    literal: 'ChildProcessCrash',
    pattern: /ChildProcessCrashException: (?:None|.{0,80}?exit code (?<code>-?\d{1,3})).{0,60}/,
  },
  {
    reporter: 'Dagster',
    literal: 'crashed with exit code',
    pattern:
      /(?:[Ss]ubprocess with pid (?<pid>\d{1,9})|[Mm]ultiprocess executor: child process for step \S{1,80}) (?:crashed|unexpectedly exited) with (?:exit )?code (?<code>-?\d{1,3})/,
  },
  {
    reporter: 'Dagster',
    literal: 'unexpectedly exited with code',
    pattern: /child process for step \S{1,80} unexpectedly exited with code (?<code>-?\d{1,3})/,
  },
  {
    reporter: 'Dagster',
    literal: 'ChildProcessCrashException',
    vanished: true,
    pattern: /ChildProcessCrashException\b(?!: (?:None|.{0,80}exit code))/,
  },
  {
    reporter: 'Prefect',
    literal: 'exited with status code: -9',
    exitCode: -9,
    guessesMemory: true,
    pattern: /Process (?:for flow run )?'?(?<name>[\w-]{0,80})'? ?exited with status code: -9/,
  },
  {
    reporter: 'Luigi',
    literal: 'died unexpectedly with exit code',
    pattern: /died unexpectedly with exit code (?<code>-?\d{1,3})/,
  },
  {
    reporter: 'supervisord',
    literal: 'terminated by SIGKILL',
    signal: 'SIGKILL',
    pattern:
      /(?:INFO |WARN )?exited: (?<name>[\w:.-]{1,80}) \(terminated by SIGKILL(?:; not expected)?\)/,
  },
  {
    reporter: 'supervisord',
    literal: 'terminated by SIG',
    pattern:
      /(?:exited|stopped): (?<name>[\w:.-]{1,80}) \(terminated by (?<signal>SIG(?!KILL)[A-Z]+)/,
  },
  {
    reporter: 'pm2',
    literal: 'via signal [SIGKILL]',
    signal: 'SIGKILL',
    pattern: /App \[(?<name>[\w:. -]{1,80})\] exited with code \[\d+\] via signal \[SIGKILL\]/,
  },
  {
    reporter: 'php-fpm',
    literal: 'exited on signal',
    pattern: /child (?<pid>\d{1,9}) exited on signal \d{1,2} \((?<signal>SIG[A-Z]+)/,
  },
  {
    reporter: 'nginx',
    literal: 'exited on signal',
    pattern: /worker process (?<pid>\d{1,9}) exited on signal (?<signal>\d{1,2})/,
  },
  {
    reporter: 'Apache',
    literal: 'exit signal',
    pattern: /child pid (?<pid>\d{1,9}) exit signal (?<signal>Killed|SEGV|ABRT)/,
  },
  {
    reporter: 'PostgreSQL',
    literal: 'was terminated by signal',
    pattern:
      /(?:server process|background worker.{0,60}|[\w ]{1,40}process) \(PID (?<pid>\d{1,9})\) was terminated by signal (?<signal>\d{1,2})/,
  },
  {
    reporter: 'Sidekiq',
    literal: 'terminated by SIGKILL',
    signal: 'SIGKILL',
    pattern: /Sidekiq.{0,80}terminated by SIGKILL/i,
  },
  {
    reporter: 'Puma',
    literal: 'Terminating timed out worker',
    signal: 'SIGTERM',
    otherReason: 'timeout',
    pattern: /! Terminating timed out worker .{0,80}/,
  },
  {
    reporter: 'systemd',
    literal: "State 'stop-",
    signal: 'SIGKILL',
    otherReason: 'systemd stopped it (stop timeout)',
    pattern: /State 'stop-(?:sigterm|final-sigterm|watchdog)' timed out\. Killing/,
  },
  {
    reporter: 'LLM server',
    literal: 'llama runner process has terminated',
    signal: 'SIGKILL',
    pattern: /llama runner process has terminated: signal: killed/,
  },
];

export const appServers: Parser = {
  id,
  title:
    'Workers and tasks that died, as application servers, task queues and workflow engines tell',
  literals: [...new Set(wordings.map(({ literal }) => literal))],
  parse,
};

function* parse(input: Input): Iterable<DeathNotice> {
  const facts = pairedWithTimeLimits([...readNotices(input, id, wordings)]);
  const timedOut = new Map(
    facts.flatMap((fact) =>
      fact.otherReason !== undefined && fact.pid !== undefined ? [[fact.pid, fact] as const] : [],
    ),
  );
  const byHand = /killed by (?:a|the) user|(?:^|[$#>] ?)kill -(?:9|KILL) /m.test(
    wholeText(input).slice(0, 65_536),
  );
  for (const fact of facts) {
    // gunicorn aborts a stuck worker first, kills it a second later, and then wonders about memory
    const timeout = fact.pid === undefined ? undefined : timedOut.get(fact.pid);
    if (timeout !== undefined && timeout !== fact && fact.otherReason === undefined)
      yield { ...fact, otherReason: timeout.otherReason! };
    else if (byHand && fact.signal === 'SIGKILL' && fact.otherReason === undefined)
      yield { ...fact, otherReason: 'kill -9, named in the same text' };
    else yield fact;
  }
}

/** So many lines lie between celery's word on a time limit and its word on the child that it killed for it. */
const limitLines = 40;

/** celery names the task whose time was over, and a moment later the child that it killed for that: one death. */
function pairedWithTimeLimits(facts: readonly DeathNotice[]): readonly DeathNotice[] {
  const line = ({ origin }: DeathNotice): number => origin.line ?? 0;
  const paired = new Map<DeathNotice, DeathNotice>();
  for (const [at, kill] of facts.entries()) {
    if (kill.reporter !== 'celery' || kill.signal !== 'SIGKILL' || kill.otherReason !== undefined)
      continue;
    const limit = facts.slice(Math.max(0, at - limitLines), at).find(
      (fact) =>
        fact.reporter === 'celery' &&
        fact.otherReason !== undefined &&
        fact.signal === 'SIGKILL' &&
        !paired.has(fact) &&
        (fact.name === undefined || fact.name === kill.name) &&
        fact.pid === undefined &&
        // A log that came newest first has its numbers the other way round.
        Math.abs(line(kill) - line(fact)) <= limitLines,
    );
    if (limit !== undefined) paired.set(limit, kill);
  }
  return facts.map((fact) => {
    const { pid, name } = paired.get(fact) ?? fact;
    return { ...fact, ...defined({ pid, name }) };
  });
}
