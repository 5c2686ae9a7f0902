/** One entry of the agent's file each: a call path, a refused request, a moment of its growth. */
import { isoTime } from '../../../model/units.ts';
import type { Bytes } from '../../../model/units.ts';
import type { AgentBytes, AgentFailure, AgentMoment, AgentPath } from './facts.ts';
import type { AgentImage } from './image.ts';

const kinds = ['heap', 'object', 'mapping', 'shared'] as const;
const calls = ['malloc', 'calloc', 'realloc', 'aligned_alloc', 'mmap', 'mremap'] as const;

export function pathAt(image: AgentImage, place: number): AgentPath {
  const amount = (exact: number, estimated: number, samples: number): AgentBytes => ({
    exactBytes: Math.max(0, image.i64(place + exact)),
    estimatedBytes: Math.max(0, image.i64(place + estimated)),
    samples: Math.max(0, image.i32(place + samples)),
  });
  return {
    kind: kinds[image.u16(place + 64)] ?? 'heap',
    stack: image.pythonStack(image.u32(place + 60)),
    native: image.nativeStack(place + 72, image.u32(place + 68)),
    probable: (image.u16(place + 66) & 1) !== 0,
    live: amount(8, 16, 48),
    peak: amount(24, 32, 52),
    refused: image.keepsRefusals ? amount(120, 128, 136) : null,
    totalBytes: image.u64(place + 40),
  };
}

/** null: it was never filled in. */
export function failureAt(image: AgentImage, place: number): AgentFailure | null {
  const sequence = image.u64(place);
  const at = wallTime(image.u64(place + 8));
  if (sequence === 0 || at === null) return null;
  const flags = image.u16(place + 78);
  return {
    sequence,
    at,
    sinceStartMs: image.sinceStartMs(image.u64(place + 16)),
    bytes: image.u64(place + 24),
    rssBytes: image.u64(place + 32),
    vmBytes: image.u64(place + 40),
    limitAsBytes: limitOrNull(image, place + 48),
    limitDataBytes: limitOrNull(image, place + 56),
    threadId: image.u32(place + 64),
    errno: image.i32(place + 68),
    stack: image.pythonStack(image.u32(place + 72)),
    call: calls[image.u16(place + 76)] ?? 'malloc',
    byLimit: (flags & 1) !== 0,
    mainThread: (flags & 2) !== 0,
    native: image.nativeStack(place + 88, image.u32(place + 80)),
  };
}

/** RLIM_INFINITY and what comes near it limit nothing. */
function limitOrNull(image: AgentImage, offset: number): Bytes | null {
  const value = image.view.getBigUint64(offset, true);
  return value > 2n ** 62n ? null : Number(value);
}

/** `pathCount`: how many paths there are for it to refer to. */
export function momentAt(image: AgentImage, place: number, pathCount: number): AgentMoment {
  const top: { path: number; bytes: Bytes }[] = [];
  const room = Math.floor((image.stride('history') - 32) / 16);
  for (let n = 0; n < room; n += 1) {
    const path = image.u32(place + 32 + n * 16);
    if (path === 0 || path > pathCount) break;
    top.push({ path: path - 1, bytes: image.i64(place + 40 + n * 16) });
  }
  return {
    sinceStartMs: image.sinceStartMs(image.u64(place)),
    liveBytes: image.i64(place + 8),
    rssBytes: image.u64(place + 16),
    top,
  };
}

/** ISO 8601, of nanoseconds since 1970; null: none, or beyond what a date can be. */
export const wallTime = (ns: number): string | null =>
  ns > 0 ? (isoTime(ns / 1e6) ?? null) : null;
