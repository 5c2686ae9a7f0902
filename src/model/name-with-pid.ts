/** Who a process was, in words. */
export interface NamedProcess {
  readonly name?: string | undefined;
  readonly pid?: number | null | undefined;
}

/** `python3 (pid 7)`, `python3`, `process 7`; `unnamed` where neither name nor pid is known. */
export const nameWithPid = (process: NamedProcess, unnamed = 'a process'): string =>
  inWords(process, 'process', unnamed);

/** The same where a sentence begins: `python3 (pid 7)`, `python3`, `Process 7`. */
export const subjectWithPid = (process: NamedProcess, unnamed = 'The process'): string =>
  inWords(process, 'Process', unnamed);

function inWords({ name, pid }: NamedProcess, process: string, unnamed: string): string {
  if (name === undefined || name === '') return pid == null ? unnamed : `${process} ${pid}`;
  return pid == null ? name : `${name} (pid ${pid})`;
}
