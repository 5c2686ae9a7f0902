import type { Census } from '../heap/census.ts';
import type { TypeInfo } from './types.ts';

/** Takes every word of an object's fixed part, from an offset on, for a reference: what is none is seen to be none. */
export function scanFields(
  census: Census,
  object: number,
  type: TypeInfo,
  owner: number,
  from: number,
): void {
  const skip = type.weaklistOffset > 0 ? object + type.weaklistOffset : 0;
  census.visitWords(object + from, object + Math.floor(type.basicBytes / 8) * 8, owner, skip);
}
