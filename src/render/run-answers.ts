/** What there is to say of a run that ended well, or still runs: one question a line, for the terminal and the page alike. */
import { nameWithPid } from '../model/name-with-pid.ts';
import type { Answer } from '../model/page.ts';
import { heaviestHolder, heaviestLine } from '../model/memory-picture.ts';
import type { Incident, Report, RunAccount } from '../model/report.ts';
import { isInterrupt } from '../model/incident.ts';
import { placeOf } from '../model/stack.ts';
import { formatBytes, formatPeak, formatDuration } from '../model/units.ts';
import { percent } from '../model/words.ts';
import { limitName } from './names.ts';

/** Whether the report is one of a run of which nobody died: then the run is what there is to show. */
export const toldAsRun = ({ run, incidents }: Report): RunAccount | null =>
  run !== undefined && incidents.every(isInterrupt) ? run : null;

/** The badge. */
export function runWord(
  { state, exitCode, signal }: RunAccount,
  incidents: readonly Incident[],
): string {
  if (state === 'running') return 'Still running';
  if (state === 'cut-short') return 'End not recorded';
  if (incidents.length > 0 || signal === 'SIGINT') return 'Stopped by Ctrl-C';
  if (signal !== null) return `Ended by ${signal}`;
  return exitCode === 0 || exitCode === null ? 'Ended well' : `Ended with status ${exitCode}`;
}

/** One sentence, without a full stop. `command`: as people know it. */
export function runHeadline({ peak, state, enough, growth }: RunAccount, command: string): string {
  const name = command === '' ? 'The command' : shortCommand(command);
  if (peak === null) return `${name}: its memory could not be read`;
  const took = `${name} ${state === 'running' ? 'has taken' : 'took'} ${formatPeak(peak.bytes, peak.isLeast)} at its peak`;
  if (growth !== null)
    return `${took} and ${state === 'running' ? 'is still growing' : 'grew to its end'}, ${perHour(growth.bytesPerHour)}`;
  return enough === null
    ? took
    : `${took}: a limit of ${formatBytes(enough.bytes)} ${peak.isLeast === true ? 'may be' : 'is'} enough`;
}

/** Without the folders of the program, and not longer than a headline may be. */
function shortCommand(command: string): string {
  const short = command.replace(/^\S*\/(?=\S)/, '');
  return short.length > 60 ? `${short.slice(0, 59)}…` : short;
}

export function runAnswers(run: RunAccount): readonly Answer[] {
  return [
    peakAnswer(run),
    madeOf(run),
    enoughAnswer(run),
    growthAnswer(run),
    reclaimAnswer(run),
    costAnswer(run),
  ];
}

const known = (
  question: string,
  answer: string,
  details: readonly (string | null)[] = [],
): Answer => ({
  question,
  answer,
  details: details.filter((detail) => detail !== null),
  known: true,
});

const question = {
  peak: 'How much?',
  made: 'What made it?',
  enough: 'What is enough?',
  growth: 'Does it grow?',
  reclaim: 'Did it wait?',
  cost: 'What did it cost?',
} as const;

function peakAnswer({ peak }: RunAccount): Answer {
  if (peak === null)
    return {
      question: question.peak,
      answer: 'not known: the processes could not be read',
      details: [],
      known: false,
    };
  const { bytes, of, isLeast, name, pid, atMs, processes, cgroup } = peak;
  const when = atMs === undefined ? '' : `, ${formatDuration(atMs)} after the start`;
  return known(question.peak, `${formatPeak(bytes, isLeast)} at its peak${when}`, [
    of === 'process'
      ? `${nameWithPid({ name, pid })}, by the kernel's high-water mark (VmHWM)${isLeast === true ? ' when it was last read: it may have held more afterwards' : ''}`
      : `${processes} processes together, as sampled; what they share counts in each. The largest was ${nameWithPid({ name, pid })}`,
    cgroup === undefined
      ? null
      : `cgroup ${cgroup.path} rose to ${formatBytes(cgroup.bytes)}, with page cache and whatever else is in it`,
  ]);
}

/** From here on a look shows another moment than the peak. */
const noticeableMs = 500;

/** `1.3 s before the peak`, of the look that tells the variables; null: it was at the peak, or one of the two times is not known. */
export function lookMoment({ memory, peak, startedAt }: RunAccount): string | null {
  const lookedMs = Date.parse(memory?.lookedAt ?? '') - Date.parse(startedAt);
  const peakMs = peak?.atMs;
  if (peakMs === undefined || !(Math.abs(lookedMs - peakMs) >= noticeableMs)) return null;
  const apart = formatDuration(Math.abs(lookedMs - peakMs));
  return `${apart} ${lookedMs < peakMs ? 'before' : 'after'} the peak`;
}

