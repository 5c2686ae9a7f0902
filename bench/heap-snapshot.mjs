// One look in a process of its own: node bench/heap-snapshot.mjs PID census|stacks|holders. Prints figures as JSON.
import { isRefusal } from '../dist/python/process/live-process.js';
import { openTarget, smallChunks } from '../dist/python/target.js';
import { threadsOf } from '../dist/python/interpreter/stacks.js';
import { readHeap } from '../dist/python/heap/heap.js';
import { holdersOf } from '../dist/python/holders/holders.js';

const [pid, what = 'census'] = process.argv.slice(2);
const begun = performance.now();
const target =
  what === 'stacks' ? openTarget(Number(pid), 256, smallChunks) : openTarget(Number(pid), 64);
if (isRefusal(target)) throw new Error(target.detail);
const threads = threadsOf(target.python);
const stacksMs = performance.now() - begun;
let objects = 0;
let censusMs = 0;
let holdersMs = 0;
let first = null;
if (what !== 'stacks') {
  const heap = readHeap(target.python, threads, { deadline: performance.now() + 120_000 });
  objects = heap.census.objectCount;
  censusMs = performance.now() - begun;
  if (what === 'holders') {
    const { holders } = holdersOf(heap);
    first = holders[0].name;
    holdersMs = performance.now() - begun - censusMs;
  }
}
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({
    objects,
    stacksMs,
    censusMs,
    holdersMs,
    first,
    cpuMs: (user + system) / 1000,
    maxRssMiB: process.resourceUsage().maxRSS / 1024,
  }),
);
