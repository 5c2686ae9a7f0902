/** What is being read, on a terminal only: one line that is overwritten and leaves nothing behind. */
export interface ProgressLine {
  readonly show: (what: string) => void;
  readonly clear: () => void;
}

/** Not before a moment has gone by: what is quick needs no word. */
const quietMs = 400;

export function progressLine(stream: NodeJS.WriteStream): ProgressLine {
  if (!stream.isTTY) return { show: () => {}, clear: () => {} };
  const startedMs = Date.now();
  let shown = 0;
  return {
    show: (what) => {
      const now = Date.now();
      if (now - startedMs < quietMs || now - shown < 100) return;
      shown = now;
      // eslint-disable-next-line no-control-regex -- names of files may hold anything
      const safe = what.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
      stream.write(`\r\u001b[Kcoroner: reading ${safe.slice(0, 60)}`);
    },
    clear: () => {
      if (shown > 0) stream.write('\r\u001b[K');
    },
  };
}
