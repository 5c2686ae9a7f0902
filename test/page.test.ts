/// <reference lib="dom" />
/** The page in a real browser: what it says, that it asks nothing of the network, that it is accessible, that names stay names. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Recording } from '../src/model/recording.ts';
import type { Report } from '../src/model/report.ts';
import { pageIsBuilt, renderHtml } from '../src/render/html.ts';
import { commandLine } from '../src/render/command-line.ts';
import { runHeadline, toldAsRun } from '../src/render/run-answers.ts';
import { safeCopy } from '../src/render/safe-text.ts';
import { deep } from './have.ts';

const executablePath = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => existsSync(path));
const canRun = executablePath !== undefined && pageIsBuilt();
const why = executablePath === undefined ? 'needs Chromium' : 'needs npm run build';

const folder = new URL('../fixtures/reports/', import.meta.url);
const cases = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const read = <T>(name: string, file: string): T | undefined => {
  const path = new URL(`${name}/${file}.json`, folder);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined;
};
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser: Browser;
let pages = '';
beforeAll(async () => {
  if (!canRun) return;
  pages = mkdtempSync(join(tmpdir(), 'coroner-pages-'));
  // Chromium's own sandbox needs rights that containers and root do not have.
  browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });
});
afterAll(async () => {
  if (!canRun) return;
  await browser.close();
  rmSync(pages, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  readonly complaints: readonly string[];
  readonly requests: readonly string[];
  readonly close: () => Promise<void>;
}

async function open(
  html: string,
  { width = 1280, dark = false }: { width?: number; dark?: boolean } = {},
): Promise<Opened> {
  const file = join(pages, 'page.html');
  writeFileSync(file, html);
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? 'dark' : 'light',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (request.url() !== pathToFileURL(file).href && !request.url().startsWith('data:'))
      requests.push(request.url());
  });
  await page.goto(pathToFileURL(file).href);
  await page.waitForSelector('h1');
  // The curves come a moment later, where there are any.
  await page.waitForFunction(
    () => !document.querySelector('.charts') || document.querySelector('.charts canvas'),
  );
  return { page, complaints, requests, close: () => context.close() };
}

const pageOf = (name: string): string =>
  renderHtml(read<Report>(name, 'report') as Report, {
    recording: read<Recording>(name, 'recording'),
    version: 'test',
  });

/** Every report is looked at wide and light; those with something of their own also (in the quick tests: only) as a phone in the dark shows them. */
const onPhone: readonly string[] = [
  'assassination-cgroup',
  'ended-growing',
  'ended-well',
  'hostile-names',
  'many-kills',
  'nothing-found',
  'rehearsed-obvious',
  'rehearsed-slow',
  'unknown-sigkill',
];

describe.each(cases)('%s', (name) => {
  const looks: readonly (readonly [
    string,
    { readonly width?: number; readonly dark?: boolean },
  ])[] = [
    ['wide and light', {}],
    ...(onPhone.includes(name) ? [['phone and dark', { width: 390, dark: true }] as const] : []),
  ];
  test.skipIf(!canRun).each(deep ? looks : looks.slice(-1))(
    `says its verdict, asks nothing, keeps names inert, is accessible: %s (${canRun ? 'Chromium' : why})`,
    async (_, look) => {
      const report = read<Report>(name, 'report') as Report;
      const { incidents } = report;
      const run = toldAsRun(report);
      const told =
        incidents.findLast(({ outOfMemory }) => outOfMemory === true) ?? incidents.at(-1);
      const { page, complaints, requests, close } = await open(pageOf(name), look);
      expect(await page.locator('h1').textContent()).toBe(
        run === null
          ? safeCopy(told?.headline ?? 'No death was found in what could be read', false)
          : runHeadline(run, commandLine(run.command)),
      );
      for (const remedy of told?.remedies ?? [])
        expect(await page.locator('#remedies').textContent()).toContain(
          safeCopy(remedy.title, false),
        );
      const evidence = await page.locator('main').evaluate((element) => element.textContent ?? '');
      for (const { quote } of told?.because ?? [])
        if (quote !== undefined) expect(evidence).toContain(safeCopy(quote, false));
      expect(evidence).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b]/);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow).toBe(0);
      expect(await page.locator('script').count()).toBe(2);
      expect(await page.locator('img, iframe, object, embed, link[rel=stylesheet]').count()).toBe(
        0,
      );
      await page.evaluate(() => {
        for (const details of document.querySelectorAll('details')) details.open = true;
      });
      expect(await faultsFoundByAxe(page)).toEqual([]);
      expect(await page.evaluate(() => '__owned' in window)).toBe(false);
      expect(requests).toEqual([]);
      expect(complaints).toEqual([]);
      await close();
    },
  );
});

