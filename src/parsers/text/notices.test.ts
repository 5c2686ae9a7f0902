import { expect, test } from 'vitest';
import { linesOf, parseInput } from '../parse.ts';

const nameIn = (text: string): readonly (string | undefined)[] =>
  parseInput({ name: 'x', lines: linesOf(text) }).flatMap((fact) =>
    fact.kind === 'death-notice' ? [fact.name] : [],
  );

test.each([
  'Error: worker process has terminated: signal: killed',
  'the process terminated unexpectedly: signal: killed',
  'it failed: signal: killed',
  'process terminated with signal 9 [Killed]',
])('%s: what became of it is not its name', (text) => {
  expect(nameIn(text)).toEqual([undefined]);
});

test.each([
  ['./server: signal: killed', './server'],
  ['collect2: fatal error: ld terminated with signal 9 [Killed]', 'ld'],
])('%s: a name is a name', (text, name) => {
  expect(nameIn(text)).toEqual([name]);
});
