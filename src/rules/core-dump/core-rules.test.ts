import { expect, test } from 'vitest';
import { diagnose } from '../../diagnose/diagnose.ts';
import type { CoreDump, KernelRefusal } from '../../model/evidence.ts';
import type { Incident } from '../../model/report.ts';

const core = (more: Partial<CoreDump> = {}): CoreDump => ({
  kind: 'core-dump',
  origin: { source: 'core', place: 'core' },
  record: 'core',
  pid: 4711,
  threadId: 4713,
  name: 'solver',
  signal: 'SIGSEGV',
  signalCode: 1,
  faultAddress: '0x0',
  access: 'write',
  operand: '(%rax)',
  baseRegisterZero: true,
  zeroRegister: 'rax',
  errno: 0,
  mapCount: 100,
  ...more,
});
const refusal = (more: Partial<KernelRefusal> = {}): KernelRefusal => ({
  kind: 'kernel-refusal',
  origin: { source: 'kernel-log', place: 'kern.log:7', line: 7 },
  pid: 4711,
  name: 'solver',
  bytes: 1_000_000_004_096,
  reporter: 'overcommit',
  ...more,
});
const about = ({ cause, confidence, variant = '' }: Incident): string =>
  `${cause} ${confidence} ${variant}`.trim();
const verdictOn = (...evidence: readonly (CoreDump | KernelRefusal)[]): string =>
  diagnose({ evidence, sources: [] }).incidents.map(about).join(' | ');

test.each([
  ['NULL and ENOMEM', { errno: 12 }, 'alloc-failure-segfault strong'],
  ['NULL and errno 0', {}, 'not-memory likely null-dereference'],
  ['NULL and errno 0 where ctypes was loaded', { ctypes: true }, 'undetermined weak'],
  ['NULL and no errno', { errno: undefined }, 'undetermined weak'],
  [
    'NULL and no errno at 65,530 mappings',
    { errno: undefined, mapCount: 65_530 },
    'alloc-failure-segfault likely max-map-count',
  ],
  [
    'a low address and ENOMEM',
    { errno: 12, baseRegisterZero: false, faultAddress: '0x30d40' },
    'alloc-failure-segfault likely',
  ],
  [
    'a wild pointer and ENOMEM',
    { errno: 12, baseRegisterZero: false, faultAddress: '0x7f0000001000' },
    'undetermined weak',
  ],
  [
    'a wild pointer',
    { baseRegisterZero: false, faultAddress: '0x7f0000001000' },
    'not-memory strong wild-pointer',
  ],
  [
    'a stack overflow, whatever errno says',
    { errno: 12, stackOverflow: true, faultAddress: '0x7ffc0000' },
    'not-memory strong stack-overflow',
  ],
  [
    'a signal that was sent, whatever errno says',
    { errno: 12, sender: { pid: 9, uid: 0 } },
    'not-memory strong signal-sent',
  ],
  [
    'std::bad_alloc',
    { signal: 'SIGABRT', exceptionType: 'std::bad_alloc' },
    'alloc-failure-abort strong',
  ],
  [
    'another exception, whatever errno says',
    { signal: 'SIGABRT', errno: 12, exceptionType: 'std::length_error' },
    'not-memory strong uncaught-exception',
  ],
  [
    'corruption, whatever errno says',
    { signal: 'SIGABRT', errno: 12, abortMessage: 'malloc(): corrupted top size' },
    'not-memory strong heap-corruption',
  ],
  ['an abort with ENOMEM alone', { signal: 'SIGABRT', errno: 12 }, 'alloc-failure-abort likely'],
  ['an abort', { signal: 'SIGABRT' }, 'undetermined weak'],
  [
    'Rust',
    {
      signal: 'SIGABRT',
      nativeStack: ['abort (libc.so.6 + 0x1)', '_RNvCs1_3std5alloc8rust_oom (a + 0x2)'],
    },
    'alloc-failure-abort strong',
  ],
  [
    'SIGBUS in /dev/shm',
    { signal: 'SIGBUS', faultMapping: '/dev/shm/torch_1' },
    'shm-exhausted likely',
  ],
  [
    'SIGBUS in a file',
    { signal: 'SIGBUS', faultMapping: '/srv/data.npy' },
    'not-memory likely bus-error',
  ],
  ['a core of a living process', { signal: null }, 'not-memory likely no-death'],
] as const)('%s', (_, more, expected) => {
  expect(verdictOn(core(more as Partial<CoreDump>))).toBe(expected);
});

test('the kernel’s refusal of this process makes it certain, whatever errno says', () => {
  expect(verdictOn(core(), refusal())).toContain('alloc-failure-segfault certain');
});

test('the refusal names the thread', () => {
  expect(verdictOn(core(), refusal({ pid: 4713 }))).toContain('alloc-failure-segfault certain');
});

test('a refusal of the same pid on another day is another process', () => {
  const died = core({ when: { wall: '2026-01-31T12:00:00.000Z' } });
  expect(verdictOn(died, refusal({ when: { wall: '2026-01-31T11:59:59.000Z' } }))).toContain(
    'certain',
  );
  expect(verdictOn(died, refusal({ when: { wall: '2026-01-12T08:00:00.000Z' } }))).not.toContain(
    'certain',
  );
});
