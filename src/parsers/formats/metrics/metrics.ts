/**
 * Figures that people paste: PSI, memory.current against memory.max, memory.events, vmstat, sar, free, top, `time -v`,
 * docker stats, vm_stat and memory_pressure of macOS. Each is read for what it says on its own; whether anybody died of it is judged elsewhere.
 */
import type { Evidence } from '../../../model/evidence.ts';
import type { Input, Parser } from '../../parser.ts';
import { wholeText } from '../../text/lines.ts';
import { atop } from './atop.ts';
import { cgroupFiles, events, overHigh } from './cgroup-files.ts';
import { dockerStats } from './docker-stats.ts';
import { free } from './free.ts';
import { memoryPressure, vmStat } from './macos.ts';
import { average, pressure } from './pressure.ts';
import { sampledProcess } from './sampled-process.ts';
import { sar, sarMemory, sarSwap } from './sar.ts';
import { allocationStalls, hungForMemory } from './stalls.ts';
import { timeVerbose } from './time.ts';
import { kswapd, topHead } from './top.ts';
import { vmstat } from './vmstat.ts';
import { metricsId } from './window.ts';
import { slowInWords, wordsOfSlowness } from './words.ts';

export const metrics: Parser = {
  id: metricsId,
  title:
    'Figures over time: PSI, cgroup counters, vmstat, sar, free, top, time -v, docker stats, vm_stat; waits that the kernel logs',
  literals: [
    'avg10=',
    'avg10:',
    'avg10 ',
    'mem_cgroup_handle_over_high',
    '| swout ',
    'oom_kill ',
    'memory.current',
    'memory.usage_in_bytes',
    'swpd',
    'pswpin/s',
    'majflt/s',
    'refault_anon',
    'kbmemused',
    'kbswpused',
    'Mach Virtual Memory Statistics',
    'System-wide memory free percentage',
    'Maximum resident set size',
    'buff/cache',
    'buffers/cache',
    'kswapd',
    'avail Mem',
    'iB / ',
    'under_oom 1',
    'page allocation stalls',
    'blocked for more than',
    ...wordsOfSlowness,
  ],
  parse,
};

function* parse(input: Input): Iterable<Evidence> {
  const whole = wholeText(input);
  if (average.test(whole)) yield* pressure(input);
  yield* cgroupFiles(input);
  if (/\boom_kill\b/.test(whole)) yield* events(input);
  if (/\bsi\s+so\b/.test(whole)) yield* vmstat(input);
  yield* overHigh(input);
  if (whole.includes('swout')) yield* atop(input);
  if (/pswpin\/s|majflt\/s/.test(whole)) yield* sar(input);
  if (whole.includes('refault_anon')) yield* sampledProcess(input);
  if (whole.includes('kbmemused')) yield* sarMemory(input);
  if (whole.includes('kbswpused')) yield* sarSwap(input);
  if (whole.includes('Mach Virtual Memory Statistics')) yield* vmStat(input);
  if (whole.includes('System-wide memory free percentage')) yield* memoryPressure(input);
  if (/^\s*Mem:/m.test(whole)) yield* free(input);
  if (whole.includes('avail Mem')) yield* topHead(input);
  if (whole.includes('kswapd')) yield* kswapd(input);
  if (whole.includes('page allocation stalls')) yield* allocationStalls(input);
  if (whole.includes('blocked for more than')) yield* hungForMemory(input);
  if (whole.includes('Maximum resident set size')) yield* timeVerbose(input);
  if (/\d[KMG]i?B \/ \d/.test(whole)) yield* dockerStats(input);
  yield* slowInWords(input);
}
