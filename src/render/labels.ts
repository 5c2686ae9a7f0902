/** What the faces of a verdict say in common: the five answers and the names of things, in plain words. */
import { causes } from '../model/causes.ts';
import type { Confidence } from '../model/confidence.ts';
import type { Answer } from '../model/page.ts';
import type {
  Allocation,
  CulpritRole,
  Holder,
  Incident,
  Limit,
  LimitOwner,
  MemoryPicture,
  ProcessRole,
  StackFrame,
} from '../model/report.ts';
import { formatBytes, formatDuration } from '../model/units.ts';
import { isBlank, inWords } from '../model/prose.ts';

export const confidenceMeaning: Readonly<Record<Confidence, string>> = {
  certain: 'a record names this very process',
  strong: 'a direct witness, with a gap',
  likely: 'several indirect signs agree',
  weak: 'one indirect sign only',
};

/** The badge beside the headline. */
export function verdictWord({ outOfMemory }: Pick<Incident, 'outOfMemory'>): string {
  if (outOfMemory === null) return 'NOT KNOWN';
  return outOfMemory ? 'OUT OF MEMORY' : 'NOT MEMORY';
}

/** The five answers (six lines: whose limit and whose memory are two). */
export function fiveAnswers(incident: Incident): readonly Answer[] {
  return [
    wasItMemory(incident),
    whichDeath(incident),
    whoseLimit(incident),
    whoseMemory(incident),
    whereInTheCode(incident),
    whatNow(incident),
  ];
}

function wasItMemory({ outOfMemory, confidence }: Incident): Answer {
  const question = 'Was it memory?';
  if (outOfMemory === null)
    return {
      question,
      answer: 'Cannot be told from what could be read',
      details: [],
      known: false,
    };
  const yes: Readonly<Record<Confidence, string>> = {
    certain: 'Yes, certainly',
    strong: 'Yes, on strong evidence',
    likely: 'Yes, likely',
    weak: 'Perhaps, on weak evidence',
  };
  const no: Readonly<Record<Confidence, string>> = {
    certain: 'No, certainly not',
    strong: 'No, on strong evidence',
    likely: 'Likely not',
    weak: 'Perhaps not, on weak evidence',
  };
  return {
    question,
    answer: `${(outOfMemory ? yes : no)[confidence]}: ${confidenceMeaning[confidence]}`,
    details: [],
    known: true,
  };
}

function whichDeath({
  death,
  cause,
  variant,
  killer,
  outOfMemory,
  related = [],
}: Incident): Answer {
  const question = 'Which death?';
  const id = variant === undefined ? cause : `${cause}, ${variant}`;
  const answer = (): string => {
    switch (death) {
      case 'slow':
        return 'Slow: alive on paper, useless in practice';
      case 'obvious':
        return 'Obvious: memory was refused and the program said so';
      case 'disguised':
        return 'Disguised: memory was refused, nobody looked, it crashed';
      case 'assassination':
        return `Assassination: ${killer === null ? 'something else' : killerName(killer.name)} ended it`;
      case 'none':
        if (outOfMemory === null) return 'Not known';
        return `A look-alike: ${
          variant === undefined
            ? lowerFirst(causes[cause].title)
            : (lookAlikes[variant] ?? variant.replaceAll('-', ' '))
        }`;
    }
  };
  return {
    question,
    answer: `${answer()} (${id})`,
    details: othersOf(related),
    known: outOfMemory !== null,
  };
}

/** What became of the others: a pool that waits for a worker which is no more looks like a hang, not like a death. */
function othersOf(related: NonNullable<Incident['related']>): readonly string[] {
  const [first, ...others] = related;
  if (first === undefined) return [];
  if (others.length === 0) return [`${processName(first)}: ${first.how}`];
  const alike =
    first.relation === undefined
      ? 1
      : related.filter(({ relation }) => relation === first.relation).length;
  return [
    `${alike === 1 ? processName(first) : `${alike} others`}: ${first.how}`,
    ...(alike === related.length ? [] : [`${related.length - alike} more had a part in it`]),
  ];
}

