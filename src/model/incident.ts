/** What every face of a report says of an incident alike. */
import type { Incident, Unknown } from './report.ts';

/** The badge beside the headline. */
export function verdictWord({ outOfMemory }: Pick<Incident, 'outOfMemory'>): string {
  if (outOfMemory === null) return 'Not known';
  return outOfMemory ? 'Out of memory' : 'Not memory';
}

/** The incident to tell first: the last death of memory, else the last one; undefined where there is none. */
export const mainIncident = (incidents: readonly Incident[]): Incident | undefined =>
  incidents.findLast(({ outOfMemory }) => outOfMemory === true) ?? incidents.at(-1);

/** Ctrl-C: whoever pressed it knows. */
export const isInterrupt = ({
  outOfMemory,
  exception,
}: Pick<Incident, 'outOfMemory' | 'exception'>): boolean =>
  outOfMemory === false && exception === 'KeyboardInterrupt';

/** `2026-01-31 12:00:12 UTC`, `81.2 s after boot`; '' where neither is known. */
export function whenText({ at, atUptimeSeconds }: Incident): string {
  if (at !== null && at !== undefined) return at.replace('T', ' ').replace(/(?:\.\d+)?Z$/, ' UTC');
  return atUptimeSeconds === undefined ? '' : `${atUptimeSeconds.toFixed(1)} s after boot`;
}

/** Whether the program was stopped at a line that had nothing to do with it: a kill or a standstill can come at any line. */
export const isIncidental = ({ death }: Pick<Incident, 'death'>): boolean =>
  death === 'assassination' || death === 'slow';

/** Heading of the evidence: what is not known cannot be told by `How we know`. */
export const evidenceTitle = ({ outOfMemory }: Pick<Incident, 'outOfMemory'>): string =>
  outOfMemory === null ? 'What we know' : 'How we know';

/** Heading of what is still open. */
export const unknownTitle = (unknown: readonly Unknown[]): string =>
  unknown.some(({ command }) => command !== null)
    ? 'What remains unknown, and how to find out'
    : 'What remains unknown';

/** What the stack of an incident shows. */
export const stackTitle = (incident: Pick<Incident, 'death'>): string =>
  isIncidental(incident) ? 'Where it was last seen' : 'Where it died or failed';
