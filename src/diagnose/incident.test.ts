import { expect, test } from 'vitest';
import type { Finding, Question, QuestionId } from '../model/finding.ts';
import { toIncident } from './incident.ts';

const question = (id: QuestionId, what = 'words that nobody reads'): Question => ({
  id,
  what,
  why: 'because',
  command: null,
});
const finding = (more: Partial<Finding>): Finding => ({
  subject: { pid: 7, position: 1 },
  cause: 'alloc-failure-exception',
  confidence: 'strong',
  headline: 'it died',
  because: [],
  ...more,
});
const judged = (...findings: readonly [Finding, ...Finding[]]) => {
  const [best, ...others] = findings.map((one, index) => ({ rule: `rule-${index}`, finding: one }));
  return toIncident([best!, ...others], []);
};
const openQuestions = (best: Partial<Finding>, other: Question) =>
  judged(finding(best), finding({ unknown: [other] })).unknown.map(({ id }) => id);

test.each<[QuestionId, string, Partial<Finding>, Partial<Finding>]>([
  [
    'which-limit',
    'a limit is known',
    { limit: { owner: 'rlimit', bytes: 1 } },
    { limit: { owner: 'unknown', bytes: 1 } },
  ],
  [
    'whether-it-died-of-it',
    'the verdict is certain',
    { confidence: 'certain' },
    { confidence: 'strong' },
  ],
  [
    'whether-refusal-behind-crash',
    'the verdict is certain',
    { confidence: 'certain' },
    { confidence: 'strong' },
  ],
  [
    'which-process-of-container',
    'the victim is known for certain',
    { confidence: 'certain', victim: { pid: 7 } },
    { confidence: 'certain', victim: { name: 'python3' } },
  ],
  [
    'why-it-crashed',
    'somebody saw the refusal',
    { cause: 'alloc-failure-segfault' },
    { cause: 'undetermined' },
  ],
])('%s is answered where %s, whatever the words', (id, _, answered, open) => {
  expect(openQuestions(answered, question(id))).toEqual([]);
  expect(openQuestions(open, question(id))).toEqual([id]);
  // Its old words under another id are another question.
  expect(openQuestions(answered, question('how-full', 'Which limit refused it'))).toEqual([
    'how-full',
  ]);
});

test('one question is asked once, in the words of the surest', () => {
  const { unknown } = judged(
    finding({ unknown: [question('which-limit', 'Which limit it was')] }),
    finding({ unknown: [question('which-limit', 'Which limit refused it'), question('how-full')] }),
  );
  expect(unknown.map(({ id, what }) => `${id}: ${what}`)).toEqual([
    'which-limit: Which limit it was',
    'how-full: words that nobody reads',
  ]);
});

test('advice of one id is given once, others of the same title are not lost', () => {
  const advice = (id: string, title: string) => ({ id, title, detail: '', command: null });
  const { remedies } = judged(
    finding({ remedies: [advice('a', 'One'), advice('b', 'Two')] }),
    finding({ variant: 'finer', remedies: [advice('a', 'Other words'), advice('c', 'Two')] }),
  );
  expect(remedies.map(({ id, title }) => `${id}: ${title}`)).toEqual([
    'a: Other words',
    'c: Two',
    'b: Two',
  ]);
});

test('the exception is that of the surest finding', () => {
  const one = finding({ cause: 'not-memory', exception: 'KeyboardInterrupt' });
  expect(judged(one, finding({ exception: 'ValueError' })).exception).toBe('KeyboardInterrupt');
  expect(judged(finding({}), one).exception).toBeUndefined();
});
