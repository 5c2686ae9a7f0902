// Whatever a disk makes of an incident folder: no exception, the rest of the verdict as it was, and never more certain than before.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, boolean, constantFrom, integer, property } from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { gatherText } from '../src/gather/text.ts';
import { hearFaults, type FaultListener } from '../src/model/faults.ts';
import type { Report } from '../src/model/report.ts';
import { linesOf, parseInput } from '../src/parsers/parse.ts';
import type { Parser } from '../src/parsers/parser.ts';
import type { Rule } from '../src/rules/shared/define-rule.ts';
import { fixtures, random, root } from './fixtures.ts';
import {
  baseFolders,
  certainty,
  put,
  readBack,
  renderAll,
  renderStored,
  write,
  type BaseFolder,
} from './folders.ts';
import { command } from './have.ts';
import { pick, spoilField, spoilFile, spoilLine } from './spoil.ts';

/** How much longer than in `npm test`. */
const longer = Number(process.env['CORONER_FUZZ'] ?? 1);
const fifos = command('mkfifo') === null;

let parent = '';
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'coroner-test-folders-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const read = (folder: string) => {
  const back = readBack(folder);
  if (back === null) throw new Error('it is no incident folder any more');
  return back;
};
const withLine = (bytes: Buffer | undefined, line: string) =>
  ({
    kind: 'bytes',
    bytes: Buffer.concat([bytes ?? Buffer.alloc(0), Buffer.from(`${line}\n`)]),
  }) as const;
const said = ({ incidents }: Report) =>
  incidents.map(({ headline, confidence, cause, victim, limit, at }) => ({
    headline,
    confidence,
    cause,
    victim,
    limit,
    at,
  }));

describe.each(baseFolders())('the folder "$name"', (base: BaseFolder) => {
  const { files, innocent } = base;
  let folder = '';
  let whole: ReturnType<typeof read>;
  beforeAll(() => {
    folder = join(parent, base.name);
    write(folder, files);
    whole = read(folder);
  });
  const restore = (path: string) =>
    files[path] === undefined
      ? put(folder, path, { kind: 'absent' })
      : put(folder, path, { kind: 'bytes', bytes: files[path] });

  test.each([
    ['events.ndjson', '{"what":"note","atMs":1e300,"text":"x"}'],
    ['events.ndjson', '{"what":"process","atMs":1e300,"pid":1,"name":"a"}'],
    ['events.ndjson', '{"what":"stall","atMs":1,"begunMs":1e300,"pid":null,"how":"swap"}'],
    ['events.ndjson', '{"what":"stall","atMs":1,"begunMs":1e300}'],
    ['events.ndjson', '{"what":"process-gone","atMs":1,"pid":-1,"signal":"SIGKILL"}'],
    ['events.ndjson', '{"what":"process","atMs":1,"pid":1e300,"role":"command"}'],
    ['events.ndjson', '{"what":"limits","atMs":1,"pid":2400,"limits":[null]}'],
    ['events.ndjson', '{"what":"kill","atMs":1,"pid":"2400","text":"killed"}'],
    ['events.ndjson', '{"what":"cgroup","atMs":1,"id":0}'],
    ['events.ndjson', '{"what":"source","atMs":1,"id":5,"place":null}'],
    ['samples.ndjson', '{"atMs":9,"processes":5}'],
    ['samples.ndjson', '{"atMs":9,"processes":[null]}'],
    ['samples.ndjson', '{"atMs":9,"cgroups":{"0":null}}'],
    ['samples.ndjson', '{"atMs":9,"host":[]}'],
    ['samples.ndjson', '{"atMs":1e999}'],
    ['samples.ndjson', '[null]'],
    ['samples.ndjson', 'null'],
    ['python/2400.ndjson', '{"what":"exception","type":"MemoryError","stack":[]}'],
    ['python/2400.ndjson', '{"what":"exception","type":5,"fate":"uncaught"}'],
  ])('a line of %s that is %s is left out, and said to be', (path, line) => {
    const before = files[path]?.toString('utf8') ?? '';
    put(folder, path, withLine(files[path], line));
    try {
      const { report } = read(folder);
      expect(said(report)).toEqual(said(whole.report));
      const number = before.split('\n').length;
      expect(report.sources).toContainEqual(
        expect.objectContaining({
          place: path,
          status: 'malformed',
          detail: expect.stringMatching(new RegExp(`^1 line could .*, first: ${path}:${number}$`)),
        }),
      );
    } finally {
      restore(path);
    }
  });

  test('the time of an exception that no clock says is dropped, the exception stays', () => {
    const path = 'python/77.ndjson';
    const line = { what: 'exception', fate: 'uncaught', type: 'KeyError', stack: [], pid: 77 };
    put(folder, path, withLine(undefined, JSON.stringify({ ...line, time: 1e300 })));
    try {
      expect(read(folder).report.sources).toContainEqual(
        expect.objectContaining({ id: 'python-hook', place: path, status: 'malformed' }),
      );
    } finally {
      restore(path);
    }
  });

  test('spoilt lines, fields and files', { timeout: 600_000 * Math.max(1, longer) }, () => {
    const paths = Object.keys(files);
    assert(
      property(integer(), constantFrom(...paths), boolean(), (seed, path, shown) => {
        const next = random(seed);
        const bytes = files[path] as Buffer;
        const kind = next();
        const spoilt =
          kind < 0.25
            ? spoilFile(bytes, next, fifos)
            : kind < 0.6
              ? spoilLine(bytes, next)
              : spoilField(bytes, next);
        put(folder, path, spoilt.entry);
        try {
          const back = readBack(folder);
          if (shown && seed % 4 === 0) {
            renderStored(folder);
            if (back !== null) renderAll(back);
          }
          if (path !== 'incident.json') expect(back).not.toBeNull();
          if (back === null) return;
          const now = certainty(back.report);
          if (spoilt.garbage) expect(now, spoilt.how).toBeLessThanOrEqual(certainty(whole.report));
          if (innocent) expect(now, spoilt.how).toBeLessThan(4);
        } finally {
          restore(path);
        }
      }),
      { numRuns: Math.ceil(90 * longer) },
    );
    expect(said(read(folder).report)).toEqual(said(whole.report));
  });
});

