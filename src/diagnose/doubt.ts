import { atMost, compareConfidence } from '../model/confidence.ts';
import { doubtInHeadline, doubtInWords, surestUnder } from '../model/doubt.ts';
import type { Finding } from '../model/finding.ts';

/** Sources that witness the death themselves. What a shared file or a quotation adds to their record takes nothing from it. */
const witnesses: ReadonlySet<string> = new Set([
  'kernel-log',
  'tracefs',
  'agent',
  'python-hook',
  'core-dump',
]);

/** A finding that rests on doubtful words is no surer than they are, and says why. */
export function doubted(finding: Finding): Finding {
  const isWitnessed = finding.because.some(
    ({ source, doubt }) => doubt === undefined && witnesses.has(source),
  );
  const doubts = [
    ...new Set(
      finding.because.flatMap(({ doubt, source }) =>
        // A folder that was changed is another matter: who changed one file could change them all.
        doubt === undefined || (isWitnessed && doubt !== 'folder' && !witnesses.has(source))
          ? []
          : [doubt],
      ),
    ),
  ].sort((a, b) => compareConfidence(surestUnder[a], surestUnder[b]));
  if (doubts.length === 0) return finding;
  return {
    ...finding,
    headline: `${finding.headline}${doubts.map((doubt) => doubtInHeadline[doubt]).join('')}`,
    confidence: doubts.reduce(
      (sure, doubt) => atMost(sure, surestUnder[doubt]),
      finding.confidence,
    ),
    against: [
      ...(finding.against ?? []),
      ...doubts.map((doubt) => {
        const { source, place } = finding.because.find((reason) => reason.doubt === doubt)!;
        return { says: doubtInWords[doubt], source, place, doubt };
      }),
    ],
  };
}
