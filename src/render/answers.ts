/** The five questions that everybody asks of a death, with what the incident answers. */
import { isBlank, inWords } from '../model/prose.ts';
import { causes } from '../model/causes.ts';
import { confidenceMeaning, type Confidence } from '../model/confidence.ts';
import { isIncidental } from '../model/incident.ts';
import { heaviestHolder, heaviestLine, momentWords } from '../model/memory-picture.ts';
import type { Answer } from '../model/page.ts';
import type { Allocation, Holder, Incident, MemoryPicture } from '../model/report.ts';
import { frameName, informativeFrame, placeOf } from '../model/stack.ts';
import { formatBytes, formatPeak, formatDuration } from '../model/units.ts';
import { lowerFirst, percent } from '../model/words.ts';
import {
  culpritName,
  exactBytes,
  killerName,
  limitName,
  memoryParts,
  processName,
} from './names.ts';

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
      answer: 'Not known: the evidence that could be read does not tell',
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

function whichDeath(incident: Incident): Answer {
  const { cause, variant, outOfMemory, related = [] } = incident;
  const id = variant === undefined ? cause : `${cause}, ${variant}`;
  return {
    question: 'Which death?',
    answer: `${deathInWords(incident)} (${id})`,
    details: othersOf(related),
    known: outOfMemory !== null,
  };
}

function deathInWords({ death, cause, variant, killer, outOfMemory }: Incident): string {
  const ended =
    killer === null ? 'it was ended from outside' : `${killerName(killer.name)} ended it`;
  // The four deaths are deaths of memory: what may have been something else has none of their names.
  if (outOfMemory === null) return death === 'assassination' ? `Not known: ${ended}` : 'Not known';
  switch (death) {
    case 'slow':
      return 'Slow: alive on paper, useless in practice';
    case 'obvious':
      return 'Obvious: memory was refused and the program said so';
    case 'disguised':
      return 'Disguised: memory was refused, nobody checked, and it crashed';
    case 'assassination':
      return `Assassination: ${ended}`;
    case 'none':
      return `A look-alike: ${
        variant === undefined
          ? lowerFirst(causes[cause].title)
          : (lookAlikes[variant] ?? variant.replaceAll('-', ' '))
      }`;
  }
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
    ...(alike === related.length ? [] : [`${related.length - alike} more were involved`]),
  ];
}

/** Variants whose id says too little as a sentence. */
const lookAlikes: Readonly<Record<string, string>> = {
  crash: 'it crashed, and nothing had been refused',
  'cpu-limit': 'it used up its CPU time limit',
  descriptors: 'it ran out of file descriptors',
  disk: 'the disk was full',
  'heap-corrupted': 'a bug had broken its heap',
  'impossible-size': 'a size that nobody can have meant',
  killed: 'somebody sent it SIGKILL',
  'killed-by-other': 'it was killed for another reason',
  'killed-by-process': 'another process killed it',
  'misleading-words': 'an error message that only sounds like memory',
  'no-death': 'nothing died',
  none: 'an error other than a lack of memory',
  'null-dereference': 'a bug: it used a null pointer',
  'other-exception': 'an exception that does not mention memory',
  'other-signal': 'a different signal ended it',
  'signal-raised': 'it ended itself with a signal',
  'signal-sent': 'somebody sent it the signal',
  survived: 'memory was refused, and it coped',
  threads: 'no more threads could be started',
  'uncaught-exception': 'an uncaught exception',
  'wild-pointer': 'a bug: it used a stray pointer',
};

function whoseLimit({ limit, request, outOfMemory }: Incident): Answer {
  const question = 'Whose limit?';
  const details = request.bytes === null ? [] : [`one request of ${exactBytes(request.bytes)}`];
  if (limit !== null) return { question, answer: limitName(limit), details, known: true };
  return {
    question,
    answer: outOfMemory === false ? 'None: no memory limit was involved' : 'Not known',
    details,
    known: outOfMemory === false,
  };
}

