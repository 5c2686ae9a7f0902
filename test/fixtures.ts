// The fixtures of all parsers: fixtures/<parser>/<case>/{input.*,expected.json,about.md}.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diagnose } from '../src/diagnose/diagnose.ts';
import type { Evidence } from '../src/model/evidence.ts';
import type { Incident } from '../src/model/report.ts';
import { parsers } from '../src/parsers/index.ts';

export const root = fileURLToPath(new URL('../', import.meta.url));

export interface Fixture {
  readonly parser: string;
  readonly title: string;
  readonly folder: string;
  readonly input: string;
  readonly bytes: Buffer;
  /** Nothing may be read from it: what its `about.md` says after `- look-alike:`. */
  readonly lookAlike: boolean;
}

/** Text fixtures only: cores and other binaries have tests of their own. */
export const fixtures: readonly Fixture[] = parsers
  .map(({ id }) => id)
  .flatMap((parser) => {
    const folder = join(root, 'fixtures', parser);
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry): Fixture[] => {
        const own = join(folder, entry.name);
        const input = readdirSync(own).find((name) => name.startsWith('input.'));
        if (input === undefined) return [];
        return [
          {
            parser,
            title: `${parser}/${entry.name}`,
            folder: own,
            input,
            bytes: readFileSync(join(own, input)),
            lookAlike: isLookAlike(own),
          },
        ];
      });
  });

function isLookAlike(folder: string): boolean {
  const about = join(folder, 'about.md');
  return existsSync(about) && /^- look-alike: \S/m.test(readFileSync(about, 'utf8'));
}

/** What a person would check of a verdict. */
export function summary(incident: Incident) {
  const { outOfMemory, death, cause, variant, confidence, headline, victim, limit, request } =
    incident;
  const { trigger, culprit, stack, at, atUptimeSeconds, because, related } = incident;
  return {
    headline,
    outOfMemory,
    death,
    cause,
    ...(variant === undefined ? {} : { variant }),
    confidence,
    at,
    ...(atUptimeSeconds === undefined ? {} : { atUptimeSeconds }),
    victim,
    trigger,
    culprit,
    limit,
    request,
    stack: stack.slice(0, 3),
    because: because.map(({ says, place }) => `${place}: ${says}`),
    ...(related === undefined ? {} : { related }),
  };
}

export const verdicts = (evidence: readonly Evidence[]) =>
  diagnose({ evidence, sources: [] }).incidents.map(summary);

/** Pseudo-random numbers that come again with the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
