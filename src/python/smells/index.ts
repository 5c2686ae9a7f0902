import type { Smell } from '../../model/report.ts';
import type { Scene, SmellRule } from './smell.ts';

/** Every smell, one file each; a page of the same name in docs/smells/. */
export const smells: readonly SmellRule[] = [];

const leastBytes = 64 * 1024;
const maxShown = 20;

/** The largest savings first. */
export function findSmells(scene: Scene): readonly Smell[] {
  return smells
    .flatMap(({ find }) => find(scene))
    .filter(({ savesBytes }) => savesBytes >= leastBytes)
    .sort((a, b) => b.savesBytes - a.savesBytes)
    .slice(0, maxShown);
}
