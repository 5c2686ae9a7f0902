import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { followKernelLog, parseKernelRecord } from './kernel-log.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-kmsg-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a record, without its continuation lines', () => {
  expect(parseKernelRecord('6,339,5140900,-;NET: Registered\n SUBSYSTEM=net\n')).toEqual({
    uptimeSeconds: 5.1409,
    raw: '6,339,5140900,-;NET: Registered',
    text: 'NET: Registered',
  });
  expect(parseKernelRecord('no record')).toBeNull();
});

test('what stands in the place of the device and is none is not taken for an empty log', () => {
  const path = join(folder, 'kmsg');
  symlinkSync('/dev/null', path);
  const log = followKernelLog(path, 0);
  expect(log.status).toBe('absent');
  expect(log.read()).toEqual([]);
  log.close();
});

test('a device that is not there', () => {
  const log = followKernelLog(join(folder, 'none'), 0);
  expect(log.status).toBe('absent');
  log.close();
});

test('records from before the start are left out', () => {
  const path = join(folder, 'kmsg');
  // A plain file gives all of its records in one read: one is enough here.
  writeFileSync(path, '3,9,90000000,-;old\n');
  const log = followKernelLog(path, 100);
  expect(log.status).toBe('read');
  expect(log.read()).toEqual([]);
  log.close();
  const again = followKernelLog(path, 50);
  expect(again.read().map(({ text }) => text)).toEqual(['old']);
  again.close();
});

test('of what is older the clock alone is read: any length of number, and what is no record', () => {
  const path = join(folder, 'kmsg');
  const recordsOf = (text: string, since: number) => {
    writeFileSync(path, text);
    const log = followKernelLog(path, since);
    const records = log.read();
    log.close();
    return records.map(({ uptimeSeconds }) => uptimeSeconds);
  };
  expect(recordsOf('6,1,1234567890123,-;a year up\n', 1_234_567)).toEqual([1234567.890123]);
  expect(recordsOf('6,1,99999,c,caller=T1;x\n', 0)).toEqual([0.099999]);
  expect(recordsOf('6,1,x,-;no clock\n', 100)).toEqual([]);
  expect(recordsOf('6,1,5', 0)).toEqual([]);
});