/** axe is evaluated by the debugger, which the page's policy does not bind. */
async function faultsFoundByAxe(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe: checker } = window as unknown as {
      axe: { run: () => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await checker.run();
    return violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map(({ html }) => html.slice(0, 160))
          .join(' | ')}`,
    );
  });
}

test.skipIf(!canRun)(
  `a chosen moment drives the other sections (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('assassination-cgroup'));
    await page.locator('.events .moment', { hasText: /^6 s$/ }).click();
    await expect
      .poll(() => page.locator('#holders .note').first().textContent())
      .toBe('as seen at 6 s');
    expect(await page.locator('#holders .tree').textContent()).toContain('38 MiB');
    await page.getByRole('button', { name: 'Back to the death' }).click();
    expect(await page.locator('#holders .tree').textContent()).toContain('84.6 MiB');
    await close();
  },
);

test.skipIf(!canRun)(
  `the chosen moment's figures are told, and of what the lines' two moments it is nearer to (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('assassination-cgroup'));
    await page.locator('.events .moment', { hasText: /^6 s$/ }).click();
    await expect
      .poll(() => page.locator('.at-moment').textContent())
      .toMatch(/^At 6 s: cgroup \/job [\d.]+ MiB, python3 \(2400\) [\d.]+ MiB/);
    expect(await page.locator('#allocations .note').first().textContent()).toMatch(
      /nearer to the chosen one$/,
    );
    await page.locator('.charts').focus();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.at-moment').count()).toBe(0);
    await close();
  },
);

test.skipIf(!canRun)(
  `the end of who died is its death; who was slow and ended by itself just ended (${canRun ? 'Chromium' : why})`,
  async () => {
    const tags = async (name: string) => {
      const { page, close } = await open(pageOf(name));
      const texts = await page.locator('.events .tag').allTextContents();
      await close();
      return texts;
    };
    expect(await tags('rehearsed-obvious')).toEqual(['start', 'exception', 'death']);
    expect(await tags('rehearsed-slow')).toEqual(['start', 'stall', 'end']);
    expect(await tags('rehearsed-assassination')).toEqual(['start', 'look inside', 'kill']);
  },
);

test.skipIf(!canRun)(
  `on a phone a quote of one line is wrapped, and a storm does not fill the screen (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('many-kills'), { width: 390 });
    const cut = await page
      .locator('.evidence pre.one-line')
      .evaluateAll((quotes) => quotes.filter((pre) => pre.scrollWidth > pre.clientWidth).length);
    expect(cut).toBe(0);
    expect(await page.locator('.incidents li').count()).toBe(3);
    const headline = await page.locator('h1').boundingBox();
    expect(headline?.y).toBeLessThan(450);
    await page.getByRole('button', { name: 'and 13 more' }).click();
    expect(await page.locator('.incidents li').count()).toBe(16);
    await close();
  },
);

test.skipIf(!canRun)(
  `headline, answer, open source and failures name the same line (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('rehearsed-obvious'));
    const place = /obvious\.py:14/;
    expect(await page.locator('h1').textContent()).toMatch(place);
    expect(await page.locator('.answers').textContent()).toMatch(place);
    expect(await page.locator('#failures td code').allTextContents()).toEqual([
      expect.stringMatching(place),
    ]);
    expect(await page.locator('#code li:not(.library)').first().textContent()).toMatch(place);
    await close();
  },
);

test.skipIf(!canRun)(
  `where no frame is the user's none is dimmed (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('disguised-segfault'));
    expect(await page.locator('#code li').first().textContent()).toContain('naive-malloc.c:10');
    expect(await page.locator('#code li.library').count()).toBe(0);
    await close();
  },
);

