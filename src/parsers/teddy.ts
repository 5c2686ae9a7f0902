/**
 * The needle search for big inputs: sixteen places of the text at once in WebAssembly (teddy.c), which reports where one of
 * few rare anchors stands; what stands there is compared here. Null where WebAssembly or its SIMD is missing.
 */
import { teddyWasm } from './teddy-wasm.ts';
import {
  byPosition,
  countLineFeeds,
  shortestNeedle,
  standsAt,
  type NeedleFinder,
  type NeedleHit,
} from './needles.ts';

/** Declared by no library of the language alone: the middle of coroner is not tied to Node or the DOM. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
    }
  | undefined;
declare const atob: (base64: string) => string;

interface Teddy {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly tablesAt: () => number;
  readonly bitmapAt: () => number;
  readonly foundAt: () => number;
  readonly textAt: () => number;
  readonly textBytes: () => number;
  readonly resumeAt: () => number;
  readonly lineFeeds: () => number;
  readonly scan: (from: number, length: number) => number;
}

const anchorBytes = 4;
const buckets = 16;

/** An anchor: four bytes, and the needles that it stands for. */
interface Anchor {
  readonly bytes: readonly number[];
  readonly needles: readonly { readonly needle: number; readonly offset: number }[];
}

export function teddyFinder(needles: readonly string[]): NeedleFinder | null {
  const encoded = needles.map((needle) => new TextEncoder().encode(needle));
  if (encoded.length === 0 || encoded.some(({ length }) => length < shortestNeedle)) return null;
  const teddy = start();
  if (teddy === null) return null;
  const anchors = chooseAnchors(encoded);
  const at = (from: number, length: number) => new Uint8Array(teddy.memory.buffer, from, length);
  const tables = at(teddy.tablesAt(), 2 * anchorBytes * 2 * 16);
  const bitmap = at(teddy.bitmapAt(), 1 << 13);
  for (const [bucket, members] of intoBuckets(anchors).entries())
    for (const { bytes } of members)
      for (const [position, byte] of bytes.entries()) {
        const table = ((bucket >> 3) * anchorBytes + position) * 32;
        tables[table + (byte & 15)]! |= 1 << (bucket & 7);
        tables[table + 16 + (byte >> 4)]! |= 1 << (bucket & 7);
      }
  const byWord = new Map<number, Anchor['needles']>();
  for (const { bytes, needles: members } of anchors) {
    const word = wordAt(bytes, 0);
    for (const { needle, offset } of members) {
      const hash = hashBeside(word, encoded[needle] as Uint8Array, offset);
      bitmap[hash >> 3]! |= 1 << (hash & 7);
    }
    byWord.set(word, members);
  }
  const textBytes = teddy.textBytes();
  const text = at(teddy.textAt(), textBytes);
  const found = new Uint32Array(teddy.memory.buffer, teddy.foundAt(), 1 << 14);
  const longest = Math.max(...encoded.map(({ length }) => length));
  /** Adds what stands in `bytes[from..from + textBytes)` and begins before `until`; gives the number of line feeds. */
  const searchPart = (bytes: Uint8Array, from: number, until: number, hits: NeedleHit[]) => {
    const part = bytes.subarray(from, from + textBytes);
    text.set(part);
    let lineFeeds = 0;
    for (let at = 0; at < part.length; at = teddy.resumeAt()) {
      const count = teddy.scan(at, part.length);
      lineFeeds += teddy.lineFeeds();
      for (let index = 0; index < count; index += 1) {
        const place = found[index] as number;
        for (const { needle, offset } of byWord.get(wordAt(text, place)) ?? []) {
          const begin = place - offset;
          const words = encoded[needle] as Uint8Array;
          if (begin < 0 || begin + from >= until || begin + words.length > part.length) continue;
          if (standsAt(text, begin, words)) hits.push({ at: begin + from, needle });
        }
      }
    }
    return lineFeeds;
  };
  return {
    longest,
    search: (bytes) => {
      const hits: NeedleHit[] = [];
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

function start(): Teddy | null {
  if (typeof WebAssembly === 'undefined') return null;
  try {
    const bytes = Uint8Array.from(atob(teddyWasm), (char) => char.charCodeAt(0));
    return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Teddy;
  } catch {
    // Without SIMD the module is not valid; a sandbox may forbid it.
    return null;
  }
}

/** Of the anchor with the two bytes behind it, or before it where it ends the needle: as `hashOf` of teddy.c. */
function hashBeside(anchor: number, needle: Uint8Array, offset: number): number {
  const behind = offset + anchorBytes + 2 <= needle.length;
  const at = behind ? offset + anchorBytes : offset - 2;
  const pair = (needle[at] as number) | ((needle[at + 1] as number) << 8);
  return Math.imul(anchor ^ (pair << (behind ? 1 : 2)), 0x9e3779b1) >>> 16;
}

const wordAt = (bytes: ArrayLike<number>, at: number): number =>
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
/** Few anchors are better than rare ones: each fills the tables. */
const costOfAnchor = 1e-5;
/** Words that logs are full of, which letters alone do not tell. */
const usualWords =
  ' of by for new the and all is was in on at to from kernel: systemd[1]: session opened closed for user started finished reached stopped target network service ' +
  'process status connection from port request response error failed message time worker cache level info warning debug ' +
  'INFO WARN ERROR DEBUG success address device terminal exit code client server connect disconnect installed configure ' +
  'unpacked package main thread docker container image query database table version update check state running waiting ' +
  'with that this have been will invalid unable cannot not found file line path name type value host data null true false ' +
  'HTTP/1.1 GET /index.html POST /api/v1/ Mozilla/5.0 (X11; Linux x86_64) https://www. python3 nginx java node publickey ';
const costOfUsual = 2e-3;

/** Covers every needle with one of few anchors, rare ones first choice (greedy set cover). */
function chooseAnchors(needles: readonly Uint8Array[]): Anchor[] {
  interface Candidate {
    readonly bytes: readonly number[];
    readonly cost: number;
    readonly offsets: Map<number, number>;
  }
  const candidates = new Map<number, Candidate>();
  const candidatesOf: Candidate[][] = [];
  for (const [needle, words] of needles.entries())
    for (let offset = 0; offset + anchorBytes <= words.length; offset += 1) {
      const bytes = [...words.subarray(offset, offset + anchorBytes)];
      const word = wordAt(bytes, 0);
      let candidate = candidates.get(word);
      if (candidate === undefined) {
        const cost = bytes.reduce((share, byte) => share * (shareOf[byte] as number), 1);
        const usual = usualWords.includes(String.fromCharCode(...bytes)) ? costOfUsual : 0;
        candidate = { bytes, cost: cost + usual + costOfAnchor, offsets: new Map() };
        candidates.set(word, candidate);
      }
      if (!candidate.offsets.has(needle)) candidate.offsets.set(needle, offset);
      (candidatesOf[needle] ??= []).push(candidate);
    }
  const open = new Set(needles.keys());
  const anchors: Anchor[] = [];
  while (open.size > 0) {
    let best: Candidate | null = null;
    let bestGain = 0;
    for (const candidate of candidates.values()) {
      const gain = candidate.offsets.size / candidate.cost;
      if (gain > bestGain) [best, bestGain] = [candidate, gain];
    }
    if (best === null) throw new Error('a needle without an anchor');
    const covered = [...best.offsets].map(([needle, offset]) => ({ needle, offset }));
    anchors.push({ bytes: best.bytes, needles: covered });
    for (const { needle } of covered) {
      open.delete(needle);
      for (const { offsets } of candidatesOf[needle] ?? []) offsets.delete(needle);
    }
  }
  return anchors;
}

interface Bucket {
  readonly members: readonly Anchor[];
  /** For each position the low and then the high halves that occur, as bits. */
  readonly halves: Uint16Array;
  /** How much of a log gets through. */
  readonly share: number;
}

/** Anchors that share halves of bytes come together: each bucket lets through what mixes its members' halves. */
function intoBuckets(anchors: readonly Anchor[]): readonly (readonly Anchor[])[] {
  const all = anchors.map((anchor): Bucket => {
    const halves = Uint16Array.from(
      anchor.bytes.flatMap((byte) => [1 << (byte & 15), 1 << (byte >> 4)]),
    );
    return { members: [anchor], halves, share: shareTogether(halves, halves) };
  });
  const rise = (a: Bucket, b: Bucket) => shareTogether(a.halves, b.halves) - a.share - b.share;
  // For each bucket how much more gets through when it joins one of those before it.
  const rises = all.map((a, index) => Float64Array.from(all.slice(0, index), (b) => rise(a, b)));
  for (let count = all.length; count > buckets; count -= 1) {
    let [keep, drop, least] = [0, 0, Infinity];
    for (const [a, row] of rises.entries())
      for (let b = 0; b < row.length; b += 1)
        if ((row[b] as number) < least) [keep, drop, least] = [b, a, row[b] as number];
    const [a, b] = [all[keep] as Bucket, all[drop] as Bucket];
    const joined: Bucket = {
      members: [...a.members, ...b.members],
      halves: a.halves.map((bits, at) => bits | (b.halves[at] as number)),
      share: shareTogether(a.halves, b.halves),
    };
    // The last bucket takes the place of the one that is gone.
    all[keep] = joined;
    const last = all.pop() as Bucket;
    rises.pop();
    if (drop < all.length) all[drop] = last;
    for (const changed of drop < all.length ? [keep, drop] : [keep])
      for (const [other, bucket] of all.entries())
        if (other !== changed)
          (rises[Math.max(changed, other)] as Float64Array)[Math.min(changed, other)] = rise(
            all[changed] as Bucket,
            bucket,
          );
  }
  return all.map(({ members }) => members);
}

function shareTogether(a: Uint16Array, b: Uint16Array): number {
  let share = 1;
  for (let at = 0; at < a.length; at += 2)
    share *= shareOfHalves(
      (a[at] as number) | (b[at] as number),
      (a[at + 1] as number) | (b[at + 1] as number),
    );
  return share;
}

/** How many bytes of a log have one of these low halves and one of these high ones. */
function shareOfHalves(low: number, high: number): number {
  let share = 0;
  for (let highs = high; highs !== 0; highs &= highs - 1)
    for (let lows = low; lows !== 0; lows &= lows - 1)
      share +=
        shareOf[((31 - Math.clz32(highs & -highs)) << 4) | (31 - Math.clz32(lows & -lows))] ?? 0;
  return share;
}
