/**
 * Thread-local variables in a core, without any debug information: the few instructions of the accessor function
 * that libc and libstdc++ export say where the variable is. x86-64.
 */
import type { Words } from './memory-reader.ts';

/**
 * Address of a thread's errno, from the code of `__errno_location`:
 * glibc loads the TLS offset from its GOT and adds `%fs:0`; musl adds a constant to `%fs:0`.
 */
export function errnoAddress(
  words: Words,
  errnoLocation: number,
  threadPointer: number,
): number | null {
  const code = words.bytes(errnoLocation, 32);
  if (code === null) return null;
  const view = new DataView(code.buffer);
  let offset: number | null = null;
  let addsThreadPointer = false;
  for (let at = startsWith(code, 0, [0xf3, 0x0f, 0x1e, 0xfa]) ? 4 : 0; at < code.length - 9;) {
    if (startsWith(code, at, [0x48, 0x8b, 0x05]) || startsWith(code, at, [0x48, 0x03, 0x05])) {
      // mov or add disp32(%rip),%rax
      offset = signed64(words, errnoLocation + at + 7 + view.getInt32(at + 3, true));
      if (offset === null) return null;
      at += 7;
    } else if (
      startsWith(code, at, [0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0]) ||
      startsWith(code, at, [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0])
    ) {
      addsThreadPointer = true;
      at += 9;
    } else if (startsWith(code, at, [0x48, 0xc7, 0xc0])) {
      // mov $imm32,%rax: the static executable's form
      offset = view.getInt32(at + 3, true);
      at += 7;
    } else if (startsWith(code, at, [0x48, 0x8d, 0x80])) {
      offset = (offset ?? 0) + view.getInt32(at + 3, true);
      at += 7;
    } else if (startsWith(code, at, [0x48, 0x05])) {
      offset = (offset ?? 0) + view.getInt32(at + 2, true);
      at += 6;
    } else if (startsWith(code, at, [0x48, 0x83, 0xc0])) {
      offset = (offset ?? 0) + view.getInt8(at + 3);
      at += 4;
    } else if (code[at] === 0xc3) break;
    else return null;
  }
  return offset !== null && addsThreadPointer ? threadPointer + offset : null;
}

/**
 * Address of a thread's variable behind a `__tls_get_addr` accessor (`__cxa_get_globals`):
 * the GOT pair says module and offset, the thread's DTV where the module's block is.
 */
export function dynamicTlsAddress(
  words: Words,
  accessor: number,
  threadPointer: number,
): number | null {
  const code = words.bytes(accessor, 48);
  if (code === null) return null;
  const view = new DataView(code.buffer);
  for (let at = 0; at + 12 < code.length; at += 1) {
    // lea disp32(%rip),%rdi, and a call close behind (padded with prefixes in the general-dynamic form)
    if (!startsWith(code, at, [0x48, 0x8d, 0x3d])) continue;
    const pair = accessor + at + 7 + view.getInt32(at + 3, true);
    const call = code.indexOf(0xe8, at + 7);
    if (call < 0 || call > at + 11) return null;
    const module = words.u64(pair);
    const symbolOffset = words.u64(pair + 8);
    let offset = 0;
    for (let behind = call + 5; behind + 6 < code.length && code[behind] !== 0xc3; behind += 1)
      if (startsWith(code, behind, [0x48, 0x05])) {
        offset = view.getInt32(behind + 2, true);
        break;
      }
    const vector = words.u64(threadPointer + 8);
    if (
      module === null ||
      symbolOffset === null ||
      vector === null ||
      module === 0 ||
      module > 100_000
    )
      return null;
    // dtv_t is 16 bytes: {value, to_free}; an unallocated block has the value -1.
    const block = words.u64(vector + module * 16);
    return block === null || block === 0 || !Number.isSafeInteger(block)
      ? null
      : block + symbolOffset + offset;
  }
  return null;
}

function startsWith(code: Uint8Array, at: number, pattern: readonly number[]): boolean {
  return pattern.every((byte, index) => code[at + index] === byte);
}

function signed64(words: Words, address: number): number | null {
  const low = words.u32(address);
  const high = words.u32(address + 4);
  return low === null || high === null ? null : (high | 0) * 4294967296 + low;
}
