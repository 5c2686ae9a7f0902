import type { Bytes } from '../../model/units.ts';

const powers: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5, e: 6 };

/**
 * `7.28 TiB`, `512MB`, `273. GiB`, `1,024 KB`, `2159200Ki`. Tools that write about memory mean powers of 1024 even
 * where they write MB; `decimal` for those that do not. Undefined where it is no size.
 */
export function sizeBytes(text: string, unit: 'binary' | 'decimal' = 'binary'): Bytes | undefined {
  const match =
    /^\s*(\d[\d,_]*(?:\.\d*)?|\.\d+)\s*(?:(kilo|mega|giga|tera)bytes?|([kmgtpe]?)(i?)(?:b(?:ytes?)?)?)\b/i.exec(
      text,
    );
  if (match === null) return undefined;
  const number = Number(match[1]!.replace(/[,_]/g, ''));
  const power = powers[(match[3] ?? match[2]!.charAt(0)).toLowerCase()];
  if (!Number.isFinite(number) || power === undefined) return undefined;
  return Math.round(
    number * ((match[4] ?? '') === '' && unit === 'decimal' ? 1000 : 1024) ** power,
  );
}

/** Kubernetes quantity: `128Mi`, `1G` (decimal), `134217728`, `0.5Gi`, `1e9`. */
export function quantityBytes(text: string): Bytes | undefined {
  const match = /^"?(\d+(?:\.\d+)?(?:e\d+)?)([kKMGTPE]i?|m)?"?$/.exec(text.trim());
  if (match === null) return undefined;
  const suffix = match[2] ?? '';
  if (suffix === 'm') return Math.round(Number(match[1]) / 1000);
  const power = powers[suffix.charAt(0).toLowerCase()] ?? 0;
  return Math.round(Number(match[1]) * (suffix.endsWith('i') ? 1024 : 1000) ** power);
}

/** `1234` as a number, undefined where it is none or not exact. */
export function integer(text: string | undefined): number | undefined {
  if (text === undefined || !/^-?\d+$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}

const namedItemBytes: Readonly<Record<string, Bytes>> = {
  bool: 1,
  object: 8,
  half: 2,
  single: 4,
  double: 8,
  float: 8,
  int: 8,
  uint: 8,
  longdouble: 16,
  clongdouble: 32,
  // numpy 2's variable-width strings: 16 bytes each in the array, the rest beside it
  StringDType: 16,
};

/** Bytes of one item of a numpy dtype as numpy prints it; undefined where it cannot be told. */
export function dtypeBytes(dtype: string): Bytes | undefined {
  const name = dtype
    .trim()
    .replace(/^<class '(?:numpy\.)?(.*)'>$/, '$1')
    .replace(/^(?:np|numpy|torch|tf)\./, '')
    .replace(/_$/, '')
    .replace(/\(.*\)$/, '');
  const whole = namedItemBytes[name];
  if (whole !== undefined) return whole;
  if (/^(?:datetime64|timedelta64)/.test(name)) return 8;
  const bits = /^(?:u?int|float|bfloat|complex|void)(\d{1,6})$/.exec(name);
  if (bits !== null) return Number(bits[1]) / 8;
  const coded = /^[<>|=]?([?bBhHiIuUlLqQefdgFDGOSaVmMc])(\d{0,9})/.exec(name);
  if (coded !== null && /^[<>|=]|^[SUV]\d/.test(name)) {
    const count = Number(coded[2] === '' ? 1 : coded[2]);
    return coded[1] === 'U' ? count * 4 : coded[1] === 'O' ? 8 : count;
  }
  const itemSize = /'itemsize':\s?(\d{1,9})/.exec(name);
  if (itemSize !== null) return Number(itemSize[1]);
  const fields = [...name.matchAll(/\('[^']{1,80}',\s?'([^']{1,20})'(?:,\s?\(([\d, ]+)\))?\)/g)];
  if (!name.startsWith('[') || fields.length === 0) return undefined;
  let total = 0;
  for (const [, field = '', shape] of fields) {
    const one = dtypeBytes(field);
    if (one === undefined) return undefined;
    total += one * (shape === undefined ? 1 : (product(shape) ?? Number.NaN));
  }
  return Number.isNaN(total) ? undefined : total;
}

/** `(101, 363246735)` without the brackets: the number of items, undefined where it is no shape or not exact. */
export function product(shape: string): number | undefined {
  const sizes = shape.split(',').flatMap((size) => (size.trim() === '' ? [] : [size.trim()]));
  if (!sizes.every((size) => /^\d{1,19}$/.test(size)) || sizes.length > 64) return undefined;
  const items = Number(sizes.reduce((all, size) => all * BigInt(size), 1n));
  return Number.isFinite(items) ? items : undefined;
}

/** An array that could not be made, as numpy words it. */
export interface ArrayRequest {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly bytes: Bytes;
}

export function arrayRequest(text: string): ArrayRequest | undefined {
  const match =
    /array with shape ?[([]([\d, ]{1,400})[)\]],? and data type (\[[^\]]{1,400}\]|\{[^}]{1,400}\}|<class '[\w.]{1,60}'>|[<>|=]?[\w[\]]{1,40})/.exec(
      text,
    );
  if (match === null) return undefined;
  const items = product(match[1]!);
  const item = dtypeBytes(match[2]!);
  if (items === undefined || item === undefined) return undefined;
  return {
    shape: match[1]!.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)])),
    dtype: match[2]!,
    bytes: items * item,
  };
}