test.skipIf(!canRun)(
  `arrows move in the flame graph, Enter zooms, Escape goes back; no name is cut in a letter (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('rehearsed-obvious'));
    const boxes = page.locator('.icicle .box');
    const before = await boxes.count();
    expect(before).toBeGreaterThan(3);
    expect(await page.locator('.icicle .box[tabindex="0"]').count()).toBe(1);
    await boxes.first().focus();
    await page.keyboard.press('ArrowDown');
    const told = await page.locator('.told').textContent();
    expect(told).toMatch(/MiB/);
    const focused = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    expect(focused).toBe(await boxes.nth(1).getAttribute('aria-label'));
    await page.keyboard.press('Enter');
    await expect.poll(() => boxes.count()).toBeLessThan(before);
    await page.keyboard.press('Escape');
    await expect.poll(() => boxes.count()).toBe(before);
    for (const style of await boxes.evaluateAll((all) =>
      all.map((box) => {
        const { textOverflow, overflow } = getComputedStyle(box);
        return `${textOverflow} ${overflow}`;
      }),
    ))
      expect(style).toBe('ellipsis hidden');
    await close();
  },
);

test.skipIf(!canRun)(
  `on paper everything is light, open and as wide as the paper, also from a dark screen (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, complaints, close } = await open(pageOf('assassination-cgroup'), { dark: true });
    const look = () =>
      page.evaluate(() => ({
        theme: document.documentElement.dataset['theme'],
        width: document.querySelector<HTMLCanvasElement>('.charts canvas')?.clientWidth ?? 0,
        closed: [...document.querySelectorAll('details')].filter(
          (details) => !details.open && details.closest('.library') === null,
        ).length,
      }));
    const screen = await look();
    expect(screen.theme).toBe('dark');
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    // At once: the browser does not wait either.
    const paper = await look();
    expect(paper).toMatchObject({ theme: 'light', closed: 0 });
    expect(paper.width).toBeLessThanOrEqual(680);
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
    await expect.poll(async () => (await look()).theme).toBe('dark');
    await expect.poll(async () => (await look()).width).toBe(screen.width);
    expect(complaints).toEqual([]);
    await close();
  },
);

test.skipIf(!canRun)(
  `the table of tasks sorts, and draws few rows of many (${canRun ? 'Chromium' : why})`,
  async () => {
    const { incidents, ...rest } = read<Report>('many-kills', 'report') as Report;
    const tasks = Array.from({ length: 2000 }, (_, index) => ({
      pid: index + 1,
      name: `task-${index + 1}`,
      rssBytes: ((index * 7919) % 2000) * 4096,
    }));
    const report: Report = {
      ...rest,
      incidents: incidents.map((incident) => ({ ...incident, tasks })),
    };
    const { page, close } = await open(renderHtml(report, { version: 'test' }));
    const first = page.locator('#tasks tbody tr:not(.spacer)').first();
    expect(await page.locator('#tasks tbody tr').count()).toBeLessThan(60);
    await page.locator('#tasks th button', { hasText: 'pid' }).click();
    expect(await first.textContent()).toContain('task-2000');
    await page.locator('#tasks th button', { hasText: 'pid' }).click();
    expect(await first.textContent()).toContain('task-1');
    await page.locator('#tasks .virtual').evaluate((element) => element.scrollTo(0, 32 * 1000));
    await expect.poll(() => page.locator('#tasks tbody').textContent()).toContain('task-1005');
    await close();
  },
);

