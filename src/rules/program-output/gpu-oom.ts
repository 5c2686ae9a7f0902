import { formatBytes } from '../../model/units.ts';
import { ruleOnErrors, type OtherMemory } from '../shared/other-memory.ts';

export const gpuMemory: OtherMemory = {
  resource: 'gpu',
  title: "The GPU's memory ran out",
  cause: 'gpu-oom',
  owner: 'gpu',
  headline: (size, place) =>
    `The GPU had no ${size} left${place}: its memory ran out, not the host's`,
  says: 'The words name the memory of the GPU',
  remedies: ({ requestBytes }) => [
    {
      title: 'Make the batch, the sequence or the model smaller',
      detail: `${requestBytes === undefined ? '' : `${formatBytes(requestBytes)} more were needed. `}Smaller batches, gradient accumulation or checkpointing, bfloat16 or 8-bit weights, offloading.`,
      command: null,
    },
    {
      title: 'See who else holds the GPU',
      detail: 'Other processes (a forgotten notebook) may hold most of it.',
      command: 'nvidia-smi',
    },
  ],
};

export const gpuOom = ruleOnErrors('gpu-oom', gpuMemory);
