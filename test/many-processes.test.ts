/** A run of thousands of short processes: the verdict must follow its end at once, so nothing may grow with their square. */
import { describe, expect, test } from 'vitest';
import { manyProcesses, shapes } from '../bench/many-processes.mjs';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { loadTimeline } from '../src/gather/incident-folder/events.ts';
import { parseIncident } from '../src/gather/incident-folder/incident.ts';
import { sampledEvidence } from '../src/gather/incident-folder/samples.ts';
import { toRecording } from '../src/gather/incident-folder/series.ts';
import { parseStart, readEvents, readSamples } from '../src/store/recorded-lines.ts';

const few = 200;
const many = 4 * few;
/** Four times the processes are four times the work, and a little more for sorting. A quadratic search makes it 16. */
const mostGrowth = 5;

/** Things that count how often anything of them is read: work, whatever the machine does meanwhile. */
function counting() {
  let reads = 0;
  const handler: ProxyHandler<object> = {
    get: (target, key, receiver) => {
      reads += 1;
      return Reflect.get(target, key, receiver);
    },
  };
  return {
    wrap: <T extends object>(things: readonly T[]): readonly T[] =>
      things.map((thing) => new Proxy(thing, handler) as T),
    reads: () => reads,
  };
}

/** What the folder's lines are read for: series, events to show, evidence. */
function readsOfLines(texts: ReadonlyMap<string, string>): number {
  const { wrap, reads } = counting();
  const { start } = parseStart(texts.get('incident.json'))!;
  const events = wrap(readEvents(texts.get('events.ndjson')).lines);
  const samples = wrap(readSamples(texts.get('samples.ndjson')).lines);
  const timeline = loadTimeline(start, events, samples);
  const evidence = sampledEvidence(start, timeline, new Set());
  const recording = toRecording(start, null, timeline, events, samples, [], []);
  expect(recording.processes.length).toBe(timeline.processes.size);
  expect(evidence.length).toBeGreaterThan(timeline.processes.size);
  return reads();
}

/** What the rules, and the joining of their opinions, read the evidence for. */
function readsOfEvidence(texts: ReadonlyMap<string, string>): number {
  const { wrap, reads } = counting();
  const parsed = parseIncident(texts)!;
  const report = diagnose({ evidence: wrap(parsed.evidence), sources: parsed.sources });
  expect(report.incidents.length).toBeGreaterThan(0);
  return reads();
}

describe.each(Object.entries(shapes))('%s', (_, shape) => {
  test.each([
    ['lines of the folder', readsOfLines],
    ['evidence', readsOfEvidence],
  ])('%s are read in proportion to the processes', (__, readsOf) => {
    const growth = readsOf(manyProcesses(many, shape)) / readsOf(manyProcesses(few, shape));
    expect(growth).toBeGreaterThan(3);
    expect(growth).toBeLessThan(mostGrowth);
  });
});
