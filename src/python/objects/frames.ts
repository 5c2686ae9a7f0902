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
  const code = python.code(memory.word(slots - frame.localsplus + frame.code));
  const count = code === null ? 0 : code.names.length + code.stackSize;
  const skip = type.weaklistOffset > 0 ? object + type.weaklistOffset : 0;
  visitor.visitWords(object + 16, slots, owner, skip);
  // Above `stacktop` lie left-overs; it is -1 while the generator runs.
  const top = memory.i32(slots - frame.localsplus + frame.stacktop);
  const used = top >= 0 && top <= count ? top : (code?.names.length ?? 0);
  visitor.visitWords(slots, slots + 8 * used, owner);
  return count * 8;
}

/** A frame object that something keeps: a traceback, a debugger, a generator before 3.11. Returns the bytes of its slots. */
export function visitFrame(visitor: Visitor, object: number, owner: number): Bytes {
  const { memory, python } = visitor;
  const { frame, frameObject } = python.layout;
  if (frame !== undefined) {
    visitor.visit(memory.word(object + frameObject.back), owner);
    const own = object + frameObject.frameData!;
    const used = memory.word(object + frameObject.frame!);
    const code = python.code(memory.word(used + frame.code));
    // From 3.11 on it has no ob_size: its slots are counted by its code (frame_sizeof).
    const size = code === null ? 0 : 8 * (code.names.length + code.stackSize);
    // A frame that still runs lies in its thread's stack, where it is a root.
    if (used !== own) return size;
    visitor.visitWords(own, own + frame.localsplus, owner);
    if (code !== null) {
      const slots = own + frame.localsplus;
      visitor.visitWords(slots, slots + 8 * code.names.length, owner);
    }
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
