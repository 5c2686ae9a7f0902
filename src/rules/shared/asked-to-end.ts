import type { DeathNotice } from '../../model/evidence.ts';

const wouldKeepSilent: ReadonlySet<string> = new Set([
  'GitHub Actions',
  'PyTorch DataLoader',
  'joblib (loky)',
]);

/** SIGTERM asks a process to end. These tell of it only where they did not send it themselves: then nobody knows who did. */
export const isUnmeant = ({ signal, reporter }: DeathNotice): boolean =>
  signal === 'SIGTERM' && wouldKeepSilent.has(reporter);
