import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Allocation, Report } from '../../model/report.ts';
import { renderCollapsed } from './collapsed.ts';
import { renderGithub } from './github.ts';
import { renderJunit } from './junit.ts';
import { markdownText, renderMarkdownReport } from './markdown.ts';
import { renderPprof } from './pprof.ts';
import { renderSarif } from './sarif.ts';
import { renderSpeedscope } from './speedscope.ts';
import { renderTerminationLog } from './termination-log.ts';

const folder = new URL('../../../fixtures/reports/', import.meta.url);
const cases = readdirSync(folder, { withFileTypes: true })
  .filter(
    (entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/report.json`, folder)),
  )
  .map(({ name }) => name);
const read = (name: string): Report =>
  JSON.parse(readFileSync(new URL(`${name}/report.json`, folder), 'utf8')) as Report;
const usual = read('assassination-cgroup');
const hostile = read('hostile-names');
const endedWell = read('ended-well');
const options = { version: '0.1.0', directory: '/srv/app' };

/** 100 bytes by two paths of 60 and 30; 10 on neither. */
const twoPaths: Report = {
  ...usual,
  incidents: usual.incidents.map((incident) => {
    const frame = (name: string) => ({ function: name, file: 'a.py', line: 1 });
    const allocation: Allocation = {
      when: 'peak',
      file: 'a.py',
      line: 1,
      function: 'leaf',
      bytes: 100,
      share: 1,
      plusMinus: 0,
      stack: [frame('leaf'), frame('left')],
      paths: [
        { bytes: 60, stack: [frame('leaf'), frame('left')] },
        { bytes: 30, stack: [frame('leaf'), frame('right')] },
      ],
    };
    return { ...incident, memory: { allocations: [allocation] } };
  }),
};

test('pprof: figures that its format cannot say are bent, not thrown at', () => {
  for (const odd of [1.5, -1, NaN, Infinity, 1e300, 2 ** 64]) {
    const report: Report = {
      ...twoPaths,
      incidents: twoPaths.incidents.map((incident) => ({
        ...incident,
        at: '275760-09-13T00:00:00Z',
        memory: {
          allocations: (incident.memory.allocations ?? []).map((allocation) => ({
            ...allocation,
            bytes: odd,
            line: odd,
            paths: [{ bytes: odd, stack: [{ function: 'f', file: null, line: odd }] }],
          })),
        },
      })),
    };
    expect(gunzipSync(renderPprof(report)).toString(), String(odd)).toContain('killed');
  }
});

describe('collapsed', () => {
  test('outermost first, bytes last', () => {
    expect(renderCollapsed(usual).split('\n')[1]).toBe(
      '<module> (/srv/app/ingest.py:63);main (/srv/app/ingest.py:58);load (/srv/app/ingest.py:42);parse (/srv/app/ingest.py:17) 84095795',
    );
  });
  test('each path of a line is a stack; what is on none keeps the line', () => {
    expect(renderCollapsed(twoPaths).split('\n')).toEqual([
      // Of no weight: says whose file it is.
      'coroner 0',
      'left (a.py:1);leaf (a.py:1) 60',
      'right (a.py:1);leaf (a.py:1) 30',
      'left (a.py:1);leaf (a.py:1) 10',
      '',
    ]);
  });
  test('of a run in which nothing died: what was live at its peak', () => {
    const alive: Report = {
      ...twoPaths,
      incidents: [],
      run: { ...endedWell.run!, memory: twoPaths.incidents[0]!.memory },
    };
    expect(renderCollapsed(alive)).toBe(renderCollapsed(twoPaths));
  });
  test('names cannot break a line or a frame', () => {
    const odd = structuredClone(twoPaths) as unknown as {
      incidents: { memory: { allocations: { paths: { stack: { function: string }[] }[] }[] } }[];
    };
    const [first] = odd.incidents[0]?.memory.allocations[0]?.paths ?? [];
    if (first?.stack[0] !== undefined) first.stack[0].function = 'a;b\nc 7';
    const [, line = ''] = renderCollapsed(odd as unknown as Report).split('\n');
    expect(line).toBe('left (a.py:1);a,b\\nc 7 (a.py:1) 60');
  });
});

test('speedscope: frames are shared, weights add up, samples point at frames', () => {
  const file = JSON.parse(renderSpeedscope(usual, options)) as {
    shared: { frames: { name: string }[] };
    profiles: {
      name: string;
      unit: string;
      endValue: number;
      samples: number[][];
      weights: number[];
    }[];
  };
  expect(file.profiles.map(({ name }) => name)).toEqual(['live at the peak', 'live at the death']);
  for (const { samples, weights, endValue, unit } of file.profiles) {
    expect(unit).toBe('bytes');
    expect(samples).toHaveLength(weights.length);
    expect(weights.reduce((sum, bytes) => sum + bytes, 0)).toBe(endValue);
    for (const number of samples.flat()) expect(file.shared.frames[number]).toBeDefined();
  }
  expect(file.profiles[0]?.samples[0]?.map((number) => file.shared.frames[number]?.name)).toEqual([
    '<module>',
    'main',
    'load',
    'parse',
  ]);
});

/** A reader of protobuf's wire format: field number to its values (varints as bigint, the rest as bytes). */
function fields(bytes: Uint8Array): Map<number, (bigint | Uint8Array)[]> {
  const found = new Map<number, (bigint | Uint8Array)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('cut short');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const number = key >> 3;
    if ((key & 7) === 0) found.set(number, [...(found.get(number) ?? []), varint()]);
    else if ((key & 7) === 2) {
      const length = Number(varint());
      found.set(number, [...(found.get(number) ?? []), bytes.subarray(at, at + length)]);
      at += length;
    } else throw new Error(`wire type ${key & 7}`);
  }
  return found;
}
const asBytes = (value: bigint | Uint8Array | undefined): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array();
function numbers(value: bigint | Uint8Array | undefined): number[] {
  // A packed field is a message of nothing but varints.
  const bytes = asBytes(value);
  const all: number[] = [];
  let current = 0;
  let factor = 1;
  for (const byte of bytes) {
    current += (byte & 0x7f) * factor;
    factor *= 0x80;
    if (byte < 0x80) {
      all.push(current);
      [current, factor] = [0, 1];
    }
  }
  return all;
}

test('pprof: a gzipped profile whose stacks and sizes are those of the report', () => {
  const profile = fields(gunzipSync(renderPprof(usual)));
  const strings = (profile.get(6) ?? []).map((bytes) => new TextDecoder().decode(asBytes(bytes)));
  expect(strings[0]).toBe('');
  const types = (profile.get(1) ?? []).map((type) => fields(asBytes(type)));
  expect(
    types.map(
      (type) => `${strings[Number(type.get(1)?.[0])]} ${strings[Number(type.get(2)?.[0])]}`,
    ),
  ).toEqual(['inuse_space live at the peak bytes', 'inuse_space live at the death bytes']);
  const functions = new Map(
    (profile.get(5) ?? [])
      .map((each) => fields(asBytes(each)))
      .map((each) => [each.get(1)?.[0], strings[Number(each.get(2)?.[0])]]),
  );
  const locations = new Map(
    (profile.get(4) ?? [])
      .map((each) => fields(asBytes(each)))
      .map((each) => {
        const line = fields(asBytes(each.get(4)?.[0]));
        return [
          Number(each.get(1)?.[0]),
          `${functions.get(line.get(1)?.[0] as bigint)}:${line.get(2)?.[0] ?? 0}`,
        ];
      }),
  );
  const samples = (profile.get(2) ?? []).map((each) => fields(asBytes(each)));
  expect(samples).toHaveLength(4);
  expect(numbers(samples[0]?.get(1)?.[0]).map((id) => locations.get(id))).toEqual([
    'parse:17',
    'load:42',
    'main:58',
    '<module>:63',
  ]);
  expect(numbers(samples[0]?.get(2)?.[0])).toEqual([84095795, 0]);
  expect(profile.get(9)?.[0]).toBe(BigInt(Date.parse('2026-01-31T12:00:12.000Z')) * 1_000_000n);
});

describe('GitHub', () => {
  test('one annotation a death, on the line that was told, by its path in the repository', () => {
    expect(renderGithub(usual, options).commands).toBe(
      '::error file=ingest.py,line=17,title=Out of memory (kernel-cgroup-oom%2C certain)::The kernel killed python3 (pid 2400): its cgroup /job reached its 100 MiB limit%0AWhat now: Give /job more: it needed more than 100 MiB\n',
    );
  });
  test('names can start neither another command nor another output', () => {
    const { commands, outputs } = renderGithub(hostile, options);
    expect(commands.split('\n').filter((line) => line.startsWith('::'))).toHaveLength(1);
    expect(commands.trimEnd().split('\n')).toHaveLength(1);
    expect(
      outputs
        .trimEnd()
        .split('\n')
        .map((line) => line.split('=')[0]),
    ).toEqual(['out-of-memory', 'cause', 'death', 'confidence', 'headline']);
  });
  test.each(cases)('%s: the summary is a golden file', async (name) => {
    await expect(renderGithub(read(name), options).summary).toMatchFileSnapshot(
      new URL(`${name}/summary.md`, folder).pathname,
    );
  });
});

test.each([
  ['<img src=x onerror=alert(1)>', '&lt;img src=x onerror=alert(1)&gt;'],
  ['**bold** _it_ `code` | cell', '\\*\\*bold\\*\\* \\_it\\_ \\`code\\` \\| cell'],
  ['ping @everyone', 'ping @\u2060everyone'],
  ['see https://evil.example', 'see https:\u2060//evil.example'],
  ['[a](javascript:1)', '\\[a\\](javascript:1)'],
])('Markdown: %j is text', (text, shown) => {
  expect(markdownText(text)).toBe(shown);
});

test('a quote with fences stays within its fence', () => {
  const [incident] = usual.incidents;
  if (incident === undefined) throw new Error('no incident');
  const text = renderMarkdownReport({
    ...usual,
    incidents: [
      {
        ...incident,
        because: [{ says: 's', source: 'x', place: 'p', quote: '```\n# heading\n````' }],
      },
    ],
  });
  expect(text).toContain('  `````text\n  ```\n  # heading\n  ````\n  `````');
});

