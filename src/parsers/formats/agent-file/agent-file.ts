/**
 * The file that the agent leaves behind (`agent/layout.h`, version 1): which call paths had allocated what was live at
 * the peak and at the end, every refused request, and how it grew. Bytes in, facts out; whatever the end of the process
 * or of the disk left of it is read as far as it goes.
 */
import { header } from '../../../model/agent-header.ts';
import type { Bytes } from '../../../model/units.ts';
import { failureAt, momentAt, pathAt, wallTime } from './entries.ts';
import type { AgentFile } from './facts.ts';
import { AgentImage, number64, sectionsOf, viewOf } from './image.ts';
import { notesOf } from './notes.ts';

export const agentFileId = 'agent';

export type AgentReading =
  | { readonly status: 'read' | 'truncated'; readonly file: AgentFile }
  | { readonly status: 'malformed'; readonly detail: string };

const magic = 'CORONERA';
const states = ['running', 'exiting', 'exited', 'executing'] as const;

export function parseAgentFile(bytes: Uint8Array): AgentReading {
  if (bytes.length < header.end) return malformed('shorter than its header');
  // The magic number is written last: without it the process ended while it made the file.
  if (!beginsWithMagic(bytes)) return malformed('no agent file');
  const view = viewOf(bytes);
  const version = view.getUint32(header.version, true);
  if (version !== 1) return malformed(`layout version ${version}, known is 1`);
  const found = sectionsOf(view);
  if ('contradicts' in found) return malformed(`section ${found.contradicts} contradicts itself`);
  const image = new AgentImage(bytes, found.sections);
  const startedAt = wallTime(image.u64(header.startedRealtime));
  if (startedAt === null) return malformed('its start is no time');
  const file = factsOf(image, startedAt);
  return {
    status: image.truncated ? 'truncated' : 'read',
    file: { ...file, notes: notesOf(file, image) },
  };
}

const malformed = (detail: string): AgentReading => ({ status: 'malformed', detail });

function factsOf(image: AgentImage, startedAt: string): Omit<AgentFile, 'notes'> {
  const state = states[image.u32(header.state)] ?? 'running';
  const paths = image.entries('stacks', (place) => pathAt(image, place));
  return {
    pid: image.u32(header.pid),
    parentPid: image.u32(header.parentPid),
    name: image.zeroEnded(header.name, 16),
    executable: image.zeroEnded(header.executable, 256) || null,
    startedAt,
    startedMonotonicNs: image.startedNs,
    state,
    exitCode: state === 'exited' ? image.i32(header.exitCode) : null,
    forked: (image.u32(header.flags) & 1) !== 0,
    python: pythonOf(image),
    sampleMeanBytes: image.u64(header.sampleMean),
    liveBytes: image.i64(header.liveBytes),
    peakBytes: image.i64(header.peakBytes),
    peakSinceStartMs: image.sinceStartMs(image.u64(header.peakMonotonic)),
    peakRssBytes: image.u64(header.peakRss),
    forkedLiveBytes: image.i64(header.forkedLiveBytes),
    lastEventSinceStartMs: image.sinceStartMs(image.u64(header.lastEventMonotonic)),
    limit: limitOf(image),
    paths,
    failures: image
      .entries('failures', (place) => failureAt(image, place))
      .filter((failure) => failure !== null)
      .sort((a, b) => a.sequence - b.sequence),
    failureCount: image.u64(header.failureCount),
    history: image.entries('history', (place) => momentAt(image, place, paths.length)),
  };
}

/** null: no Python was found in the process. */
function pythonOf(image: AgentImage): AgentFile['python'] {
  const version = image.u32(header.pythonVersion);
  if (version === 0) return null;
  const flags = image.u32(header.pythonFlags);
  return {
    version: [24, 16, 8].map((shift) => (version >>> shift) & 255).join('.'),
    stacks: (flags & 1) !== 0,
    objects: (flags & 2) !== 0,
    freeThreaded: (flags & 8) !== 0,
    otherAllocator: (flags & 16) !== 0,
  };
}

/** null: none was set. */
function limitOf(image: AgentImage): AgentFile['limit'] {
  const bytes = image.u64(header.limitBytes);
  if (bytes === 0) return null;
  return {
    bytes,
    hits: image.u64(header.limitHits),
    usedBytes: image.u64(header.limitUsedBytes),
  };
}

/** What decides whether a file is worth reading whole, from its first page; null: not one of the agent's. */
export function glanceAtAgentFile(
  page: Uint8Array,
): { readonly peakBytes: Bytes; readonly failureCount: number } | null {
  if (page.length < header.end || !beginsWithMagic(page)) return null;
  const view = viewOf(page);
  return {
    peakBytes: Number(view.getBigInt64(header.peakBytes, true)),
    failureCount: number64(view, header.failureCount),
  };
}

const beginsWithMagic = (bytes: Uint8Array): boolean =>
  String.fromCharCode(...bytes.subarray(0, magic.length)) === magic;
