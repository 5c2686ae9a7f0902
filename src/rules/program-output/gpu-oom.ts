import { ruleOnErrors, type OtherMemory } from '../shared/other-memory.ts';
import { remedy } from '../shared/remedies.ts';

export const gpuMemory: OtherMemory = {
  resource: 'gpu',
  title: "The GPU's memory ran out",
  cause: 'gpu-oom',
  owner: 'gpu',
  headline: (size, place) =>
    `The GPU had no ${size} left${place}: its memory ran out, not the host's`,
  says: 'The words name the memory of the GPU',
  remedies: ({ requestBytes }) => [
    remedy('smaller-batch', requestBytes),
    remedy('see-who-holds-the-gpu'),
  ],
};

export const gpuOom = ruleOnErrors('gpu-oom', gpuMemory);
