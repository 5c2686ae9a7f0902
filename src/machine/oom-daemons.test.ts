import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Answer } from './ask.ts';
import { askOomDaemons, runningOomDaemons } from './oom-daemons.ts';

const answer = (stdout: string, more: Partial<Answer> = {}): Answer => ({
  status: 'answered',
  stdout,
  stderr: '',
  truncated: false,
  ...more,
});
const acted =
  'Jan 31 12:00:01 guest earlyoom[197]: sending SIGTERM to process 200 uid 0 "python3": badness 1208, VmRSS 289 MiB\n';

test('guards are known by the name of their process', () => {
  const proc = mkdtempSync(join(tmpdir(), 'coroner-guards-'));
  try {
    for (const [pid, name] of [
      ['1', 'systemd'],
      ['12', 'earlyoom'],
      ['13', 'systemd-oomd'],
      ['14', 'not-earlyoom'],
    ] as const) {
      mkdirSync(join(proc, pid));
      writeFileSync(join(proc, pid, 'comm'), `${name}\n`);
    }
    mkdirSync(join(proc, '15'));
    expect(runningOomDaemons(proc)).toEqual(['earlyoom', 'systemd-oomd']);
    expect(runningOomDaemons(join(proc, 'nowhere'))).toEqual([]);
  } finally {
    rmSync(proc, { recursive: true });
  }
});

test('asked again until it tells of an action, and not longer', async () => {
  const calls: (readonly string[])[] = [];
  const late = await askOomDaemons(['earlyoom', 'nohang'], 1700000000.9, [1, 1], (_, args) => {
    calls.push(args);
    return Promise.resolve(answer(calls.length < 3 ? 'earlyoom[197]: mem avail: 35\n' : acted));
  });
  expect(late).toMatchObject({ text: acted, source: { status: 'read' } });
  expect(calls).toHaveLength(3);
  expect(calls[0]).toContain('--since=@1700000000');
  expect(calls[0]?.slice(-3)).toEqual([
    'SYSLOG_IDENTIFIER=earlyoom',
    '+',
    'SYSLOG_IDENTIFIER=nohang',
  ]);
  let asked = 0;
  const silent = await askOomDaemons(['earlyoom'], 0, [1], () => {
    asked += 1;
    return Promise.resolve(answer(''));
  });
  expect({ asked, ...silent }).toMatchObject({ asked: 2, text: '', source: { status: 'read' } });
});

test('what may not be read is said, with the command that would tell', async () => {
  const hint = 'Hint: You are currently not seeing messages from other users and the system.\n';
  const denied = await askOomDaemons(['earlyoom'], 0, [1], () =>
    Promise.resolve(answer('', { stderr: hint })),
  );
  expect(denied.source).toMatchObject({ status: 'denied' });
  expect(denied.source.command).toBe('sudo journalctl -u earlyoom --since -1h');
  const absent = await askOomDaemons(['earlyoom'], 0, [1], () =>
    Promise.resolve(answer('', { status: 'absent' })),
  );
  expect(absent.source.status).toBe('absent');
});
