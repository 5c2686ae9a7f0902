/** What parents say when a worker of theirs vanished: multiprocessing, concurrent.futures, loky, torch, xdist, dask, ray. */
import { mentions } from '../text/lines.ts';
import type { NoticeWording } from '../text/notices.ts';
import { noticeParser } from '../text/notices.ts';

/** spawn imports the main module again in each child, which starts workers in turn: multiprocessing ends it with this text. */
const unguarded = /start a new process before the\s+current process has finished its bootstrapping/;
const isUnguarded: NonNullable<NoticeWording['unless']> = ({ input }) => mentions(input, unguarded);

const wordings: readonly NoticeWording[] = [
  {
    reporter: 'multiprocessing',
    literal: 'start a new process before',
    vanished: true,
    otherReason: "the script starts workers as it is imported (no if __name__ == '__main__')",
    span: 2,
    pattern:
      /attempt has been made to start a new process before the current process has finished its bootstrapping phase/,
  },
  {
    reporter: 'concurrent.futures',
    literal: 'BrokenProcessPool',
    vanished: true,
    guessesMemory: true,
    pattern:
      /BrokenProcessPool(?:: (?:A (?:child )?process (?:in the process pool )?(?:was )?terminated abruptly.{0,100}|A task has failed to un-serialize.{0,40}|\(?['"]?A (?:child )?process.{0,100}))/,
    unless: (found) => /un-serialize/.test(found.match[0]) || isUnguarded(found),
  },
  {
    reporter: 'concurrent.futures',
    literal: 'terminated abruptly',
    vanished: true,
    guessesMemory: true,
    pattern:
      /(?<!Pool: |Pool\(['"]?)A (?:child )?process (?:in the process pool )?(?:was )?terminated abruptly/,
    unless: isUnguarded,
  },
  {
    reporter: 'joblib (loky)',
    literal: 'exit codes of the workers are',
    guessesMemory: true,
    span: 2,
    pattern:
      /The exit codes of the workers are \{(?:EXIT\(\d{1,3}\), ){0,8}(?<signal>SIG[A-Z]+)\(-\d+\)/,
  },
  {
    reporter: 'joblib (loky)',
    literal: 'unexpectedly terminated',
    vanished: true,
    guessesMemory: true,
    pattern:
      /A worker process managed by the executor was unexpectedly terminated\.(?!.{0,400}The exit codes of the workers are)/,
    span: 6,
    unless: ({ input }) => mentions(input, /exit codes of the workers are/),
  },
  {
    reporter: 'PyTorch DataLoader',
    literal: 'DataLoader worker',
    signal: 'SIGBUS',
    otherReason: 'shared memory',
    resource: 'shm',
    pattern:
      /DataLoader worker \(pid(?:\(s\))? (?<pid>\d{1,9})[\d, ]{0,200}\) is killed by signal: Bus error/,
  },
  {
    reporter: 'PyTorch DataLoader',
    literal: 'DataLoader worker',
    guessesMemory: true,
    pattern:
      /DataLoader worker \(pid(?:\(s\))? (?<pid>\d{1,9})[\d, ]{0,200}\) is killed by signal: (?<signal>Killed)/,
  },
  {
    reporter: 'PyTorch DataLoader',
    literal: 'DataLoader worker',
    signal: 'SIGTERM',
    pattern:
      /DataLoader worker \(pid(?:\(s\))? (?<pid>\d{1,9})[\d, ]{0,200}\) is killed by signal: Terminated/,
  },
  {
    reporter: 'PyTorch DataLoader',
    literal: 'DataLoader worker',
    signal: 'SIGSEGV',
    pattern:
      /DataLoader worker \(pid(?:\(s\))? (?<pid>\d{1,9})[\d, ]{0,200}\) is killed by signal: Segmentation fault/,
  },
  {
    reporter: 'PyTorch DataLoader',
    literal: 'DataLoader worker',
    pattern:
      /DataLoader worker \(pid(?:\(s\))? (?<pid>\d{1,9})[\d, ]{0,200}\) (?:exited unexpectedly with exit code (?<code>-?\d{1,3}))/,
  },
  {
    reporter: 'torch elastic',
    literal: 'received by PID',
    pattern: /Signal \d{1,2} \((?<signal>SIG[A-Z]+)\) received by PID (?<pid>\d{1,9})/,
  },
  {
    reporter: 'torch elastic',
    literal: 'failed (exitcode',
    pattern: /failed \(exitcode: (?<code>-\d{1,2})\) local_rank: \d{1,4} \(pid: (?<pid>\d{1,9})\)/,
  },
  {
    reporter: 'torch multiprocessing',
    literal: 'terminated with signal',
    pattern: /ProcessExitedException: process \d{1,4} terminated with signal (?<signal>SIG[A-Z]+)/,
  },
  {
    reporter: 'pytest-xdist',
    literal: 'node down: Not properly terminated',
    vanished: true,
    pattern: /\[(?<name>gw\d{1,4})\] node down: Not properly terminated/,
  },
  {
    reporter: 'pytest-xdist',
    literal: 'crashed while running',
    vanished: true,
    pattern: /worker '(?<name>gw\d{1,4})' crashed while running '[^']{1,300}'/,
    unless: ({ input }) => mentions(input, /node down: Not properly terminated/),
  },
  {
    reporter: 'DeepSpeed',
    literal: 'exits with return code',
    pattern: /exits with return code = (?<code>-\d{1,2})\b/,
  },
  {
    reporter: 'Jupyter',
    literal: 'Kernel crashed while executing code',
    vanished: true,
    pattern: /The Kernel crashed while executing code in the (?:current cell|the current cell)/,
    unless: ({ input }) =>
      mentions(input, /CuDNN|cudnn|Segmentation|GLIBC|DLL load failed|libiomp5/),
  },
  {
    // The nanny itself ends a worker above its budget so, and says it.
    reporter: 'dask nanny',
    literal: 'was killed by signal 15',
    signal: 'SIGTERM',
    otherReason: 'it was asked to end (SIGTERM), which no OOM killer does',
    pattern: /Worker process (?<pid>\d{1,9}) was killed by signal 15\b/,
    unless: ({ input }) => mentions(input, /memory budget/),
  },
  {
    reporter: 'dask nanny',
    literal: 'was killed by signal',
    pattern:
      /Worker process (?<pid>\d{1,9}) was killed by (?:signal (?<signal>\d{1,2})|unknown signal)/,
  },
  {
    reporter: 'dask',
    literal: 'all those workers died',
    vanished: true,
    guessesMemory: true,
    pattern:
      /Attempted to run task .{1,300}? on \d{1,4} different workers, but all those workers died while running it/,
  },
  {
    reporter: 'ray',
    literal: 'Worker exit type: SYSTEM_ERROR',
    vanished: true,
    guessesMemory: true,
    unless: ({ input }) => mentions(input, /node running low on memory/),
    pattern:
      /Worker PID: (?<pid>\d{1,9}) Worker exit type: SYSTEM_ERROR Worker exit detail: .{0,400}/,
  },
  {
    reporter: 'ray',
    literal: 'WorkerCrashedError',
    vanished: true,
    pattern: /WorkerCrashedError.{0,20}The worker died unexpectedly while executing this task/,
    unless: ({ input }) => mentions(input, /Worker exit type: SYSTEM_ERROR|OutOfMemoryError/),
  },
  {
    reporter: 'Jupyter',
    literal: 'appears to have died',
    vanished: true,
    pattern: /[Tt]he kernel (?:for \S.{0,120}? )?appears to have died/,
    unless: ({ input }) =>
      mentions(input, /CuDNN|cudnn|Segmentation|GLIBC|DLL load failed|libiomp5/),
  },
  {
    reporter: 'Jupyter',
    literal: 'KernelRestarter: restarting kernel',
    vanished: true,
    pattern: /KernelRestarter: restarting kernel \(\d\/\d\).{0,40}/,
  },
  {
    reporter: 'Jupyter',
    literal: 'WARNING:root:kernel',
    vanished: true,
    pattern: /WARNING:root:kernel [0-9a-f-]{36} restarted/,
    unless: ({ input }) => mentions(input, /session crashed after using all available RAM/),
  },
  {
    reporter: 'Colab',
    literal: 'session crashed for an unknown reason',
    vanished: true,
    pattern: /[Ss]ession crashed for an unknown reason/,
  },
  {
    reporter: 'Jupyter',
    literal: 'Kernel died',
    vanished: true,
    pattern: /(?:DeadKernelError: )?Kernel died(?: before replying to kernel_info)?/,
  },
  {
    reporter: 'PyTorch DataLoader',
    literal: 'exited unexpectedly',
    vanished: true,
    guessesMemory: true,
    pattern:
      /DataLoader worker \(pid(?:\(s\))? (?<pid>\d{1,9})[\d, ]{0,200}\) exited unexpectedly(?! with exit code)/,
  },
  {
    reporter: 'Spark',
    literal: 'exited unexpectedly (crashed)',
    vanished: true,
    pattern: /Python worker exited unexpectedly \(crashed\)/,
  },
  {
    reporter: 'ray',
    literal: 'worker died unexpectedly while executing',
    vanished: true,
    guessesMemory: true,
    pattern: /The worker died unexpectedly while executing this task/,
    unless: ({ input }) => mentions(input, /Worker exit type: SYSTEM_ERROR|OutOfMemoryError/),
  },
  {
    reporter: 'ray',
    literal: 'worker died or was killed while executing',
    vanished: true,
    pattern: /[Aa] worker died or was killed while executing a task by an unexpected system error/,
    unless: ({ input }) => mentions(input, /Worker exit type: SYSTEM_ERROR|OutOfMemoryError/),
  },
  {
    reporter: 'RStudio',
    literal: 'R Session Aborted',
    vanished: true,
    pattern: /^(?:[#>*] ?)?R Session Aborted(?! \w)|R Session Aborted(?= R encountered)/,
  },
  {
    reporter: 'RStudio',
    literal: 'session was abnormally terminated',
    vanished: true,
    pattern: /(?:previous )?R session was abnormally terminated/,
    unless: ({ input }) => mentions(input, /R Session Aborted/),
  },
  {
    reporter: 'dask nanny',
    literal: 'exited with status 0',
    exitCode: 0,
    otherReason: 'it ended by itself (exit status 0)',
    pattern: /Worker process (?<pid>\d{1,9}) exited with status 0\b/,
    unless: ({ input }) => mentions(input, /memory budget/),
  },
  {
    reporter: 'uvicorn',
    literal: 'Child process [',
    vanished: true,
    pattern: /Child process \[(?<pid>\d{1,9})\] died/,
  },
];

export const poolWorkers = noticeParser(
  'pool-workers',
  'Workers that vanished, as their parents tell: pools, DataLoader, torchrun, xdist, dask, ray, Jupyter',
  wordings,
);
