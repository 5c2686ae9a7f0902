/** Platforms with a memory size of their own: Heroku, Lambda, Cloud Run and Functions, App Engine, ECS, Cloud Foundry, Azure, Render, Fly, notebooks, CI (U14, U15). */
import type { Evidence, KillerRecord } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { elsewhere, lineAt, mentions, type Found } from '../text/lines.ts';
import { readKillers, type KillerWording } from '../text/killers.ts';
import { readNotices, type NoticeWording } from '../text/notices.ts';
import { sizeBytes } from '../text/sizes.ts';

const id = 'platforms';
const platform = { cause: 'platform-limit', owner: 'platform' } as const;

const kills: readonly KillerWording[] = [
  // Heroku: R14 lives and swaps, R15 is killed
  {
    ...platform,
    by: 'heroku',
    death: 'slow',
    variant: 'R14',
    needle: 'R14',
    pattern: /(?:heroku\[(?<subject>[\w.-]{1,60})\]: )?Error R14 \(Memory quota exceeded\)/,
    says: 'Heroku R14: the dyno is over its memory quota and swaps',
    refine: herokuQuota,
  },
  {
    ...platform,
    by: 'heroku',
    variant: 'R15',
    needle: 'R15',
    pattern: /(?:heroku\[(?<subject>[\w.-]{1,60})\]: )?Error R15 \(Memory quota vastly exceeded\)/,
    says: 'Heroku R15: the dyno was far over its memory quota and was killed',
    refine: herokuQuota,
  },
  {
    ...platform,
    by: 'heroku',
    death: 'slow',
    variant: 'R14',
    needle: 'R14',
    pattern: /\bR14\b.{0,40}[Mm]emory quota exceeded/,
    says: 'Heroku R14: the dyno is over its memory quota and swaps',
    refine: herokuQuota,
  },
  // AWS Lambda
  {
    ...platform,
    by: 'aws-lambda',
    needle: 'signal: killed',
    pattern:
      /(?:RequestId: (?<subject>[\w-]{1,60}) )?(?:Error: )?Runtime exited with error: signal: killed/,
    says: "Lambda's runtime was killed, which the platform does when the function outgrows its memory size",
    refine: lambdaSize,
  },
  {
    ...platform,
    by: 'aws-lambda',
    needle: 'Runtime.OutOfMemory',
    pattern: /Runtime\.OutOfMemory(?:.{0,80}Error Type: Runtime\.OutOfMemory)?/,
    says: 'Lambda says that the function was out of memory',
    refine: lambdaSize,
  },
  {
    ...platform,
    by: 'aws-lambda',
    needle: 'Max Memory Used',
    pattern:
      /REPORT RequestId: (?<subject>[\w-]{1,60}).{0,120}?Memory Size: (?<limit>\d{1,6} MB).{0,20}?Max Memory Used: (?<used>\d{1,6} MB)/,
    says: "Lambda's report: the function used all of its memory size",
    refine: lambdaReport,
  },
  // Google
  {
    ...platform,
    by: 'cloud-run',
    needle: 'emory limit of',
    pattern:
      /[Mm]emory limit of (?<limit>[\d.]{1,10} ?(?:[KMG]i?B?|bytes)) exceeded with (?<used>[\d.]{1,10} ?(?:[KMG]i?B?|bytes)) used/,
    says: 'Cloud Run says that the instance was over its memory limit',
  },
  {
    ...platform,
    by: 'cloud-run',
    needle: 'out of memory',
    pattern:
      /(?:Container|The container instance) (?:called exit|was found to be using too much memory|terminated).{0,80}(?:out of memory|too much memory)/,
    says: 'Cloud Run says that the instance used too much memory',
  },
  {
    ...platform,
    by: 'cloud-run',
    needle: 'using too much memory',
    pattern: /was found to be using too much memory and was terminated/,
    says: 'the platform says that the instance used too much memory',
  },
  {
    ...platform,
    by: 'cloud-functions',
    needle: 'memory limit exceeded',
    pattern:
      /(?:Function (?:invocation|execution) (?:was interrupted|took).{0,40})?Error: memory limit exceeded/,
    says: 'Cloud Functions says that the memory limit was exceeded',
  },
  {
    ...platform,
    by: 'app-engine',
    needle: 'soft',
    pattern:
      /Exceeded (?:soft|hard) (?:private )?memory limit of (?<limit>[\d.]{1,10} MB) with (?<used>[\d.]{1,10} MB) after servicing/,
    says: 'App Engine says that the instance was over its memory limit',
  },
  {
    ...platform,
    by: 'app-engine',
    needle: 'Exceeded hard memory limit',
    pattern:
      /Exceeded hard (?:private )?memory limit of (?<limit>[\d.]{1,10} ?M[iB]?B?) with (?<used>[\d.]{1,10} ?M[iB]?B?)/,
    says: 'App Engine says that the instance was over its memory limit',
  },
  // AWS ECS, Batch, SageMaker, Glue
  {
    ...platform,
    by: 'aws-ecs',
    needle: 'OutOfMemoryError: Container killed',
    pattern: /OutOfMemoryError: Container killed due to (?:high )?memory usage/,
    says: 'ECS says that the container was killed for its memory usage',
  },
  {
    ...platform,
    by: 'aws-ecs',
    needle: 'OutOfMemory',
    pattern:
      /(?:stoppedReason|reason|Status reason)["': ]{1,4}OutOfMemory(?:Error)?: ?(?:Container killed.{0,40})?/,
    says: 'ECS gives OutOfMemory as the reason',
  },
  {
    ...platform,
    by: 'aws-ecs',
    needle: 'high memory',
    pattern: /(?:Environment health|Instance).{0,80}(?:terminated|replaced) due to high memory/i,
    says: 'the platform says that memory was the reason',
  },
  {
    ...platform,
    by: 'sagemaker',
    needle: 'instance type with more memory',
    pattern: /Please use an instance type with more memory.{0,80}/,
    says: 'SageMaker says that the instance had too little memory',
  },
  {
    by: 'fly.io',
    cause: 'kernel-global-oom',
    owner: 'host',
    witness: 'indirect',
    needle: 'oom_killed',
    pattern: /"?oom_killed"?[=:] ?true/,
    says: 'Fly tells that the kernel of the machine killed a process for its memory',
  },
  {
    by: 'fly.io',
    cause: 'kernel-global-oom',
    owner: 'host',
    witness: 'indirect',
    needle: 'to have been OOM killed',
    pattern: /Process appears to have been OOM killed!?/,
    says: 'Fly tells that the kernel of the machine killed a process for its memory',
  },
  // Cloud Foundry and others
  {
    ...platform,
    by: 'cloud-foundry',
    needle: '(out of memory)',
    pattern: /(?:Exited with status \d{1,3}|exit_description["': ]{1,4}.{0,20}) ?\(out of memory\)/,
    says: 'Cloud Foundry says that the instance was out of memory',
  },
  {
    ...platform,
    by: 'render',
    needle: 'out of memory (used over',
    pattern: /(?:Ran|ran) out of memory \(used over (?<limit>[\d.]{1,10} ?[KMG]i?B)\)/,
    says: 'Render says that the instance was over its memory limit',
  },
  {
    ...platform,
    by: 'render',
    needle: 'memory limit',
    pattern:
      /(?:Web Service|Background Worker|Service|Instance|instance|An instance of your .{1,40}) (?:\S{1,80} )?exceeded its memory limit/,
    says: 'the platform says that the instance was over its memory limit',
  },
  {
    ...platform,
    by: 'hugging-face',
    needle: 'emory limit exceeded (',
    pattern: /(?:Reason: )?Memory limit exceeded \((?<limit>[\d.]{1,8} ?[KMG]i?B?)\)/,
    says: 'the platform says that the container was over its memory limit',
  },
  {
    ...platform,
    by: 'railway',
    needle: 'Ran Out of Memory',
    pattern: /Deploy(?:ment)? Ran Out of Memory/,
    says: 'Railway says that the deployment was over its memory limit',
  },
  {
    ...platform,
    by: 'azure',
    needle: "'Percent Memory' limit",
    pattern: /(?<name>[\w.-]{1,40}) requested recycle due to 'Percent Memory' limit/,
    says: 'App Service recycled the worker because it was over its share of the memory',
  },
  {
    ...platform,
    by: 'vercel',
    needle: 'memory',
    pattern:
      /(?:Serverless|Vercel|Lambda) [Ff]unction.{0,80}(?:ran out of memory|exceeded (?:the )?(?:maximum )?memory).{0,60}/,
    says: 'the platform says that the function ran out of memory',
  },
  {
    ...platform,
    by: 'cloudflare',
    needle: 'exceeded its memory limit',
    pattern:
      /Worker (?:exceeded|exceeding) its memory limit|Worker's? isolate exceeded its memory limit/,
    says: 'Cloudflare says that the worker was over its memory limit',
  },
  {
    ...platform,
    by: 'cloudflare',
    needle: 'exceededMemory',
    pattern: /"outcome": ?"exceededMemory"/,
    says: 'Cloudflare says that the worker was over its memory limit',
  },
  {
    ...platform,
    by: 'streamlit',
    needle: 'resource limits',
    pattern: /(?:app|App) (?:is over|has gone over|went over) its resource limits/,
    says: 'Streamlit says that the app is over its resource limits',
  },
  {
    ...platform,
    by: 'azure',
    needle: 'emory',
    pattern:
      /(?:Azure Functions?|Function host|worker process).{0,80}(?:terminated|restarted).{0,60}(?:memory limit|out of memory|high memory)/i,
    says: 'Azure says that memory was the reason',
  },
  {
    ...platform,
    by: 'pythonanywhere',
    needle: 'killed because it was using too much memory',
    pattern: /killed because it was using too much memory/,
    says: 'the platform says that the process used too much memory',
  },
  {
    ...platform,
    by: 'binder',
    needle: 'memory limit',
    pattern: /(?:Your server|kernel).{0,60}(?:memory limit).{0,40}(?:exceeded|reached|restart)/i,
    says: 'the notebook server says that its memory limit was reached',
  },
  // Notebooks
  {
    ...platform,
    by: 'colab',
    needle: 'after using all available RAM',
    pattern: /session crashed after using all available RAM/,
    says: 'Colab says that the session used all RAM',
  },
  {
    ...platform,
    by: 'kaggle',
    needle: 'allocate more memory than is available',
    pattern: /[Yy]our notebook tried to allocate more memory than is available/,
    says: 'Kaggle says that the notebook asked for more memory than there is',
  },
  {
    ...platform,
    by: 'databricks',
    needle: 'out of memory',
    pattern:
      /(?:The )?(?:Python kernel|(?<!(?:CUDA|GPU|NVIDIA|HIP|graphics|display) )\b[Dd]river\b(?!API| error)|spark driver)[^:(]{0,80}(?:out of memory|is under memory pressure|unresponsive.{0,40}memory).{0,60}/,
    says: 'Databricks says that memory was the reason',
  },
  {
    ...platform,
    by: 'snowflake',
    needle: 'available memory was exhausted',
    pattern: /Function available memory was exhausted/,
    says: 'Snowflake says that the function used all its memory',
  },
  {
    ...platform,
    by: 'bigquery',
    needle: 'Resources exceeded',
    pattern: /Resources exceeded during query execution: .{0,80}(?:memory).{0,60}/,
    says: 'BigQuery says that the query used too much memory',
  },
  // CI
  {
    ...platform,
    by: 'bitbucket-pipelines',
    needle: 'exceeded memory limit',
    pattern: /Container '(?<subject>[\w-]{1,60})' exceeded memory limit/,
    says: 'Bitbucket says that the container was over its memory limit',
  },
  {
    ...platform,
    by: 'read-the-docs',
    needle: 'excessive memory',
    pattern: /(?:Command killed|build).{0,60}(?:due to )?excessive memory (?:consumption|usage)/,
    says: 'Read the Docs says that the build used too much memory',
  },
  {
    ...platform,
    by: 'circleci',
    needle: 'emory',
    pattern:
      /(?:[Yy]our|[Tt]he) build (?:has )?(?:ran|run) out of memory|(?:build|container) (?:hit|exceeded|reached) its memory limit.{0,60}/,
    says: 'the CI says that the build ran out of memory',
  },
  {
    ...platform,
    by: 'netlify',
    needle: 'Build exceeded maximum allowed memory',
    pattern: /Build exceeded maximum allowed memory/,
    says: 'the CI says that the build used too much memory',
  },
];

const multiples: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** `Process running mem=646M(126.2%)` just before tells used and quota. */
function herokuQuota(
  { input, index, groups }: Found,
  record: KillerRecord,
): KillerRecord | undefined {
  // a sentence about R14 is no record: one must have been printed
  if (groups['subject'] === undefined && !mentions(input, /mem=|heroku|dyno/i)) return undefined;
  for (let at = index; at >= Math.max(0, index - 12); at -= 1) {
    const match = /mem=(\d{1,9})([KMG])\((\d{1,6}\.?\d{0,3})%\)/.exec(lineAt(input, at));
    if (match === null) continue;
    const used = Number(match[1]) * multiples[match[2]!]!;
    const percent = Number(match[3]);
    const quota = (used * 100) / percent;
    // Quotas are round: 512 MB, 1 GB, 2.5 GB, 14 GB. The percentage has one digit.
    const step = quota > 2 * 1024 ** 3 ? 512 * 1024 ** 2 : 256 * 1024 ** 2;
    const round = Math.round(quota / step) * step;
    const bytes = round > 0 && Math.abs(round - quota) / quota < 0.01 ? round : Math.round(quota);
    return { ...record, usedBytes: used, limit: { owner: 'platform', path: 'dyno quota', bytes } };
  }
  return record;
}

/** The function's size: from its report, or where the text names it. */
function lambdaSize({ input }: Found, record: KillerRecord): KillerRecord | undefined {
  // Far from full when it was killed: something else killed it.
  const report = elsewhere(
    input,
    /Memory\s+Size:\s+(\d{1,6})\s?MB\s+Max\s+Memory\s+Used:\s+(\d{1,6})\s?MB/,
  );
  if (report !== null && Number(report[2]) < Number(report[1]) * 0.7) return undefined;
  const match =
    elsewhere(input, /Memory Size: (\d{1,6}) ?MB/) ??
    elsewhere(
      input,
      /(?:default(?: of)?|memory(?: size| limit)?(?: of| was| is| =|:)?|MemorySize["':= ]{1,4}|memory_size ?= ?) ?(\d{3,5}) ?MB?\b/i,
    ) ??
    elsewhere(input, /\b(\d{3,5}) ?MB (?:of )?(?:memory|RAM|default)/i);
  const bytes = match === null ? undefined : sizeBytes(`${match[1]} MB`);
  return bytes === undefined
    ? record
    : { ...record, limit: { owner: 'platform', path: 'memory size', bytes } };
}

/** A report of a healthy call says the same words: only a full one is evidence. */
function lambdaReport({ passage }: Found, record: KillerRecord): KillerRecord | undefined {
  const { usedBytes, limit } = record;
  if (usedBytes === undefined || limit?.bytes == null || usedBytes < limit.bytes) return undefined;
  return /Status: timeout/.test(passage) ? undefined : { ...record, witness: 'indirect' };
}

const endings: readonly NoticeWording[] = [
  {
    by: 'aws-lambda',
    needle: 'signal: killed',
    signal: 'SIGKILL',
    pattern: /Runtime exited with error: signal: killed/,
  },
  {
    by: 'aws-lambda',
    needle: 'Task timed out after',
    signal: 'SIGKILL',
    otherReason: 'its timeout',
    pattern: /Task timed out after [\d.]{1,10} seconds/,
  },
  {
    by: 'aws-ecs',
    needle: 'health checks',
    signal: 'SIGKILL',
    otherReason: 'its health checks failed',
    pattern: /Task failed (?:container|ELB) health checks|\(reason Health checks failed/,
  },
  {
    by: 'aws-ecs',
    needle: 'Scaling activity initiated by',
    signal: 'SIGTERM',
    otherReason: 'the service was scaled or deployed anew',
    pattern: /Scaling activity initiated by \(?deployment/,
  },
  {
    by: 'Databricks',
    needle: 'driver has stopped unexpectedly',
    vanished: true,
    pattern: /[Ss]park driver has stopped unexpectedly/,
  },
  {
    by: 'heroku',
    needle: 'H12',
    exitCode: 0,
    signal: 'SIGTERM',
    otherReason: 'a request timeout (H12)',
    pattern: /Error H12 \(Request timeout\)|code=H12 desc="Request timeout"/,
  },
  {
    by: 'heroku',
    needle: 'R12',
    signal: 'SIGKILL',
    otherReason: 'it did not stop in time (R12)',
    pattern: /Error R12 \(Exit timeout\)/,
  },
  {
    by: 'GitHub Actions',
    needle: 'has received a shutdown signal',
    signal: 'SIGTERM',
    pattern: /The runner has received a shutdown signal/,
  },
  {
    by: 'GitHub Actions',
    needle: 'lost communication with the server',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern:
      /(?:The (?:hosted|self-hosted) runner:? .{0,80})?lost communication with the server.{0,240}/,
  },
  {
    by: 'CI',
    needle: 'time limit',
    signal: 'SIGKILL',
    otherReason: 'a time limit',
    pattern:
      /(?:The job (?:running on runner .{0,80} )?has exceeded the maximum execution time|Job's? (?:exceeded|timed out).{0,60}time limit|execution took longer than .{1,40} seconds)/,
  },
  {
    by: 'CI',
    needle: 'maximum execution time',
    signal: 'SIGKILL',
    otherReason: 'a time limit',
    pattern: /has exceeded the maximum execution time of .{1,40}/,
  },
  {
    by: 'GitHub Actions',
    needle: 'The operation was canceled',
    signal: 'SIGKILL',
    otherReason: 'the run was cancelled',
    // Said too where the runner itself was shut down, by whomever.
    unless: ({ input }) => mentions(input, /runner has received a shutdown signal/),
    pattern: /The operation was canceled\./,
  },
  {
    by: 'CircleCI',
    needle: "Received 'killed' signal",
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /Received "?'?killed'?"? signal/,
  },
  {
    by: 'Termux',
    needle: '[Process completed (signal 9)',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /\[Process completed \(signal 9\) - press Enter\]/,
  },
];

export const platforms: Parser = {
  id,
  title:
    'Heroku, Lambda, Cloud Run, ECS and other platforms, notebooks and CI: ended at their memory limit',
  needles: [...new Set([...kills, ...endings].map(({ needle }) => needle))],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  const records = [...readKillers(input, id, kills)];
  yield* records;
  if (records.length === 0) yield* readNotices(input, id, endings);
}
