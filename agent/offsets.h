/*
 * Where a CPython keeps what a stack is made of: byte offsets on 64-bit builds (the same on x86-64 and arm64),
 * from the headers of each release: scripts/offsets.mjs writes the rows. Within one minor version they have never changed
 * after its final release.
 */
#ifndef CORONER_OFFSETS_H
#define CORONER_OFFSETS_H

#include <stdint.h>

enum line_table { LINES_LNOTAB_27, LINES_LNOTAB, LINES_310, LINES_311 };

struct python_layout {
  uint16_t version; /* 0x030b for 3.11 */
  uint16_t state_thread_id;
  uint16_t state_frame;   /* the frame itself, or (with frame_indirect) what points to it */
  int16_t frame_indirect; /* offset of the frame pointer in the _PyCFrame of 3.11 and 3.12; -1: none */
  uint16_t frame_back;
  uint16_t frame_code;
  uint16_t frame_last;   /* index of the last instruction, or (from 3.11 on) a pointer to it */
  uint16_t last_unit;    /* bytes one step of an index is worth; 0: it is a pointer */
  uint16_t frame_owner;  /* 0: none */
  uint16_t code_file;
  uint16_t code_name;
  uint16_t code_first_line;
  uint16_t code_lines;
  uint16_t code_adaptive;
  uint16_t ascii_data;   /* first character of a compact ASCII str */
  uint16_t compact_data; /* and of any other compact str */
  /* Instructions that make a tuple or a dict; 0: it has none. */
  uint8_t build_tuple, build_map, build_const_key_map;
  /* In _PyRuntime: where the offsets of state_frame, of frame_back and of code_file stand, each before those of its kin; 0: it says nothing. */
  uint16_t debug_state, debug_frame, debug_code;
  enum line_table lines;
};

static const struct python_layout python_layouts[] = {
    /* version thread frame indir back code last unit owner file name first lines adaptive ascii compact tuple map const_key_map debug:state frame code */
    {0x0207, 144, 16, -1, 24, 32, 120, 1, 0, 80, 88, 96, 104, 0, 36, 36, 102, 105, 0, 0, 0, 0, LINES_LNOTAB_27},
    {0x0306, 152, 24, -1, 24, 32, 120, 1, 0, 96, 104, 36, 112, 0, 48, 72, 102, 105, 156, 0, 0, 0, LINES_LNOTAB},
    {0x0307, 176, 24, -1, 24, 32, 104, 1, 0, 96, 104, 36, 112, 0, 48, 72, 102, 105, 156, 0, 0, 0, LINES_LNOTAB},
    {0x0308, 176, 24, -1, 24, 32, 104, 1, 0, 104, 112, 40, 120, 0, 48, 72, 102, 105, 156, 0, 0, 0, LINES_LNOTAB},
    {0x0309, 176, 24, -1, 24, 32, 104, 1, 0, 104, 112, 40, 120, 0, 48, 72, 102, 105, 156, 0, 0, 0, LINES_LNOTAB},
    {0x030a, 176, 24, -1, 24, 32, 96, 2, 0, 104, 112, 40, 120, 0, 48, 72, 102, 105, 156, 0, 0, 0, LINES_310},
    {0x030b, 152, 56, 8, 48, 32, 56, 0, 69, 112, 120, 72, 136, 184, 48, 72, 102, 105, 156, 0, 0, 0, LINES_311},
    {0x030c, 136, 56, 0, 8, 0, 56, 0, 70, 112, 120, 68, 136, 192, 40, 56, 102, 105, 156, 0, 0, 0, LINES_311},
    {0x030d, 152, 72, -1, 8, 0, 56, 0, 70, 112, 120, 68, 136, 200, 40, 56, 52, 48, 46, 184, 232, 280, LINES_311},
    {0x030e, 152, 72, -1, 8, 0, 56, 0, 74, 112, 120, 68, 136, 208, 40, 56, 51, 47, 0, 208, 256, 320, LINES_311},
    {0x030f, 176, 72, -1, 8, 0, 56, 0, 74, 112, 120, 68, 136, 208, 40, 56, 49, 45, 0, 208, 320, 384, LINES_311},
};

#endif
