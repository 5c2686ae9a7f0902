/** Windows' commit limit: the Resource-Exhaustion-Detector's event 2004, in whatever export. */
import { nameWithPid } from '../../model/name-with-pid.ts';
import { defined } from '../../model/defined.ts';
import type { MetricsWindow } from '../../model/evidence.ts';
import type { Parser } from '../parser.ts';
import { readPhrases } from '../text/lines.ts';

const id = 'windows';

export const windows: Parser = {
  id,
  title: 'Windows: low virtual memory (Resource-Exhaustion-Detector, event 2004)',
  literals: ['low virtual memory condition', 'computer is low on memory'],
  parse: (input) =>
    readPhrases<MetricsWindow>(input, id, [
      {
        literal: 'computer is low on memory',
        pattern: /[Yy]our computer is low on memory/,
        make: ({ origin }) => ({
          kind: 'metrics',
          origin,
          tool: 'Windows',
          samples: 1,
          reading: 'thrashing',
          message: 'Windows came near its commit limit (RAM plus page file)',
        }),
      },
      {
        literal: 'low virtual memory condition',
        span: 6,
        pattern:
          /(?:successfully diagnosed a )?low virtual memory condition\.?(?: The following programs consumed the most virtual memory: (?<name>[^()]{1,120}) \((?<pid>\d{1,10})\) consumed (?<used>\d{1,19}) bytes)?/,
        make: ({ origin, groups }) => ({
          kind: 'metrics',
          origin,
          tool: 'Windows',
          ...defined({ subject: groups['name'] }),
          ...(groups['pid'] === undefined ? {} : { pid: Number(groups['pid']) }),
          ...(groups['used'] === undefined ? {} : { usedBytes: Number(groups['used']) }),
          samples: 1,
          reading: 'thrashing',
          message: `Windows came near its commit limit (RAM plus page file)${groups['name'] === undefined ? '' : `; ${nameWithPid({ name: groups['name'], pid: Number(groups['pid']) })} had asked for the most: ${groups['used']} bytes`}`,
        }),
      },
    ]),
};
