import { expect, test } from 'vitest';
import { nothingKnown, type Incident } from '../model/report.ts';
import { fiveAnswers } from './labels.ts';

const othersOf = (related: NonNullable<Incident['related']>) =>
  fiveAnswers({ ...nothingKnown, related }).find(({ question }) => question === 'Which death?')
    ?.details;

test('others that died alike are counted by their relation, not by its words', () => {
  expect(
    othersOf([
      { pid: 8, relation: 'killed-with-it', how: 'killed too' },
      { pid: 9, relation: 'killed-with-it', how: 'killed as well' },
      { pid: 1, relation: 'parent', how: 'killed too' },
    ]),
  ).toEqual(['2 others: killed too', '1 more had a part in it']);
});
test('a report without relations names the first', () => {
  expect(
    othersOf([
      { pid: 8, name: 'a', how: 'killed too' },
      { pid: 9, name: 'b', how: 'killed too' },
    ]),
  ).toEqual(['a (pid 8): killed too', '1 more had a part in it']);
});
