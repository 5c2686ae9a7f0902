/** The kernel's own words on tasks that wait for memory: nothing is killed, and nothing goes on. */
import type { MetricsWindow } from '../../../model/evidence.ts';
import type { Input } from '../../parser.ts';
import { lineAt } from '../../text/lines.ts';
import { window } from './window.ts';

/** `python3: page allocation stalls for 12004ms, order:0`: 4.10 to 5.2 write it from 10 s on. */
export function* allocationStalls(input: Input): Iterable<MetricsWindow> {
  const rows = input.lines.flatMap(({ text }, at) => {
    const match = text.includes('page allocation stalls for')
      ? /page allocation stalls for (\d{1,9}) ?ms/.exec(text.slice(0, 4096))
      : null;
    return match === null ? [] : [{ at, ms: Number(match[1]) }];
  });
  if (rows.length === 0) return;
  const longest = Math.max(...rows.map(({ ms }) => ms));
  yield window(input, rows[0]!.at, rows[0]!.at, {
    tool: 'kernel log',
    samples: rows.length,
    reading: 'thrashing',
    message: `the kernel made a task wait ${Math.round(longest / 1000)} s for a page (${rows.length} such ${rows.length === 1 ? 'wait' : 'waits'})`,
  });
}

/** What stands on the stack of a task that waits for the kernel to free pages, or for a page of its own out of swap. */
const waitsForMemory =
  /\b(?:try_to_free_(?:mem_cgroup_)?pages|shrink_(?:node|lruvec|zone)|__alloc_pages_(?:direct_reclaim|slowpath)|do_swap_page|swap_?read(?:page|_folio)|mem_cgroup_handle_over_high)\b/;
/** Lines of one task's stack. */
const stackLines = 40;

/** `INFO: task x:1 blocked for more than 120 seconds.` with the way to its memory on the stack below. */
export function* hungForMemory(input: Input): Iterable<MetricsWindow> {
  for (const [at, { text }] of input.lines.entries()) {
    const hung = text.includes('blocked for more than')
      ? /task (.{1,40}):(\d{1,9}) (?:<.{1,40}> )?blocked for more than (\d{1,6}) seconds/.exec(
          text.slice(0, 4096),
        )
      : null;
    if (hung === null) continue;
    for (let below = at + 1; below < Math.min(at + stackLines, input.lines.length); below += 1) {
      const line = lineAt(input, below);
      if (line.includes('blocked for more than')) break;
      if (!waitsForMemory.test(line)) continue;
      yield window(input, at, below, {
        tool: 'kernel log',
        subject: hung[1]!,
        pid: Number(hung[2]),
        samples: 1,
        reading: 'thrashing',
        message: `${hung[1]} waited more than ${hung[3]} s inside of the kernel for memory to become free`,
      });
      break;
    }
  }
}