/** Variants whose id says too little as a sentence. */
const lookAlikes: Readonly<Record<string, string>> = {
  crash: 'it crashed, and nothing had been refused',
  'cpu-limit': 'its limit of CPU time was used up',
  descriptors: 'file descriptors ran out',
  disk: 'the disk was full',
  killed: 'somebody sent it SIGKILL',
  'killed-by-other': 'it was ended for another reason',
  'killed-by-process': 'another process ended it',
  'misleading-words': 'words that only sound like memory',
  'no-death': 'nothing died',
  none: 'another error than a lack of memory',
  'null-dereference': 'a bug: it used a null pointer',
  'other-exception': 'an exception that does not speak of memory',
  'other-signal': 'another signal ended it',
  'signal-raised': 'it ended itself with a signal',
  'signal-sent': 'somebody sent it the signal',
  survived: 'memory was refused, and it coped',
  threads: 'no more threads could be started',
  'uncaught-exception': 'an exception that was not caught',
  'wild-pointer': 'a bug: it used a stray pointer',
};

const killerName = (name: string): string => (name === 'kernel' ? 'the kernel' : name);

const ownerLabels: Readonly<Record<LimitOwner, string>> = {
  host: 'the whole machine',
  cgroup: 'cgroup',
  rlimit: 'resource limit',
  overcommit: "the kernel's overcommit rule",
  'address-space': 'address space',
  'map-count': 'vm.max_map_count',
  'numa-node': 'NUMA node',
  daemon: 'memory guard',
  orchestrator: 'orchestrator',
  scheduler: 'job scheduler',
  platform: 'platform',
  runtime: 'language runtime',
  gpu: 'GPU memory',
  shm: 'shared memory (/dev/shm)',
  budget: 'budget',
  unknown: 'a limit that could not be named',
};

/** `cgroup /job: 100 MiB`, `RLIMIT_AS: 512 MiB`, `the whole machine: 15.6 GiB`. */
export function limitName({ owner, path, bytes }: Limit): string {
  const name =
    path === undefined || path === ''
      ? ownerLabels[owner]
      : owner === 'rlimit' && path.startsWith('RLIMIT_')
        ? path
        : owner === 'overcommit' || owner === 'host'
          ? `${ownerLabels[owner]} (${path})`
          : `${ownerLabels[owner]} ${path}`;
  if (bytes === null) return name;
  return owner === 'map-count' ? `${name}` : `${name}: ${formatBytes(bytes)}`;
}

function whoseLimit({ limit, request, outOfMemory }: Incident): Answer {
  const question = 'Whose limit?';
  const details = request.bytes === null ? [] : [`one request of ${exactBytes(request.bytes)}`];
  if (limit !== null) return { question, answer: limitName(limit), details, known: true };
  return {
    question,
    answer: outOfMemory === false ? 'None: no memory limit had a part in it' : 'Not known',
    details,
    known: outOfMemory === false,
  };
}

/** `7.28 TiB (8,000,000,000,000 bytes)`. */
export const exactBytes = (bytes: number): string =>
  bytes < 1000 ? formatBytes(bytes) : `${formatBytes(bytes)} (${groupedDigits(bytes)} bytes)`;

const groupedDigits = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** `python3 (pid 2400)`. */
export function processName({ name, pid }: ProcessRole): string {
  if (name === undefined) return pid === undefined ? 'a process that is not named' : `pid ${pid}`;
  return pid === undefined ? name : `${name} (pid ${pid})`;
}

/** `95.5 MiB anonymous, 6.13 MiB file, 12 MiB swap`; empty where nothing is known. */
export function memoryParts(role: ProcessRole): string {
  const parts: readonly (readonly [number | undefined, string])[] = [
    [role.anonRssBytes, 'anonymous'],
    [role.shmemRssBytes, 'shared'],
    [role.fileRssBytes, 'file'],
    [role.swapBytes, 'in swap'],
  ];
  return parts
    .filter(([bytes]) => bytes !== undefined && bytes > 0)
    .map(([bytes, name]) => `${formatBytes(bytes ?? 0)} ${name}`)
    .join(', ');
}