describe.each(cases)('%s', (name) => {
  const report = read(name);

  test('JUnit: a test case a death, well formed', () => {
    const xml = renderJunit(report);
    expect(xml.match(/<testcase /g) ?? []).toHaveLength(report.incidents.length);
    expect(wellFormed(xml)).toBe(true);
    // oxlint-disable-next-line no-control-regex -- what XML 1.0 cannot hold
    expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
  });

  test('SARIF: a result a death, each with its rule', () => {
    const { version, runs } = JSON.parse(renderSarif(report, options)) as {
      version: string;
      runs: {
        tool: { driver: { rules: { id: string }[] } };
        results: { ruleId: string; ruleIndex: number; level: string; kind: string }[];
      }[];
    };
    expect(version).toBe('2.1.0');
    expect(runs[0]?.results).toHaveLength(report.incidents.length);
    for (const { ruleId, ruleIndex, kind, level } of runs[0]?.results ?? []) {
      expect(runs[0]?.tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
      if (kind !== 'fail') expect(level).toBe('none');
    }
  });

  test('termination log: at most 4096 bytes, no controls', () => {
    const text = renderTerminationLog(report);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
    // oxlint-disable-next-line no-control-regex -- exactly what may not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\ufffd]/);
    if (report.incidents.length > 0) expect(text).toContain('Was it memory?');
  });
});

test.each(['\ud800', 'half\udc00', '/srv/\ud83d.py', '\u0000\u001b[2J\ud800'])(
  'SARIF: half a surrogate pair in a file’s name: %j',
  (file) => {
    const odd = structuredClone(usual) as unknown as {
      incidents: { stack: { function: string; file: string; line: number }[] }[];
    };
    for (const incident of odd.incidents) incident.stack = [{ function: 'load', file, line: 4 }];
    expect(() => renderSarif(odd as unknown as Report, options)).not.toThrow();
  },
);

test('termination log: what is too long is cut between characters', () => {
  const [incident] = usual.incidents;
  if (incident === undefined) throw new Error('no incident');
  const text = renderTerminationLog({
    ...usual,
    incidents: [
      {
        ...incident,
        headline: '日'.repeat(3000),
        because: Array.from({ length: 2 }, () => ({
          says: '本'.repeat(3000),
          source: 'x',
          place: 'p',
          quote: '語'.repeat(3000),
        })),
      },
    ],
  });
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
  expect(text).toMatch(/^日+…/);
  expect(text).not.toContain('\ufffd');
});

/** Enough of XML to notice an element that was not closed, or a quote or bracket that got through. */
function wellFormed(xml: string): boolean {
  const open: string[] = [];
  const rest = xml
    .replace(/^<\?xml[^>]*\?>/, '')
    .replaceAll(
      /<(\/?)([a-z-]+)((?: [a-z]+="[^"<]*")*)(\/?)>/g,
      (_, end: string, name: string, __, empty: string) => {
        if (end !== '') {
          if (open.pop() !== name) open.push('!');
        } else if (empty === '') open.push(name);
        return '';
      },
    );
  return open.length === 0 && !/[<>]/.test(rest) && !/&(?!(?:amp|lt|gt|quot);)/.test(rest);
}
