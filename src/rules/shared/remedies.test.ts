import { expect, test } from 'vitest';
import { isToRecord, remedy } from './remedies.ts';

test('advice has its id beside its words', () => {
  expect(remedy('raise-rlimit', 'RLIMIT_DATA')).toEqual({
    id: 'raise-rlimit',
    title: 'Raise RLIMIT_DATA',
    detail: 'The machine may have had memory left: the limit of the shell or unit refused it.',
    command: 'ulimit -d unlimited',
  });
  expect(remedy('ask-for-less', undefined, 'native').title).toBe('Ask for less at a time');
  expect(remedy('ask-for-less', '1 GiB', 'python').title).toBe('Ask for less than 1 GiB at a time');
});

test('what is to be recorded is known by its id', () => {
  expect(isToRecord(remedy('record-what-held-it', 'python3'))).toBe(true);
  expect(isToRecord({ ...remedy('hold-less'), command: 'coroner run COMMAND' })).toBe(false);
  // A report of an older version.
  expect(isToRecord({ title: 'Record it', detail: '', command: 'coroner run COMMAND' })).toBe(
    false,
  );
});
