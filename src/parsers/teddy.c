/*
 * The inner loop of the needle search, for WebAssembly with SIMD: "Teddy", the method of Hyperscan's literal matcher.
 * Every needle has an anchor, four bytes of it that are rare in logs; anchors lie in sixteen buckets. For each of the four
 * positions a table tells by the low and by the high half of a byte which buckets have an anchor with such a byte there.
 * Sixteen places are tried at once; where a bucket says yes four times, a bitmap is asked: by a hash of the anchor
 * and two bytes beside it.
 * teddy.ts fills the tables, and verifies what this finds. Build: node scripts/teddy.mjs
 */
#include <stdint.h>
#include <wasm_simd128.h>

#define exported(name) __attribute__((export_name(#name)))

enum { textBytes = 1 << 20, maxFound = 1 << 14 };

/* [buckets 0..7, 8..15][position][low half, high half][value] */
static uint8_t tables[2][4][2][16] __attribute__((aligned(16)));
static uint8_t bitmap[1 << 13];
static uint32_t found[maxFound];
/* Loads run over the end by up to 19 bytes. */
static uint8_t text[textBytes + 32] __attribute__((aligned(16)));
static uint32_t resume, feeds;

exported(tablesAt) uint8_t *tablesAt(void) { return &tables[0][0][0][0]; }
exported(bitmapAt) uint8_t *bitmapAt(void) { return bitmap; }
exported(foundAt) uint32_t *foundAt(void) { return found; }
exported(textAt) uint8_t *textAt(void) { return text; }
exported(textBytes) uint32_t textBytesOf(void) { return textBytes; }
/* Where to go on: less than the length if `found` was full. */
exported(resumeAt) uint32_t resumeAt(void) { return resume; }
/* Line feeds from where the scan began to `resume`. */
exported(lineFeeds) uint32_t lineFeeds(void) { return feeds; }

/* Of an anchor and the two bytes behind it (side 1) or before it (side 2). */
static inline uint32_t hashOf(uint32_t anchor, uint32_t pair, uint32_t side) {
  return ((anchor ^ (pair << side)) * 0x9e3779b1u) >> 16;
}
static inline uint32_t inBitmap(uint32_t hash) { return bitmap[hash >> 3] >> (hash & 7) & 1; }

/* Writes to `found` where an anchor may stand in text[from..length), and tells how many. `from`: a multiple of 16. */
exported(scan) uint32_t scan(uint32_t from, uint32_t length) {
  const v128_t half = wasm_i8x16_splat(0x0f), feed = wasm_i8x16_splat('\n');
  v128_t has[2][4][2];
  for (int group = 0; group < 2; group++)
    for (int at = 0; at < 4; at++)
      for (int side = 0; side < 2; side++) has[group][at][side] = wasm_v128_load(tables[group][at][side]);
  wasm_v128_store(text + length, wasm_i8x16_splat(0));
  wasm_v128_store(text + length + 16, wasm_i8x16_splat(0));
  uint32_t count = 0;
  feeds = 0;
  uint32_t at = from;
  for (; at < length && count <= maxFound - 16; at += 16) {
    v128_t a = wasm_i8x16_splat(-1), b = a;
#pragma clang loop unroll(full)
    for (int position = 0; position < 4; position++) {
      v128_t bytes = wasm_v128_load(text + at + position);
      if (position == 0)
        feeds += __builtin_popcount(wasm_i8x16_bitmask(wasm_i8x16_eq(bytes, feed)));
      /* A shift of bytes would take engines several instructions. */
      v128_t low = wasm_v128_and(bytes, half), high = wasm_v128_and(wasm_u16x8_shr(bytes, 4), half);
      a = wasm_v128_and(a, wasm_v128_and(wasm_i8x16_swizzle(has[0][position][0], low),
                                         wasm_i8x16_swizzle(has[0][position][1], high)));
      b = wasm_v128_and(b, wasm_v128_and(wasm_i8x16_swizzle(has[1][position][0], low),
                                         wasm_i8x16_swizzle(has[1][position][1], high)));
    }
    v128_t any = wasm_v128_or(a, b);
    if (!wasm_v128_any_true(any)) continue;
    uint32_t lanes = wasm_i8x16_bitmask(wasm_i8x16_ne(any, wasm_i8x16_splat(0)));
    for (; lanes != 0; lanes &= lanes - 1) {
      uint32_t place = at + __builtin_ctz(lanes);
      uint32_t anchor;
      uint16_t behind, before;
      __builtin_memcpy(&anchor, text + place, 4);
      __builtin_memcpy(&behind, text + place + 4, 2);
      __builtin_memcpy(&before, text + place - 2, 2);
      /* No branch that depends on the text: it would be guessed wrong most of the time. */
      found[count] = place;
      count += inBitmap(hashOf(anchor, behind, 1)) | inBitmap(hashOf(anchor, before, 2));
    }
  }
  resume = at < length ? at : length;
  return count;
}