test(
  'figures and dates out of any range in every format',
  { timeout: 600_000 * Math.max(1, longer) },
  () => {
    const figures = ['0', '-1', '1e300', '99999999999999999999999', '9'.repeat(400), '4294967296'];
    const dates = ['2026-91-31', '2026-02-31', '0000-00-00', '9999-99-99', '275760-09-14'];
    assert(
      property(integer(), (seed) => {
        const next = random(seed);
        const { bytes } = pick(fixtures, next);
        const share = pick([0.02, 0.2, 1], next);
        const spoilt = bytes
          .subarray(0, 12_000)
          .toString('utf8')
          .replace(/\d{4}-\d\d-\d\d/g, (date) => (next() < share ? pick(dates, next) : date))
          .replace(/\d+(?:\.\d+)?/g, (digits) => (next() < share ? pick(figures, next) : digits));
        const report = diagnose(gatherText('input', spoilt));
        for (const { at } of report.incidents)
          if (at !== null) expect(at).toMatch(/^(?:19[7-9]|2[01]\d)\d-\d\d-\d\dT/);
      }),
      { numRuns: Math.ceil(1500 * longer) },
    );
  },
);

const built = existsSync(new URL('../dist/cli/main.js', import.meta.url))
  ? null
  : 'needs npm run build';
test.skipIf(built !== null)(
  `coroner list and show of folders that lack nearly everything${built === null ? '' : ` (${built})`}`,
  () => {
    const store = join(parent, 'store');
    const [bare, rotten] = ['20260131-120000-aaaaaa', '20260131-120001-bbbbbb'];
    const begin = '{"format":"coroner-incident/1"';
    const bytes = (text: string) => ({ kind: 'bytes', bytes: Buffer.from(text) }) as const;
    put(store, `${bare}/incident.json`, bytes(`${begin}}`));
    put(store, `${rotten}/incident.json`, bytes(`${begin},"command":5,"recorderPid":1e300}`));
    put(store, `${rotten}/end.json`, bytes('[1]'));
    put(
      store,
      `${rotten}/report.json`,
      bytes('{"format":"coroner/1","incidents":[null,5,{"because":5,"headline":"it died"}]}'),
    );
    const coroner = (...words: readonly string[]) =>
      spawnSync(process.execPath, [join(root, 'bin/coroner.js'), ...words], { encoding: 'utf8' });
    const list = coroner('list', '--store', store, '--no-color');
    expect(list).toMatchObject({ status: 0, stderr: '' });
    expect(list.stdout).toContain('(its command is not known)');
    expect(list.stdout).toContain('it died');
    for (const id of [bare, rotten])
      expect(coroner('show', id, '--store', store)).toMatchObject({ status: 0, stderr: '' });
    expect(coroner('show', join(store, rotten, 'report.json'))).toMatchObject({
      status: 0,
      stderr: '',
    });
  },
);

describe('a fault of one part leaves the others their say', () => {
  const heard: string[] = [];
  let before: FaultListener = () => {};
  beforeAll(() => {
    before = hearFaults(({ where, stack }) => heard.push(`${where}: ${stack}`));
  });
  afterEach(() => heard.splice(0));
  afterAll(() => {
    hearFaults(before);
  });

  test('of a parser: what it had found stays, and the source is malformed', () => {
    const broken: Parser = {
      id: 'broken',
      title: 'broken',
      literals: [],
      *parse() {
        yield { kind: 'death-notice', origin: { source: 'broken', place: 'x' } } as never;
        throw new RangeError('Invalid time value');
      },
    };
    const faults: unknown[] = [];
    const facts = parseInput({ name: 'x', lines: linesOf('x') }, [broken, broken], (source) =>
      faults.push(source),
    );
    expect(facts).toHaveLength(2);
    expect(faults[0]).toEqual({
      id: 'broken',
      place: 'x',
      status: 'malformed',
      detail: 'a fault of coroner itself: Invalid time value',
    });
    expect(heard).toHaveLength(2);
    expect(heard[0]).toMatch(/^parser broken on x: RangeError: Invalid time value\n +at /);
  });

  test('of a rule: it did not run, and why', () => {
    const broken: Rule = {
      id: 'broken',
      title: 'broken',
      needs: [],
      uses: [],
      judge: () => {
        throw new TypeError('x is not iterable');
      },
    };
    const { rulesNotRun } = diagnose({ evidence: [], sources: [], rules: [broken] });
    expect(rulesNotRun).toEqual([{ rule: 'broken', missing: [], fault: 'x is not iterable' }]);
    expect(heard).toHaveLength(1);
  });
});
