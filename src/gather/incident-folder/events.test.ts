import { expect, test } from 'vitest';
import { mayHaveHeldMore, type ProcessTimeline } from './events.ts';

const process = (rss: number | undefined, gone: { readonly peak?: number } | null) => {
  const only: ProcessTimeline = {
    seen: {
      what: 'process',
      lineNumber: 1,
      atMs: 0,
      pid: 7,
      parentPid: null,
      name: 'python3',
      command: null,
      role: 'command',
    },
    firstSeenMs: 0,
    limits: [],
    gone:
      gone === null
        ? null
        : {
            what: 'process-gone',
            lineNumber: 2,
            atMs: 9,
            pid: 7,
            exitCode: 0,
            signal: null,
            seenAs: 'wait',
            ...(gone.peak === undefined ? {} : { peakRssBytes: gone.peak }),
          },
    peaks: rss === undefined ? {} : { rss },
    cpu: [],
  };
  return mayHaveHeldMore(only);
};

test.each([
  ['no mark after the last reading', 300, {}, true],
  ['a mark above it: it, or a child that it had waited for', 300, { peak: 301 }, true],
  ['the mark of its end says as much', 300, { peak: 300 }, false],
  ['no child of it held more either', 300, { peak: 299 }, false],
  ['nobody saw it end', 300, null, false],
  ['it was never read', undefined, {}, false],
])('a peak is a least one: %s', (_, rss, gone, least) => {
  expect(process(rss, gone)).toBe(least);
});
