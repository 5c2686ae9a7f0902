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
