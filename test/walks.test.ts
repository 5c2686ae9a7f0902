// The two walks of ARCHITECTURE.md: each file is there and exports what is named, nothing is named before somebody uses it, and the line and
// the sample that are walked do arrive on the screen.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { gatherIncident } from '../src/gather/incident-folder/gather-incident.ts';
import { gatherText } from '../src/gather/text.ts';
import { renderTerminal } from '../src/render/terminal.ts';
import { readIncidentFolder } from '../src/store/incidents.ts';
import { root } from './fixtures.ts';

const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const [, section = ''] = text('ARCHITECTURE.md').split(
  '## Two walks from the disk to the screen\n',
);
const walks = section
  .split(/^## /m)[0]!
  .split(/^### /m)
  .slice(1)
  .map((walk) => ({
    title: walk.slice(0, walk.indexOf('\n')),
    line: /^```text \S.*\n(.*)\n```$/m.exec(walk)?.[1] ?? '',
    steps: [...walk.matchAll(/^\d+\. `([^`]+)` `([^`]+)`: /gm)].map(([, file = '', name = '']) => ({
      file,
      name,
    })),
    numbered: walk.match(/^\d+\. /gm)?.length,
  }));

const screen = {
  columns: 80,
  color: false,
  unicode: true,
  hyperlinks: false,
  quiet: false,
  verbose: false,
};

test('there are two', () => {
  expect(walks).toHaveLength(2);
  for (const { steps, numbered, line } of walks) {
    expect(steps.length).toBeGreaterThan(15);
    expect(steps).toHaveLength(numbered ?? 0);
    expect(line).not.toBe('');
  }
});

describe.each(walks)('$title', ({ steps }) => {
  test.each(steps)('$file exports $name', async ({ file, name }) => {
    expect(Object.keys((await import(join(root, file))) as object)).toContain(name);
  });
  test('each step is named in the file of an earlier one', () => {
    const early = steps.filter(
      ({ name }, at) =>
        at > 0 &&
        !steps.slice(0, at).some(({ file }) => new RegExp(`\\b${name}\\b`).test(text(file))),
    );
    expect(early).toEqual([]);
  });
});

test('the line of the kernel log arrives', () => {
  const line = walks[0]!.line;
  expect(text('fixtures/kernel-log/kernel-6.1-memcg/input.log')).toContain(line);
  const shown = renderTerminal(diagnose(gatherText('kern.log', line)), screen);
  expect(shown).toMatch(/killed python3 \(pid 19000\)/);
  expect(shown).toContain('Memory cgroup out of memory: Killed process 19000 (python3)');
});

test('the sample arrives', () => {
  const { atMs, cgroups } = JSON.parse(walks[1]!.line) as {
    atMs: number;
    cgroups: readonly { id: number; currentBytes: number; limitHits: number }[];
  };
  const last = JSON.parse(
    text('docs/example/run/samples.ndjson').trimEnd().split('\n').at(-1)!,
  ) as {
    atMs: number;
    cgroups: readonly object[];
  };
  expect(last).toMatchObject({ atMs });
  expect(last.cgroups).toContainEqual(expect.objectContaining(cgroups[0]!));
  const folder = join(root, 'docs/example/run');
  const gathered = gatherIncident(readIncidentFolder(folder).texts, null)!;
  expect(gathered.evidence).toContainEqual(
    expect.objectContaining({
      kind: 'cgroup-counters',
      peakBytes: cgroups[0]!.currentBytes,
      limitHits: cgroups[0]!.limitHits,
    }),
  );
  const shown = renderTerminal(diagnose(gathered), { ...screen, recording: gathered.recording });
  expect(shown).toContain('Memory of cgroup /shop (peak 256 MiB, limit 256 MiB)');
});
