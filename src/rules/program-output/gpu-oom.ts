import type { Finding } from '../../model/finding.ts';
import type { Prose } from '../../model/prose.ts';
import { ruleOnErrors, type OtherMemory } from '../shared/other-memory.ts';
import { remedy } from '../shared/remedies.ts';

/** Accelerators that are no GPU have a name of their own. */
const deviceName = (variant: string | undefined): string =>
  variant === 'tpu' ? 'The TPU' : variant === 'npu' ? 'The NPU' : 'The GPU';

/** On Apple's machines the GPU takes its memory from the machine's. */
const isShared = (variant: string | undefined): boolean => variant === 'shared-gpu-memory';

export const gpuMemory: OtherMemory = {
  resource: 'gpu',
  title: "The GPU's memory ran out",
  cause: 'gpu-oom',
  owner: 'gpu',
  headline: (size, place, { variant }) =>
    isShared(variant)
      ? `The GPU had no ${size} left${place}: its share of the machine's memory ran out`
      : `${deviceName(variant)} had no ${size} left${place}: its memory ran out, not the host's`,
  says: ({ variant }): Prose =>
    variant === 'tpu'
      ? 'The words name the memory of the TPU'
      : variant === 'npu'
        ? 'The words name the memory of the NPU'
        : 'The words name the memory of the GPU',
  remedies: ({ requestBytes, variant }) => [
    remedy('smaller-batch', requestBytes),
    isShared(variant)
      ? remedy('free-shared-gpu-memory')
      : variant === 'tpu' || variant === 'npu'
        ? remedy('see-who-holds-the-accelerator')
        : remedy('see-who-holds-the-gpu'),
  ],
  refine: (finding, { variant }, place) =>
    variant === 'device-unknown' ? onUnknownDevice(finding, place) : finding,
};

/** TensorFlow says the same of the GPU's memory and of the host's. */
function onUnknownDevice(
  { ruledOut: _ruledOut, limit: _limit, ...finding }: Finding,
  place: string,
): Finding {
  return {
    ...finding,
    cause: 'undetermined',
    confidence: 'weak',
    headline: `TensorFlow had no memory for a tensor${place}: nothing here says whether the GPU's or the host's`,
    because: finding.because.map((one) => ({
      ...one,
      says: 'TensorFlow could not allocate a tensor; the words name no device',
    })),
    unknown: [
      {
        id: 'which-device',
        what: 'On which device it wanted the tensor',
        why: 'the line ends before `on …/device:GPU:0 by allocator GPU_0_bfc` or `device:CPU:0 by allocator cpu`',
        command:
          'python3 -c "import tensorflow as tf; print(tf.config.list_physical_devices())"; nvidia-smi',
      },
    ],
    remedies: [remedy('smaller-batch', undefined), remedy('see-who-holds-the-gpu')],
  };
}

export const gpuOom = ruleOnErrors('gpu-oom', gpuMemory);
