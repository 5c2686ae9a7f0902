import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { startTracing } from '../../src/machine/tracing.ts';
import { parseTraceLog } from '../../src/parsers/formats/trace-log.ts';
import { withTrace } from '../../src/gather/incident-folder/trace.ts';
import { oomMarkVictim } from '../../src/rules/recorded-run/oom-mark-victim.ts';
import { makeCgroup } from '../cgroup.ts';
import { cgroup, root } from '../have.ts';

const text = `python-16639   [001] .....  5407.041001: sys_mmap(addr: 0, len: 9184e72b000, prot: 3, flags: 22, fd: ffffffff, off: 0)
          python-16639   [001] .....  5407.041003: sys_mmap -> 0xfffffffffffffff4
 naive-malloc-16650   [000] d..1.  5407.316955: signal_generate: sig=11 errno=0 code=1 comm=naive-malloc pid=16650 grp=0 res=0
            bash-15813   [000] d..1.  2736.896605: signal_generate: sig=9 errno=0 code=0 comm=sleep pid=15817 grp=1 res=0
          a-b-c-15820   [000] ...1.  2737.298976: mark_victim: pid=15820 comm=python total-vm=323768kB anon-rss=65280kB file-rss:6680kB shmem-rss:0kB uid=0 pgtables=200kB oom_score_adj=0
`;

test('refusals with their size, senders, victims', () => {
  const { refusals, signals, victims } = parseTraceLog(text);
  expect(refusals).toMatchObject([
    { pid: 16639, name: 'python', call: 'mmap', bytes: 0x9184e72b000, line: 2 },
  ]);
  expect(signals).toMatchObject([
    { pid: 16650, signal: 11, code: 1, sender: { pid: 16650 } },
    { pid: 15817, name: 'sleep', signal: 9, code: 0, sender: { pid: 15813, name: 'bash' } },
  ]);
  expect(victims).toMatchObject([
    {
      pid: 15820,
      name: 'python',
      totalVmBytes: 323768 * 1024,
      anonRssBytes: 65280 * 1024,
      fileRssBytes: 6680 * 1024,
      shmemRssBytes: 0,
      uid: 0,
      oomScoreAdj: 0,
    },
  ]);
});

test('before 6.8 a mark is a pid and no more; a name may hold anything', () => {
  const mark = (rest: string) =>
    parseTraceLog(`a-1 [000] ...1. 2.5: mark_victim: ${rest}`).victims[0];
  expect(mark('pid=7')).toMatchObject({ pid: 7, name: null, anonRssBytes: null, uid: null });
  expect(
    mark(
      'pid=7 comm=x total-vm=9kB  total-vm=1kB anon-rss=2kB file-rss:3kB shmem-rss:4kB uid=5 pgtables=6kB oom_score_adj=-8',
    ),
  ).toMatchObject({ name: 'x total-vm=9kB ', anonRssBytes: 2048, uid: 5, oomScoreAdj: -8 });
});

test('a refusal whose request was not traced has no size', () => {
  expect(
    parseTraceLog('x-1 [000] ..... 1.0: sys_clone -> 0xfffffffffffffff4').refusals,
  ).toMatchObject([{ call: 'clone', bytes: null }]);
});

test('without tracefs it says so', () => {
  expect(startTracing([process.pid], ['/nonexistent'])).toMatchObject({ status: 'absent' });
});

const mounted = mkdtempSync(join(tmpdir(), 'coroner-test-'));
const reason =
  root() ??
  (spawnSync('mount', ['-t', 'tracefs', 'tracefs', mounted]).status === 0 ? null : 'needs tracefs');
afterAll(() => {
  spawnSync('umount', [mounted]);
  rmdirSync(mounted);
});

describe.skipIf(reason)(`the kernel as witness${reason ? ` (${reason})` : ''}`, () => {
  test('a swallowed refusal and who killed whom are recorded, and the instances are gone afterwards', async () => {
    const start = startTracing([process.pid], [mounted]);
    if (!('tracing' in start)) throw new Error(`${start.detail}`);
    try {
      spawnSync('python3', ['-c', 'try: bytearray(10**13)\nexcept MemoryError: pass']);
      const child = spawn('sleep', ['30']);
      await new Promise((resolve) => child.once('spawn', resolve));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      const { refusals, signals } = parseTraceLog(start.tracing.read());
      expect(
        refusals.some(({ call, bytes }) => call === 'mmap' && bytes !== null && bytes >= 1e13),
      ).toBe(true);
      expect(signals.find(({ pid }) => pid === child.pid)).toMatchObject({
        signal: 9,
        code: 0,
        sender: { pid: process.pid },
      });
    } finally {
      await start.tracing.close();
    }
    expect(existsSync(join(mounted, `instances/coroner-${process.pid}-calls`))).toBe(false);
  });

  const noCgroup = cgroup();
  test.skipIf(noCgroup)(
    `a kill for memory: its victim is marked, and the verdict has it without a kernel log${noCgroup ? ` (${noCgroup})` : ''}`,
    async () => {
      const group = makeCgroup('marked', { limitBytes: 40 * 2 ** 20, swapBytes: 0 });
      const start = startTracing([process.pid], [mounted]);
      if (!('tracing' in start)) throw new Error(`${start.detail}`);
      try {
        const [file = '', ...args] = [
          ...group.enter,
          'python3',
          '-c',
          'import os; print(os.getpid(), open("/proc/self/comm").read(), flush=True)\nx = [bytearray(2**20) for _ in range(200)]',
        ];
        const { signal, stdout } = spawnSync(file, args, { encoding: 'utf8', timeout: 20_000 });
        expect(signal).toBe('SIGKILL');
        const [pidText, name = ''] = stdout.trim().split(' ');
        const pid = Number(pidText);
        const folder = mkdtempSync(join(tmpdir(), 'coroner-test-'));
        mkdirSync(join(folder, 'agent'));
        writeFileSync(join(folder, 'agent/trace.log'), start.tracing.read());
        const [exit] = withTrace(folder, [
          {
            kind: 'process-exit',
            origin: { source: 'wait-status', place: 'events.ndjson:1' },
            pid,
            name,
            role: 'command',
            exitCode: null,
            signal: 'SIGKILL',
          },
        ]);
        rmSync(folder, { recursive: true });
        expect(exit).toMatchObject({
          markedVictim: { place: expect.stringMatching(/^agent\/trace\.log:\d+$/) },
        });
        const [finding] = oomMarkVictim.judge([exit!], { sources: [] });
        expect(finding).toMatchObject({ cause: 'kernel-cgroup-oom', confidence: 'strong' });
      } finally {
        await start.tracing.close();
        await group.remove();
      }
    },
  );

  test('what a killed recorder left is removed by the next', async () => {
    const stale = join(mounted, 'instances/coroner-4194304-calls');
    mkdirSync(stale);
    const start = startTracing([process.pid], [mounted]);
    if ('tracing' in start) await start.tracing.close();
    expect(existsSync(stale)).toBe(false);
  });
});
