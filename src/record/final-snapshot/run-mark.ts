import { readText } from '../../python/process/live-process.ts';
import { runVariable } from '../run-variable.ts';

/** The mark (its incident folder) of the run that started the process: the innermost one, where runs lie within each other. undefined: it has none, or is gone. */
export const runMarkOf = (pid: number): string | undefined =>
  (readText(`/proc/${pid}/environ`) ?? '')
    .split('\0')
    .filter((variable) => variable.startsWith(`${runVariable}=`))
    .at(-1)
    ?.slice(runVariable.length + 1);
