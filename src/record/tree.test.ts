import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { procAt } from '../machine/proc.ts';
import { ProcessTree } from './tree.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'coroner-proc-'));
  put('self', { pid: 1000, group: 1000, session: 900 });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

interface Fake {
  readonly pid: number;
  readonly parent?: number;
  readonly name?: string;
  readonly state?: string;
  readonly group?: number;
  readonly session?: number;
  readonly started?: number;
  readonly exitStatus?: number;
  readonly environ?: string;
  readonly flags?: number;
}
function put(
  folder: string | number,
  {
    pid,
    parent = 1,
    name = 'x',
    state = 'S',
    group = 1000,
    session = 900,
    started = 5,
    exitStatus = 0,
    environ = '',
    flags = 0,
  }: Fake,
) {
  mkdirSync(join(root, String(folder)), { recursive: true });
  const rest = [
    parent,
    group,
    session,
    0,
    -1,
    flags,
    0,
    0,
    0,
    0,
    1,
    1,
    0,
    0,
    20,
    0,
    1,
    0,
    started,
    4096,
    1,
  ];
  while (rest.length < 48) rest.push(0);
  writeFileSync(
    join(root, String(folder), 'stat'),
    `${pid} (${name}) ${state} ${rest.join(' ')} ${exitStatus}`,
  );
  writeFileSync(join(root, String(folder), 'environ'), environ);
}
const gone = (pid: number) => rmSync(join(root, String(pid)), { recursive: true });
let newest = 0;
/** The newest pid: what tells that something was started. */
const started = () => {
  newest += 1;
  writeFileSync(join(root, 'loadavg'), `0.1 0.1 0.1 1/80 ${newest}`);
};
const begin = () => {
  put(2000, { pid: 2000, parent: 1000, name: 'python3' });
  const tree = new ProcessTree(procAt(root), 'CORONER_RUN=/here');
  tree.begin(2000);
  return tree;
};
const appeared = (tree: ProcessTree) => {
  started();
  return tree
    .update(true)
    .appeared.map(({ pid }) => pid)
    .toSorted((a, b) => a - b);
};

test('children and their children, whatever the order of their pids', () => {
  const tree = begin();
  put(2002, { pid: 2002, parent: 2000 });
  put(1999, { pid: 1999, parent: 2002 });
  put(3000, { pid: 3000, parent: 1 });
  expect(appeared(tree)).toEqual([1999, 2002]);
});

test('a daemon is known by the mark in its environment', () => {
  const tree = begin();
  put(2005, { pid: 2005, parent: 1, environ: 'A=1\0CORONER_RUN=/here\0' });
  put(2006, { pid: 2006, parent: 1, environ: 'CORONER_RUN=/elsewhere\0' });
  expect(appeared(tree)).toEqual([2005]);
});

test('or by a session that the run has made, also without an environment', () => {
  const tree = begin();
  put(2002, { pid: 2002, parent: 2000, group: 2002, session: 2002 });
  expect(appeared(tree)).toEqual([2002]);
  put(2007, { pid: 2007, parent: 1, group: 2007, session: 2002 });
  expect(appeared(tree)).toEqual([2007]);
});

test('our own session and group make nobody a member', () => {
  const tree = begin();
  put(2008, { pid: 2008, parent: 1, group: 1000, session: 900 });
  expect(appeared(tree)).toEqual([]);
});

test('orphans stay members, and so do their later children', () => {
  const tree = begin();
  put(2002, { pid: 2002, parent: 2000 });
  expect(appeared(tree)).toEqual([2002]);
  put(2002, { pid: 2002, parent: 1 });
  gone(2000);
  put(2010, { pid: 2010, parent: 2002 });
  expect(appeared(tree)).toEqual([2010]);
});

test('a zombie tells how it ended, once', () => {
  const tree = begin();
  put(2002, { pid: 2002, parent: 2000 });
  appeared(tree);
  put(2002, { pid: 2002, parent: 2000, state: 'Z', exitStatus: 9 });
  expect(tree.update(false).gone).toMatchObject([{ signal: 'SIGKILL', seenAs: 'zombie' }]);
  gone(2002);
  expect(tree.update(false).gone).toEqual([]);
});

test('one that vanished is not said to have ended in any way', () => {
  const tree = begin();
  put(2002, { pid: 2002, parent: 2000 });
  appeared(tree);
  gone(2002);
  // Its descriptor is kept; on a real /proc it answers ESRCH, here the file lives on: a new process with the same pid tells the same.
  put(2002, { pid: 2002, parent: 1, started: 99 });
  tree.alive.get(2002)?.statFile?.close();
  const { gone: left } = tree.update(false);
  expect(left).toMatchObject([{ exitCode: null, signal: null, seenAs: 'vanished' }]);
});

test('nothing was started: nothing is looked at', () => {
  const tree = begin();
  started();
  tree.update(true);
  put(2002, { pid: 2002, parent: 2000 });
  expect(tree.update(true).appeared).toEqual([]);
});

test('a core that is being written: since when it was dead', () => {
  const tree = begin();
  const command = tree.alive.get(2000);
  tree.update(false);
  expect(command?.aliveUntil).toBeNull();
  const before = command?.readAt;
  // PF_DUMPCORE, beside PF_RANDOMIZE
  put(2000, { pid: 2000, parent: 1000, name: 'python3', state: 'D', flags: 0x400200 });
  tree.update(false);
  tree.update(false);
  expect(command?.aliveUntil).toBe(before);
});
