import { expect, test } from 'vitest';
import { diagnose } from '../diagnose/diagnose.ts';
import { gatherText } from '../gather/text.ts';
import { isInterrupt } from '../model/incident.ts';

const incidentOf = (raised: string, where = 'work') =>
  diagnose(
    gatherText(
      'stderr.log',
      `Traceback (most recent call last):\n  File "/srv/app.py", line 7, in ${where}\n    go()\n${raised}\n`,
    ),
  ).incidents[0]!;

test('Ctrl-C is known by the exception', () => {
  expect(incidentOf('KeyboardInterrupt')).toMatchObject({ exception: 'KeyboardInterrupt' });
  expect(isInterrupt(incidentOf('KeyboardInterrupt'))).toBe(true);
});

test('a place of that name is no Ctrl-C', () => {
  const other = incidentOf('ValueError: bad', 'onKeyboardInterrupt');
  expect(`${other.headline}`).toContain('KeyboardInterrupt');
  expect(other.exception).toBe('ValueError');
  expect(isInterrupt(other)).toBe(false);
});

test('what was memory is told, however it ended', () => {
  expect(isInterrupt({ outOfMemory: true, exception: 'KeyboardInterrupt' })).toBe(false);
});
