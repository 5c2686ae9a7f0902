/** The file that the worker thread is started with (scripts/bundle.mjs and final-snapshot.ts name it). */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { Setup } from './messages.ts';
import { watch } from './worker.ts';

if (!isMainThread && parentPort !== null) watch(workerData as Setup, parentPort);