const notAProcess: Readonly<Record<Exclude<CulpritRole['what'], 'process'>, string>> = {
  processes: 'several processes together',
  tmpfs: 'files in tmpfs or shared memory, no process',
  slab: "the kernel's own objects (slab), no process",
  kernel: 'the kernel itself, no process',
  'page-cache': 'cached file pages, no process',
  hugetlb: 'huge pages set aside, no process',
  sockets: 'socket buffers, no process',
  unknown: 'not known',
};

/** Who held the memory, with how much of it. */
export function culpritName(culprit: CulpritRole): string {
  const parts = memoryParts(culprit);
  const total = culprit.bytes === undefined ? parts : formatBytes(culprit.bytes);
  const who =
    culprit.what === 'process' ||
    (culprit.what === 'unknown' && (culprit.pid ?? culprit.name) !== undefined)
      ? processName(culprit)
      : culprit.name === undefined
        ? notAProcess[culprit.what]
        : `${culprit.name}: ${notAProcess[culprit.what]}`;
  return total === '' ? who : `${who}: ${total}`;
}

function whoseMemory({ culprit, victim, trigger, memory, request, death }: Incident): Answer {
  const question = 'Whose memory?';
  const others = (): readonly string[] => {
    const lines: string[] = [];
    if (culprit && victim && (culprit.what !== 'process' || culprit.pid !== victim.pid)) {
      const parts = memoryParts(victim);
      lines.push(
        `the victim was ${processName(victim)}${parts === '' ? '' : ` with only ${parts}`}`,
      );
    }
    if (trigger && trigger.pid !== victim?.pid)
      lines.push(`the allocation that failed was that of ${processName(trigger)}`);
    return lines;
  };
  if (culprit !== null)
    return {
      question,
      answer: culpritName(culprit),
      details: others(),
      known: culprit.what !== 'unknown',
    };
  if (victim !== null) {
    const parts = memoryParts(victim);
    const size =
      parts !== ''
        ? parts
        : memory.peakRssBytes !== undefined
          ? `${formatBytes(memory.peakRssBytes)} at its peak`
          : '';
    return {
      question,
      answer: `${processName(victim)}${size === '' ? '' : `: ${size}`}`,
      details: others(),
      known: true,
    };
  }
  if (request.bytes !== null && death !== 'none')
    return {
      question,
      answer: `The failed request itself: ${formatBytes(request.bytes)} in one piece`,
      details: [],
      known: true,
    };
  return { question, answer: 'Not known', details: [], known: false };
}

/** Frames of the interpreter and of installed packages: rarely what the reader can mend. */
const isLibrary = ({ file }: StackFrame): boolean =>
  file === null ||
  file.startsWith('<frozen') ||
  /[/\\](?:site-packages|dist-packages)[/\\]|[/\\]lib(?:64)?[/\\]python\d/.test(file);

/** The innermost frame that is the user's own, else the innermost. */
export const informativeFrame = (stack: readonly StackFrame[]): StackFrame | undefined =>
  stack.find((frame) => !isLibrary(frame)) ?? stack[0];

/** A kill, or a standstill, finds a program at any line; a refusal at the one that asked. */
export const stackTitle = ({ death }: Incident): string =>
  death === 'assassination' || death === 'slow'
    ? 'Where it was last seen'
    : 'Where it died or failed';

/** `app.py:42`. */
export const placeOf = ({
  file,
  line,
}: {
  readonly file: string | null;
  readonly line: number | null;
}): string => (file === null ? '' : line === null ? file : `${file}:${line}`);

/** `load (app.py:42)`. */
export function frameName(frame: StackFrame): string {
  const place = placeOf(frame);
  return place === '' ? frame.function : `${frame.function} (${place})`;
}

/** Least share of the resident set that a line or variable must have to be worth a sentence among the answers. */
const worthTelling = 0.2;

