import { expect, test } from 'vitest';
import { diagnose } from '../../diagnose/diagnose.ts';
import { gatherText } from '../../gather/text.ts';

const remediesFor = (size: string, shape: string) =>
  diagnose(
    gatherText(
      'stderr.txt',
      `Traceback (most recent call last):
  File "job.py", line 3, in build
    return numpy.ones(${shape})
numpy._core._exceptions._ArrayMemoryError: Unable to allocate ${size} for an array with shape ${shape} and data type float64
`,
    ),
  ).incidents.flatMap(({ remedies }) => remedies.map(({ title }) => title));

test('a type half as wide is offered where half may fit', () => {
  const titles = remediesFor('7.45 GiB', '(1000000000,)');
  expect(titles).toContain('Halve it: a 4-byte type instead of float64');
  expect(titles).not.toContain('Check the shape that is asked for');
});

test('for an array of terabytes the shape is doubted first, and half of it is no help', () => {
  const titles = remediesFor('7.28 TiB', '(1000000000000,)');
  expect(titles[0]).toBe('Check the shape that is asked for');
  expect(titles.join('\n')).not.toContain('Halve it');
});
