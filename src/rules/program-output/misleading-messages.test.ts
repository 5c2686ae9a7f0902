import { expect, test } from 'vitest';
import type { MisleadingMessage } from '../../model/evidence.ts';
import { misleadingMessages } from './misleading-messages.ts';

const message = (variant: string, meaning: string): MisleadingMessage => ({
  kind: 'misleading-message',
  origin: { source: 'python-traceback', place: 'log:1', line: 1 },
  variant,
  meaning,
  resource: 'none',
});

test('the same kind of words is one finding, however it is told', () => {
  const judged = (...words: readonly MisleadingMessage[]) =>
    misleadingMessages.judge(words, { sources: [] });
  expect(judged(message('a', 'this'), message('a', 'this, told anew'))).toHaveLength(1);
  expect(judged(message('a', 'this'), message('b', 'this'))).toHaveLength(2);
});
