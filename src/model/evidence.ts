import type { CoreEvidence } from './evidence/core.ts';
import type { KernelEvidence } from './evidence/kernel.ts';
import type { KillerEvidence } from './evidence/killer.ts';
import type { ProgramEvidence } from './evidence/program.ts';
import type { RecordingEvidence } from './evidence/recording.ts';
import type { StandingEvidence } from './evidence/standing.ts';

/** One fact with its origin and without an opinion. */
export type Evidence =
  | KernelEvidence
  | ProgramEvidence
  | KillerEvidence
  | CoreEvidence
  | RecordingEvidence
  | StandingEvidence;
export type EvidenceKind = Evidence['kind'];
export type EvidenceOf<Kind extends EvidenceKind> = Extract<Evidence, { kind: Kind }>;

export type * from './evidence/core.ts';
export type * from './evidence/fact.ts';
export type * from './evidence/kernel.ts';
export type * from './evidence/killer.ts';
export type * from './evidence/program.ts';
export type * from './evidence/recording.ts';
export type * from './evidence/standing.ts';
