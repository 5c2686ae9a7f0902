import { mayBePython } from '../../python/process/live-process.ts';
import type { SampleEvent } from '../sampler.ts';

/** Smaller processes are not what fills a limit. */
const leastBytes = 8 * 2 ** 20;
const mostPythons = 64;
const mostAsked = 10_000;

/** Processes of some size that may be a Python. Each is asked once for each name that it has. */
export class PythonsSeen {
  readonly pids = new Set<number>();
  readonly #asked = new Map<number, string>();

  /** Returns the pids of those that are new. */
  take({ processes }: SampleEvent): readonly number[] {
    const news: number[] = [];
    for (const { pid, name, rssBytes } of processes) {
      if (rssBytes < leastBytes || this.#asked.get(pid) === name) continue;
      if (this.#asked.size > mostAsked) this.#asked.clear();
      this.#asked.set(pid, name);
      if (this.pids.has(pid) || this.pids.size >= mostPythons || !mayBePython(pid)) continue;
      this.pids.add(pid);
      news.push(pid);
    }
    return news;
  }
}
