/**
 * Sums of what the recorder wrote, file by file. They tell that a file is not what was written, by accident or by a command that
 * wrote into its own incident folder; they are no seal: who can write the folder can write new sums as well.
 */
export interface Sum {
  readonly bytes: number;
  readonly sum: string;
}

/** Two polynomials modulo 2^32, fed with bytes. node:crypto takes milliseconds to load, for which every command would wait. */
export class RunningSum {
  #bytes = 0;
  #a = 0x811c9dc5 | 0;
  #b = 0x9e3779b9 | 0;

  add(bytes: Uint8Array): void {
    let [a, b] = [this.#a, this.#b];
    for (const byte of bytes) {
      a = Math.imul(a ^ byte, 0x01000193);
      b = (Math.imul(b, 0x5bd1e995) + byte + 1) | 0;
    }
    [this.#a, this.#b] = [a, b];
    this.#bytes += bytes.length;
  }

  get value(): Sum {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
    return { bytes: this.#bytes, sum: hex(this.#a) + hex(this.#b) };
  }
}

export function sumOf(text: string): Sum {
  const sum = new RunningSum();
  sum.add(Buffer.from(text));
  return sum.value;
}

/** `told` was read from a folder and may be anything. */
export const isSame = (told: unknown, sum: Sum): boolean =>
  typeof told === 'object' &&
  told !== null &&
  'bytes' in told &&
  'sum' in told &&
  told.bytes === sum.bytes &&
  told.sum === sum.sum;
