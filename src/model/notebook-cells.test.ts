import { describe, expect, test } from 'vitest';
import { alikeFile, shortFile } from './alike.ts';
import { alikeCell, cellName, withCellNumbers } from './notebook-cells.ts';
import { formatFrame, isUserFrame, placeOf } from './stack.ts';

const numbers = new Map([
  ['/tmp/ipykernel_4711/29631374.py', 3],
  ['C:\\Temp\\ipykernel_4711\\29631374.py', 7],
]);
const numbered = (file: string) => withCellNumbers({ file }, numbers).file;

describe('a cell', () => {
  test.each([
    ['/tmp/ipykernel_4711/29631374.py', 'cell In[3]'],
    ['C:\\Temp\\ipykernel_4711\\29631374.py', 'cell In[7]'],
    ['/tmp/ipykernel_4711/5.py', 'notebook cell 5'],
    ['<ipython-input-12-0a1b2c3d4e5f>', 'cell In[12]'],
  ])('%s is %s', (file, name) => {
    expect(cellName(numbered(file))).toBe(name);
    expect(isUserFrame({ file: numbered(file) })).toBe(true);
  });
  test.each(['/srv/ipykernel/app.py', '/tmp/ipykernel_4711/app.py', '<stdin>', ''])(
    '%j is none',
    (file) => {
      expect(cellName(numbered(file))).toBeNull();
      expect(alikeCell(file)).toBeNull();
      expect(placeOf({ file, line: 1 })).toBe(`${file}:1`);
    },
  );
  test('is told by its number, and known again by its text', () => {
    const file = numbered('/tmp/ipykernel_4711/29631374.py');
    expect(placeOf({ file, line: 6 })).toBe('cell In[3]:6');
    expect(formatFrame({ function: 'load', file, line: 6 })).toBe('load (cell In[3]:6)');
    expect(shortFile(file)).toBe('cell In[3]');
    expect(alikeFile(file)).toBe(alikeFile('/tmp/ipykernel_99/29631374.py'));
  });
});

test('files alone are numbered, wherever they stand; the rest is the same', () => {
  const bytes = new Uint8Array(2);
  const facts = {
    stack: [{ file: '/tmp/ipykernel_4711/29631374.py', line: 1 }],
    text: '/tmp/ipykernel_4711/29631374.py',
    figures: [1, 2],
    bytes,
    none: null,
  };
  const copy = withCellNumbers(facts, numbers);
  expect(copy).toEqual({
    ...facts,
    stack: [{ file: '/tmp/ipykernel_4711/In[3] 29631374.py', line: 1 }],
  });
  expect(copy.bytes).toBe(bytes);
  expect(withCellNumbers(facts, new Map())).toBe(facts);
});
