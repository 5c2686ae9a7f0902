import { expect, test } from 'vitest';
import type { KernelNotice, ProcessExit } from '../../model/evidence.ts';
import { unattributedSigkill } from './unattributed-sigkill.ts';

const shell: ProcessExit = {
  kind: 'process-exit',
  origin: { source: 'wait-status', place: 'events.ndjson:9', line: 9 },
  when: { wall: '2026-01-31T12:00:01.000Z' },
  pid: 41,
  name: 'sh',
  role: 'command',
  exitCode: 137,
  signal: null,
};
const kill = (more: Partial<KernelNotice>): KernelNotice => ({
  kind: 'kernel-notice',
  origin: { source: 'kernel-log', place: 'kernel.log:1', quote: 'Killed process 42 (python3)' },
  what: 'kill-of-unknown',
  pid: 42,
  name: 'python3',
  text: 'Killed process 42 (python3)',
  ...more,
});
const judged = (notice: KernelNotice) =>
  unattributedSigkill.judge([shell, notice], { sources: [] })[0];

test('whose limit a kill was of is told by the cgroup of the killed, not by the words of the log', () => {
  expect(judged(kill({ cgroup: '/job' }))).toMatchObject({
    cause: 'kernel-cgroup-oom',
    victim: { pid: 42, name: 'python3', cgroup: '/job' },
  });
  const global = judged(kill({}));
  expect(global?.cause).toBe('kernel-global-oom');
  expect(global?.victim).toEqual({ pid: 42, name: 'python3' });
});
