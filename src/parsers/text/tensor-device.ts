/** On whose memory TensorFlow wanted a tensor: its words often leave the device to the lines around them. */
import type { Input } from '../parser.ts';
import { elsewhere, lineAt } from './lines.ts';
import type { KnownMeaning } from './known-words.ts';

/** Lines in which the roots of an error are listed, each with its device. */
const rootLines = 25;

const onHost = /device:CPU:\d|\bby allocator (?:mklcpu|cpu)\b/;
const onTpu = /device:TPU|\bTPU_\d/;
const onGpu = /device:(?:GPU|XPU|DML)|\bGPU_\d+_bfc/;
/** Nothing of a device in the error itself: a machine on whose GPU it ran tells of it somewhere. */
const speaksOfGpu = /\bGPUs?\b|GPU:\d|GPU_\d|cuda|cudnn|nvidia|\bVRAM\b|显存/i;

/** Somebody asks which of the two it was. */
const either = /\b(?:GPU|CPU)(?: RAM| memory)?(?: or |\/)(?:the |on )?(?:GPU|CPU)\b/i;

export const tensorOnUnknownDevice = 'device-unknown';

/** The words begin on line `index`. The GPU's memory, the host's, or one that is not known (variant `device-unknown`). */
export function tensorMeaning(input: Input, index: number): KnownMeaning {
  let near = '';
  for (let at = index; at < Math.min(index + rootLines, input.lines.length); at += 1)
    near += `${lineAt(input, at)} `;
  if (onGpu.test(near)) return { resource: 'gpu' };
  if (onTpu.test(near)) return { resource: 'gpu', variant: 'tpu' };
  if (onHost.test(near)) return { resource: 'memory', variant: 'tensorflow-cpu' };
  const isGpuNamed = elsewhere(input, speaksOfGpu) !== null && elsewhere(input, either) === null;
  if (elsewhere(input, onGpu) !== null || isGpuNamed) return { resource: 'gpu' };
  return elsewhere(input, onHost) === null
    ? { resource: 'gpu', variant: tensorOnUnknownDevice }
    : { resource: 'memory', variant: 'tensorflow-cpu' };
}
