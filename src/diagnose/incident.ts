import { causes } from '../model/causes.ts';
import type { Incident } from '../model/report.ts';
import type { DeathGroup } from './join.ts';

/** One death's findings as the incident that is reported. The best finding speaks, the others add what it lacks. */
export function toIncident(group: DeathGroup): Incident {
  const [best, ...others] = group;
  const all = [best, ...others];
  const { when } = best.subject;
  return {
    outOfMemory: best.outOfMemory === undefined ? causes[best.cause].outOfMemory : best.outOfMemory,
    death: best.death ?? causes[best.cause].death,
    cause: best.cause,
    ...(best.variant === undefined ? {} : { variant: best.variant }),
    confidence: best.confidence,
    headline: best.headline,
    at: when?.wall ?? null,
    ...(when?.wall === undefined && when?.uptimeSeconds !== undefined
      ? { atUptimeSeconds: when.uptimeSeconds }
      : {}),
    victim: all.find(({ victim }) => victim)?.victim ?? null,
    trigger: all.find(({ trigger }) => trigger)?.trigger ?? null,
    culprit: all.find(({ culprit }) => culprit)?.culprit ?? null,
    killer: best.killer ?? null,
    limit: all.find(({ limit }) => limit)?.limit ?? null,
    request: all.find(({ request }) => request?.bytes != null)?.request ?? { bytes: null },
    because: all.filter(({ cause }) => cause === best.cause).flatMap(({ because }) => because),
    against: all.flatMap(({ against = [] }) => against),
    ruledOut: all.flatMap(({ ruledOut = [] }) => ruledOut),
    unknown: all.flatMap(({ unknown = [] }) => unknown),
    remedies: best.remedies ?? [],
    stack: all.find(({ stack }) => stack !== undefined && stack.length > 0)?.stack ?? [],
    memory: Object.assign({}, ...all.toReversed().map(({ memory = {} }) => memory)),
    ...(best.related === undefined ? {} : { related: best.related }),
    ...(best.tasks === undefined ? {} : { tasks: best.tasks }),
  };
}