/** How programs word the size that was refused: exact numbers before rounded ones. */
const requestWordings: readonly RegExp[] = [
  /you tried to allocate (\d{1,20}) bytes/,
  /(?:malloc|realloc|calloc|mmap|posix_memalign|aligned_alloc)(?:_aligned)? of size (\d{1,20}) failed/,
  /memory allocation of (\d{1,20}) bytes failed/,
  /memory allocation of ~?(\d[\d.]{0,12} ?[KMG]i?B) bytes failed/,
  /Cannot (?:re)?allocate (\d{1,20}) bytes of memory/,
  /os::commit_memory\(0x[0-9a-f]+, (\d{1,20}),/,
  /(?:failed|unable|cannot|could not|can't|tried|trying|attempt(?:ing)?) to (?:map|allocate|alloc|reserve|commit|malloc|realloc)(?: memory:?)? (?:block of )?(\d{1,20})(?: ?bytes?\b| ?B\b)/i,
  /(?:cannot|can't|could not|couldn't|unable to|failed to) (?:re)?allocate (\d{1,20}) bytes/i,
  /cannot allocate (\d{1,20})-byte block/,
  /Could not allocate metaspace: (\d{1,20}) bytes/,
  /VirtualAlloc of (\d{1,20}) bytes failed/,
  /unable to mmap (\d{1,20}) bytes/,
  /\b(?:malloc|mmap)\((\d{5,20})\)/,
  /failed to allocate (?:\w{1,12} )?buffer of size (\d{1,20})/,
  /failed to allocate buffer, size = {1,6}(\d[\d.]* ?[KMGT]i?B)/,
  /memory allocation of size (\d{1,20}) failed/,
  /attempted to allocate {1,6}(\d[\d.]* ?[KMGT]i?B)/,
  /requires more system memory \(([\d.]+ ?[KMGT]i?B)\)/,
  /allocating (\d{1,20}) bytes/,
  /Failed on request of size (\d{1,20})/,
  /enough space for (\d{1,15} ?[KMG]B) object heap/,
  /memory exhausted \(needed (\d{1,20}) bytes/,
  /eheap_alloc: Cannot (?:re)?allocate (\d{1,20}) bytes/,
  /(?:mach_vm_map|\bmmap)\(size=(\d{1,20})/,
  /[Ff]ailed to allocate (?:data of size|memory(?: of size)?|block of size|buffer of size)?:? ?(\d[\d.]* ?(?:[KMGTP]i?B|bytes|B)\b)/,
  /[Tt]r(?:ied|ying) to allocate (\d[\d.]*\.? ?(?:[KMGTP]i?B|bytes|B|[KMGT])\b)/,
  /[Uu]nable to allocate (\d[\d.]*\.? ?(?:[KMGTP]i?B|bytes|B)\b)/,
  /cannot allocate (?:vector|memory block) of size (\d[\d.]*\.? ?[KMGT]?b)\b/i,
  /(?:could not|cannot|can't|failed to|unable to) allocate (?:a |an )?(?:block of size |memory of |buffer of )?(\d[\d.]*\.? ?(?:[KMGTP]i?B|bytes)\b)/i,
  /Attempting to (?:reserve|allocate) (\d[\d.]*\.? ?[KMGT]i?B?)\b/,
  /Allocation of (\d{1,20})(?: bytes)? exceeds/,
];

/** The size a failed allocation asked for, where the words name it. */
export function requestedBytes(text: string): Bytes | undefined {
  const array = arrayRequest(text);
  if (array !== undefined) return array.bytes;
  for (const wording of requestWordings) {
    const match = wording.exec(text);
    if (match !== null) return /^\d+$/.test(match[1]!) ? Number(match[1]) : sizeBytes(match[1]!);
  }
  return undefined;
}

/** Near 2^63, rounding of the words allowed for, and beyond: a negative number, an overflow or a bad input became a size. */
const impossibleBytes = 0.98 * 2 ** 63;

/** Whether the words ask for a size that cannot be meant: near 2^63 or 2^64 bytes, or below none. */
export const isImpossibleRequest = (text: string): boolean =>
  (requestedBytes(text) ?? 0) >= impossibleBytes ||
  /\b(?:tried|trying|failed|unable|cannot|could not|can't|attempt(?:ed|ing)?) to (?:re)?(?:allocate|alloc|malloc|map|reserve)\b[^\n]{0,40}? -\d{1,20}(?:\.\d{1,6})? ?(?:[KMGT]i?)?(?:bytes?|B)\b|(?:m|re|c)alloc of size -\d{1,20} failed|memory allocation of -\d{1,20} bytes/i.test(
    text,
  );
