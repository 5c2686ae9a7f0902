/**
 * The needle search for big inputs: WebAssembly (quads.c) looks at every fourth place of the text and reports where four bytes of
 * a needle stand; what stands there is compared here. Null where WebAssembly or its SIMD is missing.
 */
import { scannerWasm } from './four-byte-scanner-wasm.ts';
import {
  byPosition,
  countLineFeeds,
  shortestLiteral,
  standsAt,
  type LiteralFinder,
  type LiteralHit,
} from './literals.ts';

/** Declared by no library of the language alone: the middle of coroner is not tied to Node or the DOM. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
    }
  | undefined;
declare const atob: (base64: string) => string;

interface Scan {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly knownAt: () => number;
  readonly bitmapAt: () => number;
  readonly foundAt: () => number;
  readonly textAt: () => number;
  readonly textBytes: () => number;
  readonly resumeAt: () => number;
  readonly lineFeeds: () => number;
  readonly scan: (from: number, length: number) => number;
}

const fourByteCodes = 4;

/** The needles that a quad stands for, and where in each it lies. */
type Places = readonly { readonly literal: number; readonly offset: number }[];

export function fourByteFinder(literals: readonly string[]): LiteralFinder | null {
  const encoded = literals.map((literal) => new TextEncoder().encode(literal));
  if (encoded.length === 0 || encoded.some(({ length }) => length < shortestLiteral)) return null;
  const wasm = start();
  if (wasm === null) return null;
  const at = (from: number, length: number) => new Uint8Array(wasm.memory.buffer, from, length);
  const known = at(wasm.knownAt(), 1 << 16);
  const bitmap = at(wasm.bitmapAt(), 1 << 13);
  const allFourBytes = chooseFourBytes(encoded);
  for (const [fourBytes, places] of allFourBytes) {
    known[hashOf(fourBytes)] = 1;
    for (const { literal, offset } of places) {
      const hash = hashBeside(fourBytes, encoded[literal] as Uint8Array, offset);
      bitmap[hash >> 3]! |= 1 << (hash & 7);
    }
  }
  const textBytes = wasm.textBytes();
  const text = at(wasm.textAt(), textBytes);
  const found = new Uint32Array(wasm.memory.buffer, wasm.foundAt(), 1 << 14);
  const longest = Math.max(...encoded.map(({ length }) => length));
  /** Adds what stands in `bytes[from..from + textBytes)` and begins before `until`; gives the number of line feeds. */
  const searchPart = (bytes: Uint8Array, from: number, until: number, hits: LiteralHit[]) => {
    const part = bytes.subarray(from, from + textBytes);
    text.set(part);
    let lineFeeds = 0;
    for (let at = 0; at < part.length; at = wasm.resumeAt()) {
      const count = wasm.scan(at, part.length);
      lineFeeds += wasm.lineFeeds();
      for (let index = 0; index < count; index += 1) {
        const place = found[index] as number;
        for (const { literal, offset } of allFourBytes.get(fourBytesAt(text, place)) ?? []) {
          const begin = place - offset;
          const words = encoded[literal] as Uint8Array;
          if (begin < 0 || begin + from >= until || begin + words.length > part.length) continue;
          if (standsAt(text, begin, words)) hits.push({ at: begin + from, literal });
        }
      }
    }
    return lineFeeds;
  };
  return {
    longest,
    search: (bytes) => {
      const hits: LiteralHit[] = [];
      let lineFeeds = 0;
      // Parts overlap by the longest needle.
      const step = bytes.length <= textBytes ? textBytes : textBytes - longest;
      for (let from = 0; from < bytes.length; from += step) {
        lineFeeds += searchPart(bytes, from, from + step, hits);
        if (step < textBytes)
          lineFeeds -= countLineFeeds(
            bytes,
            Math.min(bytes.length, from + step),
            Math.min(bytes.length, from + textBytes),
          );
      }
      return { hits: hits.sort(byPosition), lineFeeds };
    },
  };
}

function start(): Scan | null {
  if (typeof WebAssembly === 'undefined') return null;
  try {
    const bytes = Uint8Array.from(atob(scannerWasm), (char) => char.charCodeAt(0));
    return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Scan;
  } catch {
    // Without SIMD the module is not valid; a sandbox may forbid it.
    return null;
  }
}

