// The page with a long recording: 10 hours at one sample a second, 50 processes, 2,000 tasks. How long until the curves are drawn, how
// many frames a second while panning, how large the file is.
//   node bench/page.mjs
// Needs Chromium and a built page. Panning is bound by drawing: on a busy machine the frames are those that the others left.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { nothingKnown } from '../dist/model/report.js';
import { renderHtml } from '../dist/render/html.js';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) =>
  existsSync(path),
);
if (executablePath === undefined) {
  console.log('page: skipped (no Chromium)');
  process.exit(0);
}

let state = 1;
/** xorshift32, 0 to 1: the same data in every run. */
const random = () => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
};

const samples = 36_000;
const atMs = Array.from({ length: samples }, (_, row) => row * 1000 + Math.floor(random() * 7));
const processes = Array.from({ length: 50 }, (_, number) => {
  let bytes = (20 + number * 8) * 2 ** 20;
  let faults = 0;
  const rssBytes = [];
  const majorFaults = [];
  for (let row = 0; row < samples; row += 1) {
    if (random() < 0.35)
      bytes = Math.max(4096, bytes + Math.floor((random() - 0.497) * 600) * 4096);
    if (random() < 0.02) faults += Math.floor(random() * 20);
    rssBytes.push(bytes);
    majorFaults.push(faults);
  }
  return {
    pid: 3000 + number,
    parentPid: 2999,
    name: `worker-${number}`,
    command: `python3 worker.py ${number}`,
    startedMs: 0,
    endedMs: null,
    exitCode: null,
    signal: null,
    samples: { atMs, columns: { rssBytes, majorFaults } },
  };
});
const currentBytes = atMs.map((_, row) =>
  processes.reduce((sum, { samples: { columns } }) => sum + columns.rssBytes[row], 0),
);
const limitBytes = Math.max(...currentBytes);
const recording = {
  format: 'coroner-recording/1',
  id: 'bench',
  command: ['python3', 'pool.py'],
  cwd: '/srv/app',
  startedAt: '2026-01-31T00:00:00.000Z',
  endedAt: '2026-01-31T10:00:00.000Z',
  durationMs: samples * 1000,
  limits: [],
  processes,
  cgroups: [
    {
      version: 2,
      path: '/job',
      level: 0,
      limitBytes,
      samples: { atMs, columns: { currentBytes } },
    },
  ],
  host: { atMs, columns: { availableBytes: currentBytes.map((bytes) => 64 * 2 ** 30 - bytes) } },
  events: [{ atMs: samples * 1000, what: 'kill', pid: 3049, text: 'the kernel killed worker-49' }],
  looks: [],
};
const report = {
  format: 'coroner/1',
  sources: [],
  incidents: [
    {
      ...nothingKnown,
      outOfMemory: true,
      death: 'assassination',
      cause: 'kernel-cgroup-oom',
      confidence: 'certain',
      headline: 'The kernel killed worker-49 (pid 3049): its cgroup /job reached its limit',
      at: '2026-01-31T10:00:00.000Z',
      victim: { pid: 3049, name: 'worker-49' },
      killer: { name: 'kernel' },
      limit: { owner: 'cgroup', path: '/job', bytes: limitBytes },
      tasks: Array.from({ length: 2000 }, (_, index) => ({
        pid: index + 1,
        name: `task-${index}`,
        rssBytes: Math.floor(random() * 2 ** 30),
      })),
    },
  ],
};

const folder = mkdtempSync(join(tmpdir(), 'coroner-bench-'));
const file = join(folder, 'page.html');
const started = Date.now();
writeFileSync(file, renderHtml(report, { recording, version: 'bench' }));
const renderedMs = Date.now() - started;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const loads = [];
  let page;
  for (let round = 0; round < 5; round += 1) {
    await page?.close();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const from = performance.now();
    await page.goto(pathToFileURL(file).href);
    await page.waitForSelector('.charts canvas');
    await page.evaluate(
      () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
    );
    loads.push(performance.now() - from);
  }
  await page.locator('#timeline').scrollIntoViewIfNeeded();
  for (let step = 0; step < 3; step += 1)
    await page.getByRole('button', { name: 'Zoom in' }).click();
  /** Moves the slider from one end to the other in three seconds. */
  const pan = () =>
    page.evaluate(async () => {
      const slider = document.querySelector('.pan');
      const from = performance.now();
      let frames = 0;
      while (performance.now() - from < 3000) {
        slider.value = String((Number(slider.max) * (performance.now() - from)) / 3000);
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        await new Promise((drawn) => requestAnimationFrame(drawn));
        frames += 1;
      }
      return (frames * 1000) / (performance.now() - from);
    });
  const few = await pan();
  const more = page.locator('.legend .link');
  if ((await more.count()) > 0) await more.click();
  for (const button of await page.$$('.legend button[aria-pressed=false]'))
    await button.evaluate((element) => element.click());
  const all = await pan();
  loads.sort((a, b) => a - b);
  console.log(`page: 10 h, 1 s, 50 processes (load average ${loadavg()[0].toFixed(1)})`);
  console.log(
    `  file             ${(statSync(file).size / 2 ** 20).toFixed(2)} MiB, written in ${renderedMs} ms`,
  );
  console.log(`  until drawn      ${Math.round(loads[2])} ms (median of 5)`);
  console.log(
    `  panning, at first ${few.toFixed(0)} frames a second (9 curves), with all ${all.toFixed(0)} (51 curves)`,
  );
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
