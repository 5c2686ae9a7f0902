/*
 * The inner loop of the needle search, for WebAssembly with SIMD. Whatever is eight bytes long covers, wherever it stands, four bytes
 * at a place that four divides. So only every fourth place is looked at: each needle has four quads, one for each way it can lie.
 * A table tells by a hash whether a quad may be one of them; where it says yes, a bitmap is asked by a hash of the quad and two
 * bytes beside it. quads.ts chooses the quads, fills the tables, and verifies what this finds. Build: node scripts/four-byte-scanner.mjs
 */
#include <stdint.h>
#include <wasm_simd128.h>

#define exported(name) __attribute__((export_name(#name)))

enum { textBytes = 1 << 20, maxFound = 1 << 14, stepBytes = 64 };

/* A byte each, not a bit: a shift more for every quad would cost a quarter of the speed. */
static uint8_t known[1 << 16];
static uint8_t bitmap[1 << 13];
static uint32_t found[maxFound];
/* Loads run over the end by less than a step, and two bytes before the begin. */
static uint8_t space[64 + textBytes + stepBytes] __attribute__((aligned(64)));
static uint8_t *const text = space + 64;
static uint32_t resume, feeds;

exported(knownAt) uint8_t *knownAt(void) { return known; }
exported(bitmapAt) uint8_t *bitmapAt(void) { return bitmap; }
exported(foundAt) uint32_t *foundAt(void) { return found; }
exported(textAt) uint8_t *textAt(void) { return text; }
exported(textBytes) uint32_t textBytesOf(void) { return textBytes; }
/* Where to go on: less than the length if `found` was full. */
exported(resumeAt) uint32_t resumeAt(void) { return resume; }
/* Line feeds from where the scan began to `resume`. */
exported(lineFeeds) uint32_t lineFeeds(void) { return feeds; }

static inline uint32_t quadAt(uint32_t place) {
  uint32_t quad;
  __builtin_memcpy(&quad, text + place, 4);
  return quad;
}
static inline uint32_t hashOf(uint32_t quad) { return (quad * 0x9e3779b1u) >> 16; }
/* With the two bytes behind it (side 1) or before it (side 2). */
static inline uint32_t inBitmap(uint32_t quad, const uint8_t *at, uint32_t side) {
  uint16_t pair;
  __builtin_memcpy(&pair, at, 2);
  uint32_t hash = hashOf(quad ^ ((uint32_t)pair << side));
  return bitmap[hash >> 3] >> (hash & 7) & 1;
}
static inline uint32_t feedsIn(uint32_t at) {
  return __builtin_popcount(wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(text + at), wasm_i8x16_splat('\n'))));
}

/* Writes to `found` where a quad of a needle may stand in text[from..length), and tells how many. `from`: a multiple of a step. */
exported(scan) uint32_t scan(uint32_t from, uint32_t length) {
  __builtin_memset(text + length, 0, stepBytes);
  uint32_t count = 0, at = from;
  feeds = 0;
  for (; at < length && count <= maxFound - stepBytes / 4; at += stepBytes) {
    /* One bit for each quad, the first one highest. Two chains, so that neither is waited for. */
    uint32_t first = 0, second = 0;
#pragma clang loop unroll(full)
    for (uint32_t index = 0; index < 8; index++) {
      first = first * 2 + known[hashOf(quadAt(at + index * 4))];
      second = second * 2 + known[hashOf(quadAt(at + 32 + index * 4))];
    }
#pragma clang loop unroll(full)
    for (uint32_t part = 0; part < stepBytes; part += 16) feeds += feedsIn(at + part);
    for (uint32_t quads = first << 24 | second << 16; quads != 0;) {
      uint32_t index = __builtin_clz(quads);
      quads &= ~(0x80000000u >> index);
      uint32_t place = at + index * 4, quad = quadAt(place);
      /* No branch that depends on the text: it would be guessed wrong most of the time. */
      found[count] = place;
      count += inBitmap(quad, text + 4 + place, 1) | inBitmap(quad, space + 62 + place, 2);
    }
  }
  resume = at < length ? at : length;
  return count;
}
