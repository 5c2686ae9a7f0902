import type { Visitor } from './visitor.ts';
import type { TypeInfo } from './types.ts';

/** Follows every word of an object's fixed part from the offset `from` on: the visitor drops the words that are no references. */
export function scanFields(
  visitor: Visitor,
  object: number,
  type: TypeInfo,
  owner: number,
  from: number,
): void {
  const skip = type.weaklistOffset > 0 ? object + type.weaklistOffset : 0;
  visitor.visitWords(object + from, object + Math.floor(type.basicBytes / 8) * 8, owner, skip);
}
