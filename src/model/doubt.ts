/** Why words that were read may not be what they seem, and how sure a verdict that rests on them may be. */
import type { Confidence } from './confidence.ts';

export type Doubt =
  /** In a file that other processes may write to as well, and nothing ties it to a process of the run. */
  | 'shared'
  /** Somebody quotes it: in a sentence, in Markdown, in an indented block. */
  | 'quoted'
  /** In an incident folder, in a file that its recorder did not write or that was changed since. */
  | 'folder';

export const surestUnder: Readonly<Record<Doubt, Confidence>> = {
  shared: 'likely',
  quoted: 'likely',
  folder: 'strong',
};

/** As a reason against. */
export const doubtInWords: Readonly<Record<Doubt, string>> = {
  shared: "it stands in a file that other processes write to as well: it may be another's",
  quoted: 'somebody quotes it here: the event itself may be another one',
  folder: 'as this folder tells: its recorder did not write this file, or it was changed since',
};

/** Behind a headline that rests on it. */
export const doubtInHeadline: Readonly<Record<Doubt, string>> = {
  shared: "; it may be another process's, which writes to the same file",
  quoted: ', as it is quoted here',
  folder: ', as this folder tells',
};