/** As in quads.c. */
const hashOf = (fourBytes: number): number => Math.imul(fourBytes, 0x9e3779b1) >>> 16;

/** Of the quad with the two bytes behind it, or before it where it ends the needle. */
function hashBeside(fourBytes: number, literal: Uint8Array, offset: number): number {
  const behind = offset + fourByteCodes + 2 <= literal.length;
  const at = behind ? offset + fourByteCodes : offset - 2;
  const pair = (literal[at] as number) | ((literal[at + 1] as number) << 8);
  return hashOf(fourBytes ^ (pair << (behind ? 1 : 2)));
}

const fourBytesAt = (bytes: ArrayLike<number>, at: number): number =>
  (bytes[at] as number) |
  ((bytes[at + 1] as number) << 8) |
  ((bytes[at + 2] as number) << 16) |
  ((bytes[at + 3] as number) << 24);

/** Bytes of logs, the most frequent first; a guess is good enough: it costs time where it is wrong, never a hit. */
const frequent = ' etaoinsr01lcdupm23456789:.-hfgy/bkvw=_[]"(),xTESCADRNIMPFLO';
const shareOf = Array.from({ length: 256 }, (_, byte) => {
  const rank = frequent.indexOf(String.fromCharCode(byte));
  return rank < 0 ? 0.0004 : 0.085 * 0.93 ** rank;
});
/** Few quads are better than rare ones: each fills the tables. */
const costOfFourBytes = 1e-4;
/** Words that logs are full of, which letters alone do not tell. */
const usualWords =
  ' of by for new the and all is was in on at to from kernel: systemd[1]: session opened closed for user started finished reached stopped target network service ' +
  'process status connection from port request response error failed message time worker cache level info warning debug ' +
  'INFO WARN ERROR DEBUG success address device terminal exit code client server connect disconnect installed configure ' +
  'unpacked package main thread docker container image query database table version update check state running waiting ' +
  'with that this have been will invalid unable cannot not found file line path name type value host data null true false ' +
  'HTTP/1.1 GET /index.html POST /api/v1/ Mozilla/5.0 (X11; Linux x86_64) https://www. python3 nginx java node publickey ';
const costOfUsual = 2e-3;

/**
 * For each needle, and each of the four ways in which it can lie, one of its quads that then begins at a place that four divides:
 * a rare one, or one that stands for many needles.
 */
function chooseFourBytes(literals: readonly Uint8Array[]): ReadonlyMap<number, Places> {
  const uses = new Map<number, number>();
  for (const words of literals)
    for (let offset = 0; offset + fourByteCodes <= words.length; offset += 1) {
      const fourBytes = fourBytesAt(words, offset);
      uses.set(fourBytes, (uses.get(fourBytes) ?? 0) + 1);
    }
  const costs = new Map<number, number>();
  const costOf = (fourBytes: number): number => {
    let cost = costs.get(fourBytes);
    if (cost === undefined) {
      const bytes = [
        fourBytes & 255,
        (fourBytes >> 8) & 255,
        (fourBytes >> 16) & 255,
        fourBytes >>> 24,
      ];
      const isUsual = usualWords.includes(String.fromCharCode(...bytes));
      cost = bytes.reduce((share, byte) => share * (shareOf[byte] as number), 1);
      if (isUsual) cost += costOfUsual;
      costs.set(fourBytes, cost);
    }
    return cost;
  };
  const chosen = new Map<number, { literal: number; offset: number }[]>();
  // Short ones first: they have no choice.
  const order = [...literals.entries()].sort(([, a], [, b]) => a.length - b.length);
  for (const [literal, words] of order)
    for (let way = 0; way < fourByteCodes; way += 1) {
      let [best, least] = [way, Infinity];
      for (let offset = way; offset + fourByteCodes <= words.length; offset += fourByteCodes) {
        const fourBytes = fourBytesAt(words, offset);
        const cost =
          costOf(fourBytes) +
          (chosen.has(fourBytes) ? 0 : costOfFourBytes / (uses.get(fourBytes) ?? 1));
        if (cost < least) [best, least] = [offset, cost];
      }
      const fourBytes = fourBytesAt(words, best);
      const places = chosen.get(fourBytes) ?? [];
      places.push({ literal, offset: best });
      chosen.set(fourBytes, places);
    }
  return chosen;
}
