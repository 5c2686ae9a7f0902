import { atMost, compareConfidence } from '../model/confidence.ts';
import { doubtInHeadline, doubtInWords, surestUnder } from '../model/doubt.ts';
import type { Finding } from '../model/finding.ts';

/** A finding that rests on doubtful words is no surer than they are, and says why. */
export function doubted(finding: Finding): Finding {
  const doubts = [
    ...new Set(
      finding.because.flatMap(({ doubt }, index) =>
        // The first reason decides. What a shared file or a quotation adds to the kernel's own record takes nothing from it; a folder
        // that was changed is another matter.
        doubt === undefined || (index > 0 && doubt !== 'folder') ? [] : [doubt],
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
