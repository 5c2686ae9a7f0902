import { expect, test } from 'vitest';
import { diagnose } from '../../diagnose/diagnose.ts';
import { linesOf, parseInput } from '../parse.ts';

const kill =
  'Memory cgroup out of memory: Killed process 4711 (python3) total-vm:108056kB, anon-rss:97792kB, file-rss:6276kB, shmem-rss:0kB, UID:0 pgtables:252kB oom_score_adj:0';
const verdict = (text: string) =>
  diagnose({ evidence: parseInput({ name: 'x', lines: linesOf(text) }), sources: [] }).incidents[0];

test.each([
  ['in a sentence', `The kernel then says ${kill}`],
  ['between backticks', `We saw \`${kill}\` last night.`],
  ['between quotation marks', `It was written that "${kill}" and nobody knew why.`],
  ['in a Markdown quotation', `> ${kill}`],
  ['in a Markdown fence', `# What happened\n\n\`\`\`\n${kill}\n\`\`\`\n`],
  ['in a block below prose', `The kernel logs one line for each of them:\n\n    ${kill}\n`],
])('%s: likely at most, and said to be a quotation', (_, text) => {
  const incident = verdict(text);
  expect(['likely', 'weak', undefined]).toContain(incident?.confidence);
  if (incident !== undefined) {
    expect(incident.headline).toContain('quoted');
    expect(incident.against).toContainEqual(expect.objectContaining({ doubt: 'quoted' }));
  }
});

test.each([
  ['bare', kill],
  ['dmesg', `[12345.678901] ${kill}`],
  ['dmesg -T', `[Mon Nov 30 12:00:00 2026] ${kill}`],
  ['syslog', `Nov 30 12:00:00 host kernel: [12345.678901] ${kill}`],
  ['journal', `Nov 30 12:00:00 host.example kernel: ${kill}`],
  ['kmsg', `3,11,1001900000,-;${kill}`],
  ['indented as a whole', `    [1.0] python3 started\n    [12345.678901] ${kill}`],
  ['tagged', `[node-1] [12345.678901] ${kill}`],
])('%s: a log', (_, text) => {
  expect(verdict(text)?.confidence).toBe('certain');
});

const traceback =
  'Traceback (most recent call last):\n  File "/srv/app/worker.py", line 12, in load\n    rows = fetch()\nMemoryError';
const words = [
  ['a traceback', traceback],
  ["a JVM's", 'java.lang.OutOfMemoryError: Java heap space\n\tat app.Load.main(Load.java:7)'],
  [
    'an abort',
    "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
  ],
] as const;
const behind = (prefix: string, text: string) => text.replaceAll(/^/gm, prefix);
test.each(
  words.flatMap(([what, text]) => [
    [what, 'in a letter', `On Tuesday Alice wrote:\n${behind('> ', text)}\nWhat shall we do?\n`],
    [what, 'in a Markdown fence', `The log of Tuesday says:\n\n\`\`\`\n${text}\n\`\`\`\n`],
    [
      what,
      'in a block below prose',
      `In the ticket we found this text:\n\n${behind('    ', text)}\n`,
    ],
  ]),
)('%s %s: likely at most, and said to be a quotation', (_, _where, text) => {
  const incident = verdict(text);
  expect(['likely', 'weak']).toContain(incident?.confidence);
  expect(incident?.headline).toContain('quoted');
  expect(incident?.against).toContainEqual(expect.objectContaining({ doubt: 'quoted' }));
});

test.each(
  words.flatMap(([what, text]) => [
    [what, 'bare', text],
    [what, 'behind a line of a log', `2026-11-30 12:00:00 ERROR the task failed:\n${text}`],
    [what, 'indented as a whole', behind('    ', `python3 started\n${text}`)],
    [
      what,
      'indented below a line of a log',
      `2026-11-30 12:00:00,000 ERROR in app: the task failed:\n${behind('    ', text)}`,
    ],
  ]),
)('%s %s: no quotation', (_, _where, text) => {
  expect(['strong', 'certain']).toContain(verdict(text)?.confidence);
  expect(verdict(text)?.headline).not.toContain('quoted');
});