test.skipIf(!canRun)(
  `the keyboard reaches and moves the timeline (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('assassination-cgroup'));
    await page.locator('.charts').focus();
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => page.locator('.chosen').count()).toBe(1);
    await page.keyboard.press('+');
    await expect.poll(() => page.locator('.pan').count()).toBe(1);
    await page.keyboard.press('0');
    await expect.poll(() => page.locator('.pan').count()).toBe(0);
    await close();
  },
);

test.skipIf(!canRun)(
  `panning there and back shows the same picture, and another one in between (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('assassination-cgroup'));
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.getByRole('button', { name: 'Zoom in' }).click();
    const slider = page.locator('.pan');
    await expect.poll(() => slider.count()).toBe(1);
    const picture = () =>
      page.evaluate(() => document.querySelector<HTMLCanvasElement>('.charts canvas')?.toDataURL());
    const moveTo = async (share: number) => {
      await slider.evaluate((element: HTMLInputElement, to) => {
        element.value = String(Number(element.max) * to);
        element.dispatchEvent(new Event('input', { bubbles: true }));
      }, share);
      // One frame until the move is taken, one until it is drawn.
      await page.evaluate(
        () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
      );
      return await picture();
    };
    const start = await moveTo(0);
    const middle = await moveTo(0.5);
    const end = await moveTo(1);
    expect(new Set([start, middle, end]).size).toBe(3);
    expect(await moveTo(0)).toBe(start);
    expect(await moveTo(1)).toBe(end);
    await close();
  },
);

test.skipIf(!canRun)(
  `the policy refuses foreign scripts (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('obvious-numpy'));
    const ran = await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.__foreign = 1';
      document.body.append(script);
      return '__foreign' in window;
    });
    expect(ran).toBe(false);
    await close();
  },
);

test.skipIf(!canRun)(
  `the theme's button changes page and charts alike (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, complaints, close } = await open(pageOf('assassination-cgroup'));
    const look = () =>
      page.evaluate(() => {
        const canvas = document.querySelector<HTMLCanvasElement>('.charts canvas');
        const pixels =
          canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
        // The brightest opaque grid or curve tells light from dark.
        let brightest = 0;
        for (let at = 0; at < pixels.length; at += 4)
          if ((pixels[at + 3] ?? 0) > 250)
            brightest = Math.max(
              brightest,
              (pixels[at] ?? 0) + (pixels[at + 1] ?? 0) + (pixels[at + 2] ?? 0),
            );
        return { theme: document.documentElement.dataset['theme'], brightest };
      });
    const light = await look();
    expect(light.theme).toBe('light');
    await page.getByRole('button', { name: 'Dark colours' }).click();
    await expect.poll(async () => (await look()).theme).toBe('dark');
    // The grid is bright on white paper and dark on black.
    await expect.poll(async () => (await look()).brightest).toBeLessThan(light.brightest);
    // Reading the canvas back is what the browser warns of, and that is this test's own doing.
    expect(complaints.filter((text) => !text.includes('willReadFrequently'))).toEqual([]);
    await close();
  },
);

test.skipIf(!canRun)(
  `a run that ended well has contents, where it ran, and boxes that tell what they are (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('ended-well'));
    const links = await page.locator('nav.contents a').allTextContents();
    expect(links).toEqual(
      await page.locator('main > section[id] .section-head h2').allTextContents(),
    );
    expect(links).toContain('Where it ran');
    expect(await page.locator('#environment').textContent()).toContain('CPython 3.11');
    expect(await page.locator('.icicle .box').first().getAttribute('title')).toMatch(
      /\n[\d.]+ MiB, \d+\s%/,
    );
    expect(await page.locator('#holders').textContent()).toContain('rows');
    expect(await page.getByRole('button', { name: 'Copy as Markdown' }).count()).toBe(1);
    await close();
  },
);

test.skipIf(!canRun)(
  `a storm can be filtered, and it is said which incident is told (${canRun ? 'Chromium' : why})`,
  async () => {
    const { page, close } = await open(pageOf('many-kills'));
    const rows = page.locator('.incidents ol li');
    expect(await page.locator('.incidents .note').textContent()).toContain('number 16 is told');
    await page.locator('.incidents .filter').fill('worker-3 ');
    expect(await rows.count()).toBe(1);
    await rows.locator('button').click();
    expect(await page.locator('h1').textContent()).toContain('worker-3 ');
    await page.locator('.incidents .filter').fill('no such name');
    expect(await rows.count()).toBe(0);
    await close();
  },
);
