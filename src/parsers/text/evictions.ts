/** Why the kubelet or the scheduler ended a pod, where it was not for memory. */
import type { DeathNotice } from '../../model/evidence.ts';

export interface OtherEviction {
  /** Stands in each of these messages: what a scanner looks for. */
  readonly literal: string;
  readonly pattern: RegExp;
  readonly otherReason: NonNullable<DeathNotice['otherReason']>;
  readonly resource?: DeathNotice['resource'];
}

/** Kubernetes 1.5 to 1.33: pkg/kubelet/eviction, pkg/kubelet/preemption, pkg/kubelet/nodeshutdown, the taint manager. */
export const otherEvictions: readonly OtherEviction[] = [
  {
    literal: 'was low on resource: ',
    pattern:
      /node was low on resource: \[?(?:ephemeral-storage|(?:nodefs|imagefs|containerfs)\w{0,12}|inodes\w{0,8}|disk\w{0,8})/i,
    otherReason: 'the node was short of disk (ephemeral storage)',
    resource: 'disk',
  },
  {
    literal: 'was low on resource: ',
    pattern: /node was low on resource: \[?(?:pids?\b|process)/i,
    otherReason: 'the node was short of process ids',
    resource: 'threads',
  },
  {
    literal: 'The node had condition: ',
    pattern: /The node had condition: \[(?![^\]]{0,80}MemoryPressure)[^\]]{0,80}DiskPressure/,
    otherReason: 'the node was short of disk (DiskPressure)',
    resource: 'disk',
  },
  {
    literal: 'The node had condition: ',
    pattern: /The node had condition: \[(?![^\]]{0,80}MemoryPressure)[^\]]{0,80}PIDPressure/,
    otherReason: 'the node was short of process ids (PIDPressure)',
    resource: 'threads',
  },
  {
    literal: 'Usage of EmptyDir volume',
    pattern: /Usage of EmptyDir volume .{1,100}? exceeds the (?:total )?limit/,
    otherReason: 'an emptyDir volume was over its size limit',
    resource: 'disk',
  },
  {
    literal: 'local ephemeral storage',
    pattern: /[Cc]ontainer .{1,100}? exceeded its local ephemeral storage limit/,
    otherReason: 'it was over its limit of ephemeral storage',
    resource: 'disk',
  },
  {
    literal: 'ephemeral local storage usage',
    pattern: /[Pp]od ephemeral local storage usage exceeds the total limit/,
    otherReason: 'it was over its limit of ephemeral storage',
    resource: 'disk',
  },
  {
    literal: 'evict pod(s) to reclaim',
    pattern:
      /must evict pod\(s\) to reclaim(?: |" resourceName=")(?:ephemeral-storage|nodefs|imagefs|containerfs|inodes)/,
    otherReason: 'the node was short of disk, and the kubelet evicted pods for it',
    resource: 'disk',
  },
  {
    literal: 'Preempted ',
    pattern: /Preempted (?:by|in order to admit) .{1,120}/,
    otherReason: 'it was preempted by a pod of higher priority',
  },
  {
    literal: 'imminent node shutdown',
    pattern: /Pod was terminated in response to imminent node shutdown/,
    otherReason: 'its node was shut down',
  },
  {
    literal: 'Marking for deletion Pod',
    pattern: /Marking for deletion Pod \S{1,200}/,
    otherReason: 'its node was drained or lost (taint)',
  },
];

/** The reason in a message of the kubelet's, where it is none of memory. */
export const otherEviction = (message: string): OtherEviction | undefined =>
  otherEvictions.find(({ pattern }) => pattern.test(message.slice(0, 2000)));