function madeOf(run: RunAccount): Answer {
  const { memory = {} } = run;
  const moment = lookMoment(run);
  const line = heaviestLine({
    allocations: (memory.allocations ?? []).filter(({ when }) => when === 'peak'),
  });
  const holder = heaviestHolder(memory);
  const variable =
    holder === undefined
      ? null
      : `${holder.name}${holder.function === null ? '' : ` of ${holder.function}`} held ${holder.estimate ? 'about ' : ''}${formatBytes(holder.retainedBytes)}${moment === null ? '' : `, ${moment}`}: ${holder.path}`;
  if (line !== undefined) {
    const place = placeOf(line) || 'an unknown place';
    return known(
      question.made,
      `${place}${line.function === null ? '' : ` in ${line.function}`} had allocated ${formatBytes(line.bytes)} of it, ${percent(line.share)}`,
      [line.text ?? null, variable],
    );
  }
  return variable === null
    ? {
        question: question.made,
        answer: 'not known: neither the agent nor a look saw inside',
        details: [],
        known: false,
      }
    : known(question.made, variable);
}

function enoughAnswer({ enough, peak, growth }: RunAccount): Answer {
  if (enough === null || peak === null)
    return { question: question.enough, answer: 'not known', details: [], known: false };
  const { now } = enough;
  return known(
    question.enough,
    `a limit of ${formatBytes(enough.bytes)}, ${formatBytes(enough.bytes - peak.bytes)} above the peak, for the same work`,
    [
      growth === null ? null : 'it grew to its end: a longer run takes more',
      now?.bytes == null
        ? 'no limit was set but the machine itself'
        : now.bytes > enough.bytes * 1.1
          ? `the limit now, ${limitName(now)}, leaves ${formatBytes(now.bytes - peak.bytes)} unused`
          : now.bytes < enough.bytes * 0.9
            ? `the limit now, ${limitName(now)}, is ${percent((now.bytes - peak.bytes) / now.bytes)} above what it took: tight`
            : `the limit now, ${limitName(now)}, fits`,
    ],
  );
}

const perHour = (bytesPerHour: number): string =>
  bytesPerHour >= 10 * 2 ** 30
    ? `${formatBytes(bytesPerHour / 60)} a minute`
    : `${formatBytes(bytesPerHour)} an hour`;

function growthAnswer({ growth, memory = {}, state }: RunAccount): Answer {
  if (growth === null) return known(question.growth, 'no: it did not grow to its end');
  const lines = (memory.allocations ?? []).filter(
    ({ growing, when }) => growing === true && when === 'peak',
  );
  const [line] = lines;
  return known(
    question.growth,
    `${state === 'running' ? 'yes, so far' : 'yes, to the very end'}: ${formatBytes(growth.grewBytes)} since ${formatDuration(growth.fromMs)}, ${perHour(growth.bytesPerHour)}, and nothing was given back`,
    [
      line === undefined
        ? 'a leak looks like this, and so does a program that only loads: which it is, its work tells'
        : `the line that grew: ${placeOf(line)}${line.text === undefined ? '' : `  ${line.text}`}`,
      growth.reachesLimitInMs === null
        ? null
        : `at that pace its limit is reached in ${formatDuration(growth.reachesLimitInMs)}`,
    ],
  );
}

/** Each is a few milliseconds of waiting at worst. */
const manyFaults = 100;

function reclaimAnswer({ reclaim }: RunAccount): Answer {
  const { of, fullMs, someMs = 0, limitHits = 0, majorFaults = 0, swapBytes = 0 } = reclaim;
  const more = [
    limitHits > 0
      ? `the limit was hit ${limitHits} times, and the kernel found something to free`
      : null,
    swapBytes > 0 ? `up to ${formatBytes(swapBytes)} lay in swap` : null,
    majorFaults >= manyFaults
      ? `major faults: ${majorFaults} (a page was read from disk; a cold start does so too)`
      : null,
  ];
  if (of === null || fullMs === undefined)
    return {
      question: question.reclaim,
      answer: 'not known: this kernel does not count it',
      details: more.filter((line) => line !== null),
      known: false,
    };
  const whose = of === 'cgroup' ? 'its cgroup' : 'the whole machine';
  return known(
    question.reclaim,
    fullMs + someMs < 1
      ? `no: nothing waited for memory (${whose})`
      : `something waited for memory for ${formatDuration(Math.max(fullMs, someMs))}${fullMs > 0 ? `, everything at once for ${formatDuration(fullMs)}` : ''} (${whose})`,
    more,
  );
}

function costAnswer({ cost }: RunAccount): Answer {
  const { cpuMs, recorderBytes, samples, stops, stoppedMs } = cost;
  const stopped =
    stops === 0
      ? 'the command was never stopped'
      : `the command was stopped ${stops === 1 ? 'once, for' : `${stops} times,`} ${formatDuration(stoppedMs)}${stops === 1 ? '' : ' in all'}`;
  return known(
    question.cost,
    cpuMs === undefined
      ? stopped
      : `${formatDuration(cpuMs)} of CPU beside the command${recorderBytes === undefined ? '' : ` and ${formatBytes(recorderBytes)}`}; ${stopped}`,
    [
      samples === undefined
        ? null
        : `${samples} samples; what the agent takes inside the process is not measured`,
    ],
  );
}

/** How to run it again within the limit that is enough; null: that is not known, or it still runs. */
export const againWithin = ({ enough, state }: RunAccount, command: string): string | null =>
  enough === null || state === 'running' || command === ''
    ? null
    : `coroner run --memory-limit ${sizeWord(enough.bytes)} ${command}`;

/** `320M`, as `--memory-limit` and `docker run -m` take it. */
const sizeWord = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)}M`;
