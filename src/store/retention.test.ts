import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listIncidentFolders } from './incidents.ts';
import { defaultStoreLimits, folderBytes, keepWithin, parseStoreLimits } from './retention.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'coroner-store-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** No process of this machine: beyond pid_max. */
const nobody = 5_000_000;
const idOf = (number: number): string =>
  `20260131-${String(100_000 + number)}-abc${String(number).padStart(3, '0')}`;
const ended = '2026-01-31T12:00:20.000Z';

function fake(
  number: number,
  { recorderPid = nobody, bytes = 8192, end = {} as object | null } = {},
): string {
  const folder = join(root, idOf(number));
  mkdirSync(join(folder, 'agent'), { recursive: true });
  const start = { format: 'coroner-incident/1', recorderPid };
  writeFileSync(join(folder, 'incident.json'), JSON.stringify(start));
  writeFileSync(join(folder, 'samples.ndjson'), Buffer.alloc(bytes, 'x'));
  if (end !== null)
    writeFileSync(join(folder, 'end.json'), JSON.stringify({ endedAt: ended, ...end }));
  return folder;
}
const left = () => listIncidentFolders(root).map((folder) => basename(folder));

test('of 300 incidents the newest 180 are left after a few runs, each of which removes a bounded number; then nothing goes until 200 are passed', () => {
  for (let number = 0; number < 300; number += 1) fake(number);
  mkdirSync(join(root, 'not-ours'));
  keepWithin(root, { incidents: 200, bytes: Infinity }, join(root, idOf(299)));
  expect(left()).toHaveLength(236);
  expect(left().at(-1)).toBe(idOf(64));
  keepWithin(root, { incidents: 200, bytes: Infinity }, join(root, idOf(299)));
  expect(left()).toEqual(Array.from({ length: 180 }, (_, index) => idOf(299 - index)));
  for (let number = 300; number < 320; number += 1) fake(number);
  keepWithin(root, { incidents: 200, bytes: Infinity }, join(root, idOf(319)));
  expect(left()).toHaveLength(200);
  fake(320);
  keepWithin(root, { incidents: 200, bytes: Infinity }, join(root, idOf(320)));
  expect(left()).toHaveLength(180);
  expect(existsSync(join(root, 'not-ours'))).toBe(true);
});

test('by size too, oldest first; sizes are measured in portions and then known', () => {
  for (let number = 0; number < 300; number += 1) fake(number, { bytes: 40_000 });
  const one = folderBytes(join(root, idOf(0)));
  const limits = { incidents: 1000, bytes: 100 * one };
  for (let run = 0; run < 12; run += 1) keepWithin(root, limits, null);
  expect(left()).toEqual(Array.from({ length: 90 }, (_, index) => idOf(299 - index)));
  const noted = readFileSync(join(root, 'sizes'), 'utf8').trim().split('\n');
  expect(new Set(noted.map((line) => line.split(' ')[0])).size).toBeGreaterThanOrEqual(90);
  expect(noted[0]).toBe(`${idOf(299)} ${one}`);
});

test('a folder whose size is known is not opened again', () => {
  const folder = fake(1);
  fake(2);
  keepWithin(root, { incidents: 10, bytes: 1e9 }, null);
  // It has grown, and what was noted still counts: 16 KiB are within 64 KiB, a mebibyte is not.
  writeFileSync(join(folder, 'kernel.log'), Buffer.alloc(2 ** 20, 'x'));
  keepWithin(root, { incidents: 10, bytes: 65_536 }, null);
  expect(left()).toHaveLength(2);
  // The folder of the run that has just ended is.
  keepWithin(root, { incidents: 10, bytes: 65_536 }, folder);
  keepWithin(root, { incidents: 10, bytes: 65_536 }, join(root, idOf(2)));
  expect(left()).toEqual([idOf(2)]);
});

test('the list of sizes does not grow for ever, and is not written through a link', () => {
  writeFileSync(join(root, 'sizes'), `${idOf(500)} 5\n`.repeat(2000));
  fake(1);
  keepWithin(root, defaultStoreLimits, null);
  expect(readFileSync(join(root, 'sizes'), 'utf8')).toMatch(new RegExp(`^${idOf(1)} \\d+\n$`));
  const precious = join(root, 'precious');
  writeFileSync(precious, 'precious');
  rmSync(join(root, 'sizes'));
  symlinkSync(precious, join(root, 'sizes'));
  keepWithin(root, defaultStoreLimits, null);
  expect(readFileSync(precious, 'utf8')).toBe('precious');
});

test('nothing that is still written goes, however old it is, and never the newest', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  try {
    fake(0, { recorderPid: pid, end: null });
    fake(1, { end: { survivors: [pid] } });
    fake(2, { recorderPid: pid, end: { endedAt: new Date().toISOString() } });
    // Starting: nothing in it yet.
    mkdirSync(join(root, idOf(3)));
    const since = fake(4, { recorderPid: pid });
    fake(5, { end: null });
    const empty = join(root, idOf(6));
    mkdirSync(empty);
    utimesSync(empty, 1e9, 1e9);
    fake(7);
    for (const limits of [
      { incidents: 0, bytes: Infinity },
      { incidents: 100, bytes: 0 },
    ])
      keepWithin(root, limits, null);
    expect(existsSync(since)).toBe(false);
    expect(left()).toEqual([7, 3, 2, 1, 0].map(idOf));
  } finally {
    child.kill('SIGKILL');
  }
});

test.each([
  [undefined, defaultStoreLimits],
  ['', defaultStoreLimits],
  ['2G', { incidents: 200, bytes: 2 ** 31 }],
  ['100M,1000', { incidents: 1000, bytes: 100 * 2 ** 20 }],
  ['none', { incidents: Infinity, bytes: Infinity }],
  ['plenty', null],
  ['2G,many', null],
])('CORONER_STORE_MAX=%s', (text, limits) => {
  expect(parseStoreLimits(text)).toEqual(limits);
});

test('a store that is not there is no fault', () => {
  keepWithin(join(root, 'nothing'), defaultStoreLimits, null);
  expect(readdirSync(root)).toEqual([]);
});
