/** What the agent could not see or keep, in words. */
import { header } from '../../../model/agent-header.ts';
import { formatBytes, mib } from '../../../model/units.ts';
import type { AgentFile } from './facts.ts';
import type { AgentImage } from './image.ts';

type Facts = Omit<AgentFile, 'notes'>;

export function notesOf(file: Facts, image: AgentImage): string[] {
  return [
    ...notesOnPython(file),
    ...notesOnFork(file),
    ...notesOnFreeLists(file),
    ...notesOnLosses(image),
    ...notesOnSampling(file, image),
    ...notesOnLimit(file),
    ...(image.truncated
      ? ['The file of the agent is cut short: what is missing is not counted']
      : []),
  ];
}

function notesOnPython({ python }: Facts): string[] {
  if (python === null) return [];
  const notes: string[] = [];
  if (python.freeThreaded)
    notes.push(
      `Python ${python.version} without the GIL: its small objects and its stacks are not seen by the agent`,
    );
  else if (!python.stacks)
    notes.push(
      `Python ${python.version} is not known to the agent: allocations have no Python lines`,
    );
  if (python.otherAllocator)
    notes.push(
      'PYTHONMALLOC, -X dev or a debug layer is in use: small objects are counted as malloc or not at all',
    );
  return notes;
}

const notesOnFork = ({ forked, forkedLiveBytes, parentPid }: Facts): string[] =>
  forked && forkedLiveBytes >= mib(1)
    ? [
        `It was forked from pid ${parentPid}, which had ${formatBytes(forkedLiveBytes)} live then: shared until one of them writes, and counted there`,
      ]
    : [];

const notesOnFreeLists = ({ python, peakBytes }: Facts): string[] =>
  python?.objects === true && peakBytes >= mib(16)
    ? [
        'CPython hands out freed lists, tuples, dicts and floats again (its free lists): they count at the line that took them, as far as the first uses of a sampled object tell',
      ]
    : [];

function notesOnLosses(image: AgentImage): string[] {
  const notes: string[] = [];
  const droppedLive = image.u64(header.droppedLive);
  if (droppedLive > 0)
    notes.push(`The table of live samples was full: ${droppedLive} allocations were not noted`);
  const droppedStacks = image.u64(header.droppedStacks);
  if (droppedStacks > 0)
    notes.push(`A table of stacks was full: ${droppedStacks} samples lack their line`);
  // Odd while the agent copies the peak.
  if (image.u32(header.peakSequence) % 2 === 1)
    notes.push('It ended while the peak was being copied: the peak mixes two close moments');
  return notes;
}

function notesOnSampling({ sampleMeanBytes }: Facts, image: AgentImage): string[] {
  const firstMean = image.u64(header.firstSampleMean);
  return firstMean > 0 && sampleMeanBytes > firstMean
    ? [
        `Sampling was thinned out as the heap grew: one sample in ${Math.round(sampleMeanBytes / 1024)} KiB at the end`,
      ]
    : [];
}

const notesOnLimit = ({ limit }: Facts): string[] =>
  limit !== null && limit.hits > 0
    ? [
        `The memory limit of ${formatBytes(limit.bytes)} was reached ${limit.hits} times; ${formatBytes(limit.usedBytes)} were held at the first`,
      ]
    : [];
