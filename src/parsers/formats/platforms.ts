/** Platforms with a memory size of their own: Heroku, Lambda, Cloud Run and Functions, App Engine, ECS, Cloud Foundry, Azure, Render, Fly, notebooks, CI. */
import type { Evidence, KillerRecord, MetricsWindow } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { elsewhere, lineAt, mentions, originOf, type Found } from '../text/lines.ts';
import { readKillers, type KillerWording } from '../text/killers.ts';
import { readNotices, type NoticeWording } from '../text/notices.ts';
import { sizeBytes } from '../text/sizes.ts';

const id = 'platforms';
const platform = { cause: 'platform-limit', owner: 'platform' } as const;

const kills: readonly KillerWording[] = [
  // Heroku: R14 lives and swaps, R15 is killed
  {
    ...platform,
    reporter: 'heroku',
    death: 'slow',
    variant: 'R14',
    literal: 'R14',
    pattern: /(?:heroku\[(?<subject>[\w.-]{1,60})\]: )?Error R14 \(Memory quota exceeded\)/,
    message: 'Heroku R14: the dyno is over its memory quota and swaps',
    refine: herokuQuota,
  },
  {
    ...platform,
    reporter: 'heroku',
    variant: 'R15',
    literal: 'R15',
    pattern: /(?:heroku\[(?<subject>[\w.-]{1,60})\]: )?Error R15 \(Memory quota vastly exceeded\)/,
    message: 'Heroku R15: the dyno was far over its memory quota and was killed',
    refine: herokuQuota,
  },
  {
    ...platform,
    reporter: 'heroku',
    death: 'slow',
    variant: 'R14',
    literal: 'R14',
    pattern: /\bR14\b.{0,40}[Mm]emory quota exceeded/,
    message: 'Heroku R14: the dyno is over its memory quota and swaps',
    refine: herokuQuota,
  },
  // AWS Lambda
  {
    ...platform,
    reporter: 'aws-lambda',
    literal: 'signal: killed',
    pattern:
      /(?:RequestId: (?<subject>[\w-]{1,60}) )?(?:Error: )?Runtime exited with error: signal: killed/,
    message:
      "Lambda's runtime was killed, which the platform does when the function outgrows its memory size",
    refine: lambdaSize,
  },
  {
    ...platform,
    reporter: 'aws-lambda',
    literal: 'Runtime.OutOfMemory',
    pattern: /Runtime\.OutOfMemory(?:.{0,80}Error Type: Runtime\.OutOfMemory)?/,
    message: 'Lambda says that the function was out of memory',
    refine: lambdaSize,
  },
  {
    ...platform,
    reporter: 'aws-lambda',
    literal: 'Max Memory Used',
    pattern:
      /REPORT RequestId: (?<subject>[\w-]{1,60}).{0,120}?Memory Size: (?<limit>\d{1,6} MB).{0,20}?Max Memory Used: (?<used>\d{1,6} MB)/,
    message: "Lambda's report: the function used all of its memory size",
    refine: lambdaReport,
  },
  // Google. Whoever shares a log may mask the figures: XX MiB.
  {
    ...platform,
    reporter: 'cloud-run',
    literal: 'emory limit of',
    pattern:
      /[Mm]emory limit of (?<limit>(?:[\d.]{1,10}|[XxN*#]{1,6}) ?(?:[KMG]i?B?|bytes)) exceeded with (?<used>(?:[\d.]{1,10}|[XxN*#]{1,6}) ?(?:[KMG]i?B?|bytes)) used/,
    message: 'Cloud Run says that the instance was over its memory limit',
  },
  {
    ...platform,
    reporter: 'cloud-run',
    literal: 'out of memory',
    pattern:
      /(?:Container|The container instance) (?:called exit|was found to be using too much memory|terminated).{0,80}(?:out of memory|too much memory)/,
    message: 'Cloud Run says that the instance used too much memory',
  },
  {
    ...platform,
    reporter: 'cloud-run',
    literal: 'using too much memory',
    pattern: /was found to be using too much memory and was terminated/,
    message: 'the platform says that the instance used too much memory',
  },
  {
    ...platform,
    reporter: 'cloud-functions',
    literal: 'memory limit exceeded',
    pattern:
      /(?:Function (?:invocation|execution) (?:was interrupted|took).{0,40})?Error: memory limit exceeded/,
    message: 'Cloud Functions says that the memory limit was exceeded',
  },
  {
    ...platform,
    reporter: 'app-engine',
    literal: 'emory limit of',
    pattern:
      /Exceeded (?:soft|hard) (?:private )?memory limit of (?<limit>(?:[\d.]{1,10}|[XxN*#]{1,6}) MB) with (?<used>(?:[\d.]{1,10}|[XxN*#]{1,6}) MB) after servicing/,
    message: 'App Engine says that the instance was over its memory limit',
  },
  {
    ...platform,
    reporter: 'app-engine',
    literal: 'Exceeded hard memory limit',
    pattern:
      /Exceeded hard (?:private )?memory limit of (?<limit>[\d.]{1,10} ?M[iB]?B?) with (?<used>[\d.]{1,10} ?M[iB]?B?)/,
    message: 'App Engine says that the instance was over its memory limit',
  },
  // AWS ECS, Batch, SageMaker, Glue
  {
    ...platform,
    reporter: 'aws-ecs',
    literal: 'OutOfMemoryError: Container killed',
    pattern: /OutOfMemoryError: Container killed due to (?:high )?memory usage/,
    message: 'ECS says that the container was killed for its memory usage',
  },
  {
    ...platform,
    reporter: 'aws-ecs',
    literal: 'OutOfMemory',
    pattern:
      /(?:stoppedReason|reason|Status reason)["': ]{1,4}OutOfMemory(?:Error)?: ?(?:Container killed.{0,40})?/,
    message: 'ECS gives OutOfMemory as the reason',
  },
  {
    ...platform,
    reporter: 'aws-ecs',
    literal: 'high memory',
    pattern: /(?:Environment health|Instance).{0,80}(?:terminated|replaced) due to high memory/i,
    message: 'the platform says that memory was the reason',
  },
  {
    ...platform,
    reporter: 'sagemaker',
    literal: 'instance type with more memory',
    pattern: /Please use an instance type with more memory.{0,80}/,
    message: 'SageMaker says that the instance had too little memory',
  },
  {
    reporter: 'fly.io',
    cause: 'kernel-global-oom',
    owner: 'host',
    sourceKind: 'indirect',
    literal: 'oom_killed',
    pattern: /"?oom_killed"?[=:] ?true/,
    message: 'Fly tells that the kernel of the machine killed a process for its memory',
  },
  {
    reporter: 'fly.io',
    cause: 'kernel-global-oom',
    owner: 'host',
    sourceKind: 'indirect',
    literal: 'to have been OOM killed',
    pattern: /Process appears to have been OOM killed!?/,
    message: 'Fly tells that the kernel of the machine killed a process for its memory',
  },
  // Cloud Foundry and others
  {
    ...platform,
    reporter: 'cloud-foundry',
    literal: '(out of memory)',
    pattern: /(?:Exited with status \d{1,3}|exit_description["': ]{1,4}.{0,20}) ?\(out of memory\)/,
    message: 'Cloud Foundry says that the instance was out of memory',
  },
  {
    ...platform,
    reporter: 'render',
    literal: 'out of memory (used over',
    pattern: /(?:Ran|ran) out of memory \(used over (?<limit>[\d.]{1,10} ?[KMG]i?B)\)/,
    message: 'Render says that the instance was over its memory limit',
  },
  {
    ...platform,
    reporter: 'render',
    literal: 'memory limit',
    pattern:
      /(?:Web Service|Background Worker|Service|Instance|instance|An instance of your .{1,40}) (?:\S{1,80} )?exceeded its memory limit/,
    message: 'the platform says that the instance was over its memory limit',
  },
  {
    ...platform,
    reporter: 'hugging-face',
    literal: 'emory limit exceeded (',
    pattern: /(?:Reason: )?Memory limit exceeded \((?<limit>[\d.]{1,8} ?[KMG]i?B?)\)/,
    message: 'the platform says that the container was over its memory limit',
  },
  {
    ...platform,
    reporter: 'railway',
    literal: 'Ran Out of Memory',
    pattern: /Deploy(?:ment)? Ran Out of Memory/,
    message: 'Railway says that the deployment was over its memory limit',
  },
  {
    ...platform,
    reporter: 'azure',
    literal: "'Percent Memory' limit",
    pattern: /(?<name>[\w.-]{1,40}) requested recycle due to 'Percent Memory' limit/,
    message: 'App Service recycled the worker because it was over its share of the memory',
  },
  {
    ...platform,
    reporter: 'vercel',
    literal: 'memory',
    pattern:
      /(?:Serverless|Vercel|Lambda) [Ff]unction.{0,80}(?:ran out of memory|exceeded (?:the )?(?:maximum )?memory).{0,60}/,
    message: 'the platform says that the function ran out of memory',
  },
  {
    ...platform,
    reporter: 'cloudflare',
    literal: 'exceeded its memory limit',
    pattern:
      /Worker (?:exceeded|exceeding) its memory limit|Worker's? isolate exceeded its memory limit/,
    message: 'Cloudflare says that the worker was over its memory limit',
  },
  {
    ...platform,
    reporter: 'cloudflare',
    literal: 'exceededMemory',
    pattern: /"outcome": ?"exceededMemory"/,
    message: 'Cloudflare says that the worker was over its memory limit',
  },
  {
    ...platform,
    reporter: 'streamlit',
    literal: 'resource limits',
    pattern: /(?:app|App) (?:is over|has gone over|went over) its resource limits/,
    message: 'Streamlit says that the app is over its resource limits',
  },
  {
    ...platform,
    reporter: 'azure',
    literal: 'emory',
    pattern:
      /(?:Azure Functions?|Function host|worker process).{0,80}(?:terminated|restarted).{0,60}(?:memory limit|out of memory|high memory)/i,
    message: 'Azure says that memory was the reason',
  },
  {
    ...platform,
    reporter: 'pythonanywhere',
    literal: 'killed because it was using too much memory',
    pattern: /killed because it was using too much memory/,
    message: 'the platform says that the process used too much memory',
  },
  {
    ...platform,
    reporter: 'binder',
    literal: 'memory limit',
    pattern: /(?:Your server|kernel).{0,60}(?:memory limit).{0,40}(?:exceeded|reached|restart)/i,
    message: 'the notebook server says that its memory limit was reached',
  },
  // Notebooks
  {
    ...platform,
    reporter: 'colab',
    literal: 'after using all available RAM',
    pattern: /session crashed after using all available RAM/,
    message: 'Colab says that the session used all RAM',
  },
  {
    ...platform,
    reporter: 'kaggle',
    literal: 'allocate more memory than is available',
    pattern: /[Yy]our notebook tried to allocate more memory than is available/,
    message: 'Kaggle says that the notebook asked for more memory than there is',
  },
  {
    ...platform,
    reporter: 'databricks',
    literal: 'out of memory',
    pattern:
      /(?:The )?(?:Python kernel|(?<!(?:CUDA|GPU|NVIDIA|HIP|graphics|display) )\b[Dd]river\b(?!API| error)|spark driver)[^:(]{0,80}(?:out of memory|is under memory pressure|unresponsive.{0,40}memory).{0,60}/,
    message: 'Databricks says that memory was the reason',
  },
  {
    ...platform,
    reporter: 'snowflake',
    literal: 'available memory was exhausted',
    pattern: /Function available memory was exhausted/,
    message: 'Snowflake says that the function used all its memory',
  },
  {
    ...platform,
    reporter: 'bigquery',
    literal: 'Resources exceeded',
    pattern: /Resources exceeded during query execution: .{0,80}(?:memory).{0,60}/,
    message: 'BigQuery says that the query used too much memory',
  },
  // CI
  {
    ...platform,
    reporter: 'bitbucket-pipelines',
    literal: 'exceeded memory limit',
    pattern: /Container '(?<subject>[\w-]{1,60})' exceeded memory limit/,
    message: 'Bitbucket says that the container was over its memory limit',
  },
  {
    ...platform,
    reporter: 'read-the-docs',
    literal: 'excessive memory',
    pattern: /(?:Command killed|build).{0,60}(?:due to )?excessive memory (?:consumption|usage)/,
    message: 'Read the Docs says that the build used too much memory',
  },
  {
    ...platform,
    reporter: 'circleci',
    literal: 'emory',
    pattern:
      /(?:[Yy]our|[Tt]he) build (?:has )?(?:ran|run) out of memory|(?:build|container) (?:hit|exceeded|reached) its memory limit.{0,60}/,
    message: 'the CI says that the build ran out of memory',
  },
  {
    ...platform,
    reporter: 'netlify',
    literal: 'Build exceeded maximum allowed memory',
    pattern: /Build exceeded maximum allowed memory/,
    message: 'the CI says that the build used too much memory',
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
  return /Status: timeout/.test(passage) ? undefined : { ...record, sourceKind: 'indirect' };
}

const endings: readonly NoticeWording[] = [
  {
    reporter: 'aws-lambda',
    literal: 'signal: killed',
    signal: 'SIGKILL',
    pattern: /Runtime exited with error: signal: killed/,
  },
  {
    reporter: 'aws-lambda',
    literal: 'Task timed out after',
    signal: 'SIGKILL',
    otherReason: 'its timeout',
    pattern: /Task timed out after [\d.]{1,10} seconds/,
  },
  {
    reporter: 'aws-ecs',
    literal: 'health checks',
    signal: 'SIGKILL',
    otherReason: 'its health checks failed',
    pattern: /Task failed (?:container|ELB) health checks|\(reason Health checks failed/,
  },
  {
    reporter: 'aws-ecs',
    literal: 'Scaling activity initiated by',
    signal: 'SIGTERM',
    otherReason: 'the service was scaled or deployed anew',
    pattern: /Scaling activity initiated by \(?deployment/,
  },
  {
    reporter: 'Databricks',
    literal: 'driver has stopped unexpectedly',
    vanished: true,
    pattern: /[Ss]park driver has stopped unexpectedly/,
  },
  {
    reporter: 'heroku',
    literal: 'H12',
    exitCode: 0,
    signal: 'SIGTERM',
    otherReason: 'a request timeout (H12)',
    pattern: /Error H12 \(Request timeout\)|code=H12 desc="Request timeout"/,
  },
  {
    reporter: 'heroku',
    literal: 'R12',
    signal: 'SIGKILL',
    otherReason: 'it did not stop in time (R12)',
    pattern: /Error R12 \(Exit timeout\)/,
  },
  {
    reporter: 'GitHub Actions',
    literal: 'has received a shutdown signal',
    signal: 'SIGTERM',
    pattern: /The runner has received a shutdown signal/,
  },
  {
    reporter: 'GitHub Actions',
    literal: 'lost communication with the server',
    vanished: true,
    guessesMemory: true,
    pattern:
      /(?:The (?:hosted|self-hosted) runner:? .{0,80})?lost communication with the server.{0,240}/,
  },
  {
    reporter: 'CI',
    literal: 'time limit',
    signal: 'SIGKILL',
    otherReason: 'a time limit',
    pattern:
      /(?:The job (?:running on runner .{0,80} )?has exceeded the maximum execution time|Job's? (?:exceeded|timed out).{0,60}time limit|execution took longer than .{1,40} seconds)/,
  },
  {
    reporter: 'CI',
    literal: 'maximum execution time',
    signal: 'SIGKILL',
    otherReason: 'a time limit',
    pattern: /has exceeded the maximum execution time of .{1,40}/,
  },
  {
    reporter: 'GitHub Actions',
    literal: 'The operation was canceled',
    signal: 'SIGKILL',
    otherReason: 'the run was cancelled',
    // Said too where the runner itself was shut down, by whomever.
    unless: ({ input }) => mentions(input, /runner has received a shutdown signal/),
    pattern: /The operation was canceled\./,
  },
  {
    reporter: 'CircleCI',
    literal: "Received 'killed' signal",
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /Received "?'?killed'?"? signal/,
  },
  {
    reporter: 'Termux',
    literal: '[Process completed (signal 9)',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /\[Process completed \(signal 9\) - press Enter\]/,
  },
];

export const platforms: Parser = {
  id,
  title:
    'Heroku, Lambda, Cloud Run, ECS and other platforms, notebooks and CI: ended at their memory limit',
  literals: [...new Set([...kills, ...endings].map(({ literal }) => literal))],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  const records = [...readKillers(input, id, kills)];
  yield* records;
  if (records.length > 0) return;
  yield* readNotices(input, id, endings);
  yield* lambdaFigures(input);
}

/** Beside a kill that nobody explains, what Lambda's report says of the memory, where that was far from full. */
function* lambdaFigures(input: Input): Iterable<MetricsWindow> {
  const report = /Memory\s+Size:\s+(\d{1,6})\s?MB\s+Max\s+Memory\s+Used:\s+(\d{1,6})\s?MB/;
  if (!mentions(input, /signal: killed|\b137\b|SIGKILL|(?:code|status)[ :=]{1,3}-9\b/)) return;
  for (const at of input.lines.keys()) {
    const match = report.exec(lineAt(input, at));
    if (match === null) continue;
    const [limitBytes, usedBytes] = [Number(match[1]) * 1024 ** 2, Number(match[2]) * 1024 ** 2];
    if (usedBytes > limitBytes * 0.7) continue;
    yield {
      kind: 'metrics',
      origin: originOf(input, id, at),
      tool: 'aws-lambda',
      usedBytes,
      limitBytes,
      samples: 1,
      reading: 'calm',
      message: `Lambda's report: the function never used more than ${match[2]} of its ${match[1]} MB`,
    };
  }
}
