/**
 * The signal frame that the kernel pushed before it called a handler (`struct rt_sigframe`, x86-64):
 * where a handler re-raised the signal (faulthandler), the true fault is only there.
 * Layout: arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h.
 */
import { regionAt, type MemoryReader } from './memory-reader.ts';
import type { Register } from './x86-operand.ts';

export interface SignalFrame {
  /** null where the handler had not asked for a siginfo. */
  readonly signal: number | null;
  readonly code: number;
  readonly registers: Readonly<Record<Register | 'rip', bigint>>;
  /** si_addr of the original signal. */
  readonly address: bigint;
  /** CR2: the faulting address; meaningful for page faults (trap 14). */
  readonly cr2: bigint;
  /** Page-fault error code: 1 protection, 2 write, 4 user, 16 instruction fetch. */
  readonly error: number;
  readonly trap: number;
}

const faultSignals = new Set([4, 5, 6, 7, 8, 11]);
const maxScanBytes = 4 << 20;
/** pretcode, ucontext (304) and siginfo (128). */
const frameBytes = 8 + 304 + 128;
/** gregs of the ucontext by their order in memory, from `pretcode` + 48. */
const order = [
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
  'rdi',
  'rsi',
  'rbp',
  'rbx',
  'rdx',
  'rax',
  'rcx',
  'rsp',
  'rip',
] as const;

/** The innermost signal frame of a fault above `stackPointer`. */
export function findSignalFrame(memory: MemoryReader, stackPointer: number): SignalFrame | null {
  const region = regionAt(memory.regions, stackPointer);
  if (region === undefined) return null;
  const start = Math.floor(stackPointer / 8) * 8;
  const bytes = new Uint8Array(Math.min(region.end - start, maxScanBytes));
  const length = memory.readMemory(start, bytes);
  const view = new DataView(bytes.buffer, 0, length);
  for (let at = 0; at + frameBytes <= length; at += 8) {
    // cs and ss of user space, gs and fs 0: the cheapest thing to look for.
    if (view.getUint32(at + 192, true) !== 0x33 || view.getUint16(at + 196, true) !== 0) continue;
    const frame = frameAt(memory, view, at);
    if (frame !== null) return frame;
  }
  return null;
}

function frameAt(memory: MemoryReader, view: DataView, at: number): SignalFrame | null {
  const flags = view.getBigUint64(at + 8, true);
  const trap = Number(view.getBigUint64(at + 208, true));
  if (flags > 7n || trap > 32) return null;
  const pretcode = regionAt(memory.regions, Number(view.getBigUint64(at, true)));
  if (pretcode?.executable !== true) return null;
  // The extended state lies right above the frame, aligned for xsave.
  const state = Number(view.getBigUint64(at + 232, true));
  if (state !== 0 && state % 16 !== 0) return null;
  const registers = Object.fromEntries(
    order.map((name, index) => [name, view.getBigUint64(at + 48 + index * 8, true)]),
  ) as Record<Register | 'rip', bigint>;
  const error = Number(view.getBigUint64(at + 200, true) & 0xffffffffn);
  const cr2 = view.getBigUint64(at + 224, true);

  // Without SA_SIGINFO (faulthandler) the kernel leaves the siginfo's place as it was: only the trap tells then.
  const signal = view.getInt32(at + 312, true);
  const code = view.getInt32(at + 320, true);
  const told =
    faultSignals.has(signal) && view.getInt32(at + 316, true) === 0 && code > -60 && code <= 0x80;
  if (told)
    return {
      signal,
      code,
      registers,
      address: view.getBigUint64(at + 328, true),
      error,
      trap,
      cr2,
    };
  if (trap === 14)
    return {
      signal: null,
      code: (error & 1) === 0 ? 1 : 2,
      registers,
      address: cr2,
      error,
      trap,
      cr2,
    };
  if (trap === 13)
    return { signal: null, code: SI_KERNEL, registers, address: 0n, error, trap, cr2 };
  return null;
}

const SI_KERNEL = 0x80;
