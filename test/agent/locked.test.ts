/**
 * The agent's file stays in memory, or whoever writes to it waits for the disk near a memory limit. What a process may lock is the
 * program's all the same.
 */
import { expect, test } from 'vitest';
import { systemPython } from '../have.ts';
import { underAgent } from './under-agent.ts';

const agentFileKiB = 3810;
const preamble = `
import ctypes, mmap, os, resource
libc = ctypes.CDLL(None, use_errno=True)
libc.mlock.argtypes = libc.mlock2.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
def locked():
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmLck:'))
area = ctypes.create_string_buffer(1 << 16)
`;
const locks = [
  ['mlock', 'assert libc.mlock(area, 4096) == 0'],
  ['mlock2', 'assert libc.mlock2(area, 4096, 0) == 0'],
  [
    'mmap with MAP_LOCKED',
    'held = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x2000)',
  ],
  [
    'after fork',
    'pid = os.fork()\nif pid: os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\nassert libc.mlock(area, 4096) == 0',
  ],
] as const;

test.for(locks)('%s: the whole limit is the program’s', async ([, locking]) => {
  const program = `${preamble}before = locked()\n${locking}\nprint(before, locked())`;
  const { stdout, stderr, exitCode } = await underAgent([systemPython, '-c', program], {
    enter: ['sh', '-c', 'ulimit -l 8192; exec "$@"', 'sh'],
  });
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  const [before, after] = stdout.trim().split(' ').map(Number);
  expect(before).toBeGreaterThanOrEqual(agentFileKiB - 100);
  expect(before).toBeLessThanOrEqual(agentFileKiB + 100);
  expect(after).toBeLessThanOrEqual(16);
});

test('mlockall: the program’s memory, whatever was locked before', async () => {
  const program = `${preamble}libc.mlockall(1)\nprint(libc.munlockall(), locked())`;
  expect((await underAgent([systemPython, '-c', program])).stdout).toBe('0 0\n');
});

test('nothing is locked where little may be', async () => {
  const { stdout } = await underAgent([systemPython, '-c', `${preamble}print(locked())`], {
    enter: ['sh', '-c', 'ulimit -l 64; exec "$@"', 'sh'],
  });
  expect(stdout).toBe('0\n');
});
