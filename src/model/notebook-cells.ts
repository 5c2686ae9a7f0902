/**
 * Cells of notebooks. ipykernel compiles a cell under a file of the kernel's pid and a hash of its text, which no reader knows it by; the
 * number that stands beside the cell, `In [3]`, is what people know. The hash stays: it is the same in every kernel that runs the same text.
 */

/** With the number, where it is known: `/tmp/ipykernel_4711/In[3] 29631374.py`. */
const cellFile = /^((?:.*[\\/])?ipykernel_\d+[\\/])(?:In\[(\d+)\] )?(\d+)\.py$/;
/** IPython in a terminal has the number in the name: `<ipython-input-3-0a1b2c3d4e5f>`. */
const terminalCell = /^<ipython-input-(\d+)-[0-9a-f]+>$/;

/** `cell In[3]`, `notebook cell 29631374` where the number is not known; null: the file is no cell's. */
export function cellName(file: string): string | null {
  const [, , number = terminalCell.exec(file)?.[1], hash] = cellFile.exec(file) ?? [];
  if (number !== undefined) return `cell In[${number}]`;
  return hash === undefined ? null : `notebook cell ${hash}`;
}

/** By which the cell is known in another kernel, whatever its number there; null: the file is no cell's. */
export function alikeCell(file: string): string | null {
  const hash = cellFile.exec(file)?.[3];
  return hash === undefined ? null : `notebook cell ${hash}`;
}

/** A copy of `value` in which each `file` that is a cell's says its number. `numbers`: by the file that the kernel gave it. */
export function withCellNumbers<T>(value: T, numbers: ReadonlyMap<string, number>): T {
  if (numbers.size === 0) return value;
  const inner = (part: unknown, key: string): unknown => {
    if (key === 'file' && typeof part === 'string') {
      const number = numbers.get(part);
      return number === undefined
        ? part
        : part.replace(cellFile, (_, folder: string, __, hash: string) =>
            [folder, `In[${number}] `, hash, '.py'].join(''),
          );
    }
    if (Array.isArray(part))
      // Series of figures are long, and hold no files.
      return typeof part[0] === 'number' ? part : part.map((each) => inner(each, ''));
    if (!isPlain(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([name, own]) => [name, inner(own, name)]));
  };
  return inner(value, '') as T;
}

const isPlain = (part: unknown): part is object =>
  typeof part === 'object' && part !== null && Object.getPrototypeOf(part) === Object.prototype;
