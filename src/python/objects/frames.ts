import type { Bytes } from '../../model/units.ts';
import type { Visitor } from './visitor.ts';
import { isPlausible } from '../process/memory.ts';
import { scanFields } from './fields.ts';
import type { TypeInfo } from './types.ts';

/** Returns the bytes of the bytecode (3.11 and later), which lies in the object. */
export function visitCode(visitor: Visitor, object: number, type: TypeInfo, owner: number): Bytes {
  const { memory, python } = visitor;
  const { code } = python.layout;
  const skip = type.weaklistOffset > 0 ? object + type.weaklistOffset : 0;
  if (python.minor >= 11) {
    visitor.visitWords(object + 24, object + code.bytecode! - 8, owner, skip);
    return Math.min(Math.abs(memory.signedWord(object + 16)), 1 << 26) * type.itemBytes;
  }
  // Up to 3.10 a dead frame is kept for the next call: it is no reference.
  visitor.visitWords(object + 40, object + code.zombieFrame!, owner, skip);
  return 0;
}

/** Returns the bytes of the frame that a generator carries from 3.11 on: locals and evaluation stack. */
export function visitGenerator(
  visitor: Visitor,
  object: number,
  type: TypeInfo,
  owner: number,
): Bytes {
  const { memory, python } = visitor;
  const { frame } = python.layout;
  if (frame === undefined) {
    scanFields(visitor, object, type, owner, 16);
    return 0;
  }
  const slots = object + type.basicBytes;
  const start = slots - frame.localsplus;
  const code = python.code(python.reference(memory.word(start + frame.code)));
  const count = code === null ? 0 : code.names.length + code.stackSize;
  const skip = type.weaklistOffset > 0 ? object + type.weaklistOffset : 0;
  visitor.visitWords(object + 16, start, owner, skip);
  visitSlots(visitor, start, frame.localsplus / 8, owner);
  const top = stackTop(visitor, object, slots);
  const used = top >= 0 && top <= count ? top : (code?.names.length ?? 0);
  visitSlots(visitor, slots, used, owner);
  return count * 8;
}

/**
 * How many slots of a generator's frame are in use: above them lie left-overs. -1: it runs, or the count is not known. From 3.14 on a
 * frame that is gone keeps a pointer into its slots: its state tells.
 */
function stackTop({ memory, python }: Visitor, object: number, slots: number): number {
  const { frame, generator } = python.layout;
  const start = slots - frame!.localsplus;
  if (frame!.stackpointer === undefined) return memory.i32(start + frame!.stacktop!);
  const state = (memory.u8(object + generator!.frameState!) << 24) >> 24;
  if (state === generator!.executing!) return -1;
  if (state > generator!.executing!) return 0;
  return (memory.word(start + frame!.stackpointer) - slots) / 8;
}

/** Follows `count` words of a frame. */
function visitSlots(visitor: Visitor, start: number, count: number, owner: number): void {
  const { memory, python } = visitor;
  if (python.minor < 14) {
    visitor.visitWords(start, start + 8 * count, owner);
    return;
  }
  for (let i = 0; i < count; i++)
    visitor.visit(python.reference(memory.word(start + 8 * i)), owner);
}

/** A frame object that something keeps: a traceback, a debugger, a generator before 3.11. Returns the bytes of its slots. */
export function visitFrame(visitor: Visitor, object: number, owner: number): Bytes {
  const { memory, python } = visitor;
  const { frame, frameObject } = python.layout;
  if (frame !== undefined) {
    visitor.visit(memory.word(object + frameObject.back), owner);
    const own = object + frameObject.frameData!;
    const used = memory.word(object + frameObject.frame!);
    const code = python.code(python.reference(memory.word(used + frame.code)));
    // From 3.11 on it has no ob_size: its slots are counted by its code (frame_sizeof).
    const size = code === null ? 0 : 8 * (code.names.length + code.stackSize);
    // A frame that still runs lies in its thread's stack, where it is a root.
    if (used !== own) return size;
    visitSlots(visitor, own, frame.localsplus / 8 + (code?.names.length ?? 0), owner);
    return size;
  }
  const code = python.code(memory.word(object + frameObject.code!));
  // Not begun yet, or no frame at all.
  if (code === null) return 0;
  const size = Math.min(Math.abs(memory.signedWord(object + 16)), 1 << 20) * 8;
  visitor.visitWords(
    object + 24,
    object + frameObject.trace + 8,
    owner,
    object + frameObject.valuestack!,
  );
  const slots = object + frameObject.localsplus!;
  const stack = slots + 8 * code.names.length;
  visitor.visitWords(slots, stack, owner);
  let end = stack;
  if (frameObject.stacktop !== undefined) end = memory.word(object + frameObject.stacktop);
  else if (frameObject.stackdepth !== undefined)
    end = stack + 8 * Math.max(0, memory.i32(object + frameObject.stackdepth));
  if (isPlausible(end) && end > stack && end <= stack + 8 * code.stackSize)
    visitor.visitWords(stack, end, owner);
  return size;
}
