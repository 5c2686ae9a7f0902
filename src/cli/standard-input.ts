/** Standard input of `coroner diagnose` where no FILE is named: read where something is piped or redirected into it. */
import { fstatSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What came first, with the rest; or why nothing is read. */
export type StandardInput =
  | { readonly kind: 'bytes'; readonly chunks: AsyncIterable<Uint8Array> }
  /** A terminal, /dev/null, a closed descriptor: nobody meant it to be read. */
  | { readonly kind: 'none' }
  | { readonly kind: 'empty' }
  /** A pipe that is open and silent, as a parent process may have left it. */
  | { readonly kind: 'silent' };

/** How long a pipe may say nothing before it is taken for one that nobody writes. */
const patienceMs = 2000;

export async function standardInput(): Promise<StandardInput> {
  let about;
  try {
    about = fstatSync(0);
  } catch {
    return { kind: 'none' };
  }
  // A parent that is written in Node gives its child a socket where others give a pipe.
  if (!about.isFIFO() && !about.isFile() && !about.isSocket()) return { kind: 'none' };
  const iterator: AsyncIterator<Uint8Array> = process.stdin[Symbol.asyncIterator]();
  const waiting = new AbortController();
  const first = await Promise.race([
    iterator.next(),
    sleep(patienceMs, null, { signal: waiting.signal }).catch(() => null),
  ]);
  waiting.abort();
  if (first === null) {
    // Nothing waits for it any more, and the process can end.
    process.stdin.destroy();
    return { kind: 'silent' };
  }
  if (first.done === true) return { kind: 'empty' };
  return { kind: 'bytes', chunks: chunksFrom(first.value, iterator) };
}

async function* chunksFrom(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}
