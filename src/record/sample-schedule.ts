/** When the next sample is taken: often where a limit may be reached soon, seldom where nothing moves. */
import type { Ms } from '../model/units.ts';
import { fastestBytesPerMs, type Headroom } from './headroom.ts';

/** Shortest time between two samples unless the user asks for another. */
const defaultFastestMs = 50;
/** At rest: rare enough to cost nothing, often enough to see a leap towards a limit before it lands. */
const restingMs = 250;
const slowestMs = 1000;
/** The first sample: what the command starts with is read before it has grown. */
const firstDelayMs = 2;
/** In this time after its start a command is sampled closest: it loads, forks and executes. */
const startingMs = 100;
/** A process that appeared or became another program is read closely for so long. */
const newsMs = 500;
/** Sampling may take a twentieth of one CPU. */
const costShare = 1 / 20;

export interface SampleSchedule {
  readonly fastestMs: Ms;
  /** The user asked for this pace: it is kept everywhere, also where no limit is near. */
  readonly isAskedFor: boolean;
  delayMs: Ms;
  timer: NodeJS.Timeout | undefined;
  /** The run has ended: no further sample. */
  isStopped: boolean;
  /** Takes a sample; set by `startSampling`. */
  turn: () => void;
}

/** What the last sample found. Times are milliseconds since the start of the run. */
export interface Situation {
  readonly ageMs: Ms;
  /** CPU time that the last sample took. */
  readonly costMs: Ms;
  /** How far the run's memory moved since the sample before, relative to itself. */
  readonly movement: number;
  /** Less than a tenth of a limit is left. */
  readonly nearLimit: boolean;
  readonly lastNewsMs: Ms;
  readonly headrooms: readonly Headroom[];
}

export const sampleSchedule = (askedForMs: Ms | undefined): SampleSchedule => ({
  fastestMs: askedForMs ?? defaultFastestMs,
  isAskedFor: askedForMs !== undefined,
  delayMs: 5,
  timer: undefined,
  isStopped: false,
  turn: () => {},
});

/** Calls `sample` again and again; it says what it found. Errors of `sample` are its own to handle. */
export function startSampling(
  schedule: SampleSchedule,
  sample: () => Omit<Situation, 'costMs'>,
): void {
  schedule.turn = () => {
    schedule.timer = undefined;
    const begun = process.cpuUsage();
    const found = sample();
    // CPU time: on a busy machine the wall clock would count the others' work too.
    const { user, system } = process.cpuUsage(begun);
    schedule.delayMs = nextDelayMs(schedule, { ...found, costMs: (user + system) / 1000 });
    if (!schedule.isStopped) schedule.timer = setTimeout(schedule.turn, schedule.delayMs);
  };
  schedule.timer = setTimeout(schedule.turn, firstDelayMs);
}

/** Takes the next sample at once: something has happened. */
export function sampleNow(schedule: SampleSchedule): void {
  if (schedule.isStopped) return;
  clearTimeout(schedule.timer);
  schedule.timer = setTimeout(schedule.turn, 0);
  schedule.delayMs = schedule.fastestMs;
}

export function stopSampling(schedule: SampleSchedule): void {
  schedule.isStopped = true;
  clearTimeout(schedule.timer);
}

/** The time until the next sample; `delayMs` of the schedule is the one before. */
export function nextDelayMs(
  schedule: Pick<SampleSchedule, 'fastestMs' | 'isAskedFor' | 'delayMs'>,
  { ageMs, costMs, movement, nearLimit, lastNewsMs, headrooms }: Situation,
): Ms {
  const { fastestMs } = schedule;
  if (ageMs < startingMs) return Math.min(Math.max(5, ageMs / 2), fastestMs);
  const isClose = schedule.isAskedFor || ageMs - lastNewsMs < newsMs;
  const pace = (closeMs: Ms, memory: keyof typeof calmMs) =>
    isClose ? closeMs : paceMs(headrooms, closeMs, memory, ageMs);
  const isMoving = movement > 0.005 || nearLimit || ageMs < 400;
  const wanted = isMoving
    ? pace(fastestMs, 'moving')
    : Math.min(schedule.delayMs * 1.5, pace(Math.max(fastestMs, restingMs), 'resting'));
  return Math.min(Math.max(wanted, fastestMs, costMs / costShare), slowestMs);
}

/**
 * How seldom samples may be where no limit can be reached before: after a tenth of the run so far, within these bounds, the
 * curve of memory is as good for a reader at any length.
 */
const calmMs = { moving: [100, 500], resting: [250, 1000] } as const;

/**
 * The time between two samples of a run that is `ageMs` old: `closeMs`, or longer where even the fastest program could not
 * reach a limit between two.
 */
export function paceMs(
  headrooms: readonly Headroom[],
  closeMs: Ms,
  memory: keyof typeof calmMs,
  ageMs: Ms,
): Ms {
  if (headrooms.length === 0) return closeMs;
  const [least, most] = calmMs[memory];
  const calm = Math.min(most, Math.max(least, ageMs / 10));
  const freeBytes = Math.min(...headrooms.map((headroom) => headroom.freeBytes));
  return Math.max(closeMs, Math.min(calm, freeBytes / fastestBytesPerMs / 2));
}
