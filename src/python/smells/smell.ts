import type { Smell } from '../../model/report.ts';
import type { Heap } from '../heap.ts';
import type { Holders } from '../holders.ts';

/** What a smell looks at: the counted heap and its holders. */
export interface Scene {
  readonly heap: Heap;
  readonly found: Holders;
}

/** One kind of waste. `find` reads sizes, types and counts, and compares values only with each other. */
export interface SmellRule {
  readonly id: string;
  readonly title: string;
  readonly find: (scene: Scene) => readonly Smell[];
}