function whoseMemory(incident: Incident): Answer {
  const { culprit, victim, request, death } = incident;
  const question = 'Whose memory?';
  if (culprit !== null)
    return {
      question,
      answer: culpritName(culprit),
      details: othersInvolved(incident),
      known: culprit.what !== 'unknown',
    };
  if (victim !== null) {
    const size = victimSize(incident);
    return {
      question,
      answer: `${processName(victim)}${size === '' ? '' : `: ${size}`}`,
      details: othersInvolved(incident),
      known: true,
    };
  }
  // What fills a memory in which so little finds no room is somebody else's.
  if (request.bytes !== null && request.bytes < smallBytes && death !== 'none')
    return {
      question,
      answer: `Not known: full before ${formatBytes(request.bytes)} were asked for`,
      details: [],
      known: false,
    };
  if (request.bytes !== null && death !== 'none')
    return {
      question,
      answer: `The failed request itself: ${formatBytes(request.bytes)} in one piece`,
      details: [],
      known: true,
    };
  return { question, answer: 'Not known', details: [], known: false };
}

const smallBytes = 2 ** 20;

function victimSize({ victim, memory }: Incident): string {
  const parts = victim === null ? '' : memoryParts(victim);
  if (parts !== '') return parts;
  return memory.peakRssBytes === undefined
    ? ''
    : `${formatPeak(memory.peakRssBytes, memory.peakIsLeast)} at its peak`;
}

/** The victim, where somebody else held the memory, and the one whose allocation failed, where that was not the victim. */
function othersInvolved({ culprit, victim, trigger }: Incident): readonly string[] {
  const lines: string[] = [];
  if (culprit && victim && (culprit.what !== 'process' || culprit.pid !== victim.pid)) {
    const parts = memoryParts(victim);
    lines.push(`the victim was ${processName(victim)}${parts === '' ? '' : ` with only ${parts}`}`);
  }
  if (trigger && trigger.pid !== victim?.pid)
    lines.push(`the allocation that failed was made by ${processName(trigger)}`);
  return lines;
}

/** Least share of the resident set that a line or variable must have to be worth a sentence among the answers. */
const worthTelling = 0.2;

function whereInTheCode(incident: Incident): Answer {
  const question = 'Where in the code?';
  const seen = seenAt(incident);
  const memory = whoFilledIt(incident);
  // A kill comes between any two instructions: where the program happened to be tells less than who had filled the memory.
  const sentences = !isIncidental(incident)
    ? [...seen, ...memory]
    : memory.length === 0
      ? seen
      : [...memory, ...seen.map((place) => `it was last seen at ${place}`)];
  const [answer, ...details] = sentences;
  if (answer === undefined)
    return {
      question,
      answer:
        incident.outOfMemory === false
          ? 'No stack was recorded'
          : 'Not known: no stack was recorded',
      details: [],
      known: false,
    };
  return { question, answer, details, known: true };
}

/** `load (app.py:42): rows.append(row)`, or nothing without a stack. */
function seenAt({ stack }: Incident): readonly string[] {
  const frame = informativeFrame(stack);
  if (frame === undefined) return [];
  return [`${frameName(frame)}${frame.text === undefined ? '' : `: ${frame.text.trim()}`}`];
}

/** The line that had allocated most and the variable that held most, where either explains anything. */
function whoFilledIt({ memory, request, limit }: Incident): readonly string[] {
  // Most of little explains nothing, nor does what was live when one request was far larger than it.
  const least = Math.max(
    (memory.peakRssBytes ?? 0) * worthTelling,
    (request.bytes ?? 0) / 10,
    limit?.owner === 'cgroup' ? (limit.bytes ?? 0) / 10 : 0,
  );
  const allocation = heaviestLine(memory);
  const holder = heaviestHolder(memory);
  return [
    ...(allocation === undefined || allocation.bytes < least
      ? []
      : [
          `${placeOf(allocation) || (allocation.function ?? 'a place without a name')} had allocated ${formatBytes(allocation.bytes)}, ${percent(allocation.share)} of what was live at ${momentWords[allocation.when]}`,
        ]),
    ...(holder === undefined || holder.retainedBytes < least
      ? []
      : [
          `${holder.path === '' ? holder.name : holder.path} held ${holder.estimate ? 'about ' : ''}${formatBytes(holder.retainedBytes)}${ageOf(holder, allocation, memory)}`,
        ]),
  ];
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
