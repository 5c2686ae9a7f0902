import { expect, test } from 'vitest';
import { maskSecrets } from './mask.ts';

test.each([
  [
    ['--password', 'hunter2', '-v'],
    ['--password', '***', '-v'],
  ],
  [['--api-key=abc'], ['--api-key=***']],
  [['DB_PASSWORD=abc'], ['DB_PASSWORD=***']],
  [['postgres://bob:pw@host/db'], ['postgres://bob:***@host/db']],
  // The next word is an option of its own, not the secret.
  [
    ['--token', '--verbose'],
    ['--token', '--verbose'],
  ],
  // No secrets: nothing is touched.
  [
    ['python3', '-p', '8080', '--tokenizer=bert', 'passwords.txt'],
    ['python3', '-p', '8080', '--tokenizer=bert', 'passwords.txt'],
  ],
])('%j', (words, expected) => {
  expect(maskSecrets(words)).toEqual(expected);
});