function whereInTheCode({ stack, memory, outOfMemory, request, death, limit }: Incident): Answer {
  const question = 'Where in the code?';
  const frame = informativeFrame(stack);
  const sentences: string[] = [];
  // A sum without a line, `(Python itself and its start-up)`, is no place in anybody's code.
  const [allocation] = (memory.allocations ?? [])
    .filter(({ file, function: name }) => file !== null || name?.startsWith('(') !== true)
    .sort((a, b) => b.bytes - a.bytes);
  const [holder] = [...(memory.holders ?? [])].sort((a, b) => b.retainedBytes - a.retainedBytes);
  const seen =
    frame === undefined
      ? undefined
      : `${frameName(frame)}${frame.text === undefined ? '' : `: ${frame.text.trim()}`}`;
  // A kill comes between any two instructions: where the program happened to be tells less than who had filled the memory.
  const incidental = death === 'assassination' || death === 'slow';
  if (seen !== undefined && !incidental) sentences.push(seen);
  // Most of little explains nothing, nor does what was live when one request was far larger than it.
  const least = Math.max(
    (memory.peakRssBytes ?? 0) * worthTelling,
    (request.bytes ?? 0) / 10,
    limit?.owner === 'cgroup' ? (limit.bytes ?? 0) / 10 : 0,
  );
  if (allocation !== undefined && allocation.bytes >= least)
    sentences.push(
      `${placeOf(allocation) || (allocation.function ?? 'a place without a name')} had allocated ${formatBytes(allocation.bytes)}, ${percent(allocation.share)} of what was live at ${allocation.when === 'peak' ? 'the peak' : 'its death'}`,
    );
  if (holder !== undefined && holder.retainedBytes >= least)
    sentences.push(
      `${holder.path === '' ? holder.name : holder.path} held ${holder.estimate ? 'about ' : ''}${formatBytes(holder.retainedBytes)}${ageOf(holder, allocation, memory)}`,
    );
  if (seen !== undefined && incidental)
    sentences.push(sentences.length === 0 ? seen : `it was last seen at ${seen}`);
  const [answer, ...details] = sentences;
  if (answer === undefined)
    return {
      question,
      answer: outOfMemory === false ? 'No stack was recorded' : 'Not known: no stack was recorded',
      details: [],
      known: false,
    };
  return { question, answer, details, known: true };
}

/** Looks this old are worth their age in any case. */
const oldMs = 1000;

/** Why a variable held less than its line had allocated: it was looked at before the end. */
function ageOf(
  { retainedBytes }: Holder,
  allocation: Allocation | undefined,
  { ageAtDeathMs }: MemoryPicture,
): string {
  const less = allocation !== undefined && retainedBytes < allocation.bytes * 0.98;
  return ageAtDeathMs === undefined || (ageAtDeathMs < oldMs && !less)
    ? ''
    : `, ${formatDuration(ageAtDeathMs)} before the end`;
}

/** `Whether the kernel …` in the middle of a sentence; names in capitals stay. */
const lowerFirst = (text: string): string =>
  /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

/** `90 %`, `under 1 %`. */
export const percent = (share: number): string =>
  share > 0 && share < 0.01 ? 'under 1\u00a0%' : `${Math.round(share * 100)}\u00a0%`;

function whatNow({ remedies, unknown, outOfMemory }: Incident): Answer {
  const question = 'What now?';
  const [first] = remedies;
  if (first !== undefined)
    return {
      question,
      answer: inWords(first.title),
      details: isBlank(first.detail) ? [] : [inWords(first.detail)],
      known: true,
    };
  const [gap] = unknown;
  if (gap !== undefined)
    return {
      question,
      answer: `Find out ${lowerFirst(inWords(gap.what))}`,
      details: gap.command === null ? [inWords(gap.why)] : [gap.command],
      known: false,
    };
  return outOfMemory === false
    ? { question, answer: 'Nothing to do for memory', details: [], known: true }
    : { question, answer: 'Not known', details: [], known: false };
}

/** Paths below the directory in which the command ran, as the user knows them. */
export const belowDirectory = (text: string, cwd: string | undefined): string =>
  cwd === undefined || cwd.length < 2 ? text : text.replaceAll(`${cwd.replace(/\/$/, '')}/`, '');
