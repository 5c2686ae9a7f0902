/**
 * Kills by the BSD kernels when memory and swap are full (as Linux does when the whole machine is out of memory). FreeBSD's vm_pageout.c: `out of swap
 * space` up to 12, since 13 `failed to reclaim memory` or `a thread waited too long to allocate a page`, `jid N` since 9;
 * DragonFly has the old wording; NetBSD (uvm_pdaemon, uvm_fault) writes `UVM: pid N (name), uid N killed: out of swap`.
 */
import { killerParser, type KillerWording } from '../text/killers.ts';

const global = { cause: 'kernel-global-oom', owner: 'host' } as const;

const wordings: readonly KillerWording[] = [
  {
    ...global,
    reporter: 'FreeBSD',
    literal: 'was killed: ',
    pattern:
      /\bpid (?<pid>\d{1,9}) \((?<name>.{1,64}?)\),(?: jid \d{1,9},?)?(?: uid (?<uid>\d{1,10}),?)? was killed: (?:out of swap space|failed to reclaim memory|a thread waited too long to allocate a page)/,
    message: 'the kernel names the process that it killed because memory and swap were full',
  },
  {
    ...global,
    reporter: 'NetBSD',
    literal: 'killed: out of swap',
    pattern:
      /\bUVM: pid (?<pid>\d{1,9})(?:\.\d{1,9})? \((?<name>.{1,64}?)\), uid (?<uid>-?\d{1,10}) killed: out of swap/,
    message: 'the kernel names the process that it killed because swap was full',
  },
];

export const bsd = killerParser(
  'bsd',
  'FreeBSD, DragonFly and NetBSD: whom the kernel killed when memory and swap were full',
  wordings,
);
