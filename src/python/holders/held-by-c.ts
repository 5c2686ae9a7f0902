import type { NativeThread } from '../process/memory.ts';
import { isPlausible } from '../process/memory.ts';
import { kinds } from '../objects/types.ts';
import type { SampledWalk } from './sampled-walk.ts';

/** A C stack is read from its stack pointer upwards, the innermost call first, at most so far. */
const maxStackBytes = 1 << 18;
const maxFound = 400;

/** Whether a container or a text lies at an address. */
export function isData(walk: SampledWalk, address: number): boolean {
  const { memory, types } = walk;
  if (!isPlausible(address) || !memory.isNearMapped(address)) return false;
  const type = types.of(address);
  if (type === null || type.isSingleton || !walk.isAlive(address)) return false;
  return (
    (type.kind >= kinds.string && type.kind <= kinds.bytearray) ||
    type.kind === kinds.deque ||
    type.kind === kinds.array ||
    type.kind === kinds.ndarray ||
    type.kind === kinds.orderedDict
  );
}

/** Containers and texts that a thread's C stack and registers point to, and that the walk has not found. */
export function heldByC(walk: SampledWalk, native: NativeThread | null): readonly number[] {
  const { memory } = walk;
  const stackPointer = native?.stackPointer ?? null;
  const region = stackPointer === null ? null : memory.region(stackPointer);
  if (native === null || stackPointer === null || region === null) return [];
  const words = new Set<number>(native.registers);
  const end = Math.min(region.end, stackPointer + maxStackBytes);
  for (let at = Math.ceil(stackPointer / 8) * 8; at + 8 <= end; at += 8) {
    const word = memory.word(at);
    if (word % 16 === 0 && (word < region.start || word >= region.end)) words.add(word);
  }
  const found: number[] = [];
  // In the order of addresses: each page is read once.
  for (const word of [...words].sort((a, b) => a - b)) {
    if (found.length >= maxFound) break;
    if (!isPlausible(word) || walk.find(word) >= 0) continue;
    if (memory.region(word)?.writable === true && isData(walk, word)) found.push(word);
  }
  return found;
}
