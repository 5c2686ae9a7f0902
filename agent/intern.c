/* Stacks, frames, code objects and texts: each is in the file once. */
#include "intern.h"

#include <string.h>

#include "file.h"

/* Indexes: ids (from 1) by hash, open addressing. They are rebuilt by nobody: a fork copies them with everything else. */
#define STACK_INDEX (STACK_CAPACITY * 2)
#define NODE_INDEX (NODE_CAPACITY * 2)
#define FRAME_INDEX (FRAME_CAPACITY * 2)
#define CODE_INDEX (CODE_CAPACITY * 2)
#define TEXT_INDEX 8192u
static uint16_t stack_index[STACK_INDEX];
static uint16_t node_index[NODE_INDEX];
static uint16_t frame_index[FRAME_INDEX];
static uint16_t code_index[CODE_INDEX];
static uint32_t text_index[TEXT_INDEX];
static struct line_cursor line_cursors[CODE_CAPACITY];

uint32_t state_text(const char *bytes, size_t length) {
  if (length > 4096) length = 4096;
  uint64_t hash = 1469598103934665603ull;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)bytes[i]) * 1099511628211ull;
  uint32_t slot = (uint32_t)mix(hash) & (TEXT_INDEX - 1);
  for (uint32_t probe = 0; probe < 64; probe++, slot = (slot + 1) & (TEXT_INDEX - 1)) {
    uint32_t offset = text_index[slot];
    if (offset) {
      uint32_t stored;
      memcpy(&stored, file->text + offset, 4);
      if (stored == length && !memcmp(file->text + offset + 4, bytes, length)) return offset;
      continue;
    }
    uint32_t at = used(SECTION_TEXT);
    uint32_t need = (uint32_t)(4 + ((length + 3) & ~(size_t)3));
    if (at + need > TEXT_CAPACITY) return 0;
    uint32_t length32 = (uint32_t)length;
    memcpy(file->text + at, &length32, 4);
    memcpy(file->text + at + 4, bytes, length);
    publish(SECTION_TEXT, at + need);
    text_index[slot] = at;
    return at;
  }
  return 0;
}

static uint32_t intern_code(const char *code) {
  struct coroner_code key = {0};
  if (!python_code_key(code, &key)) return 0;
  uint32_t slot = (uint32_t)mix(key.address ^ (uint64_t)(uint32_t)key.first_line << 40 ^ key.name_address << 7) & (CODE_INDEX - 1);
  for (uint32_t probe = 0; probe < 256; probe++, slot = (slot + 1) & (CODE_INDEX - 1)) {
    uint32_t id = code_index[slot];
    if (id) {
      const struct coroner_code *entry = &file->codes[id - 1];
      if (entry->address == key.address && entry->first_line == key.first_line && entry->file_address == key.file_address &&
          entry->name_address == key.name_address)
        return id;
      continue;
    }
    uint32_t next = used(SECTION_CODES);
    if (next >= CODE_CAPACITY) return 0;
    python_code_names(code, &key);
    line_cursors[next] = (struct line_cursor){0};
    file->codes[next] = key;
    publish(SECTION_CODES, next + 1);
    code_index[slot] = (uint16_t)(next + 1);
    return next + 1;
  }
  return 0;
}

uint32_t intern_frame(const struct python_frame *frame) {
  if (frame->id) return frame->id;
  uint32_t code = intern_code(frame->code);
  if (!code) return 0;
  uint32_t slot = (uint32_t)mix((uint64_t)code << 32 | (uint32_t)frame->last_instruction) & (FRAME_INDEX - 1);
  for (uint32_t probe = 0; probe < 256; probe++, slot = (slot + 1) & (FRAME_INDEX - 1)) {
    uint32_t id = frame_index[slot];
    if (id) {
      if (file->frames[id - 1].code == code && file->frames[id - 1].last_instruction == frame->last_instruction) return id;
      continue;
    }
    uint32_t next = used(SECTION_FRAMES);
    if (next >= FRAME_CAPACITY) return 0;
    file->frames[next] = (struct coroner_frame){code, frame->last_instruction, python_line(frame->code, frame->last_instruction, &line_cursors[code - 1]), 0};
    publish(SECTION_FRAMES, next + 1);
    frame_index[slot] = (uint16_t)(next + 1);
    return next + 1;
  }
  return 0;
}

static uint32_t intern_node(uint32_t caller, uint32_t frame) {
  uint32_t slot = (uint32_t)mix((uint64_t)caller << 32 | frame) & (NODE_INDEX - 1);
  for (uint32_t probe = 0; probe < 256; probe++, slot = (slot + 1) & (NODE_INDEX - 1)) {
    uint32_t id = node_index[slot];
    if (id) {
      if (file->nodes[id - 1].caller == caller && file->nodes[id - 1].frame == frame) return id;
      continue;
    }
    uint32_t next = used(SECTION_NODES);
    if (next >= NODE_CAPACITY) return 0;
    file->nodes[next] = (struct coroner_node){caller, frame};
    publish(SECTION_NODES, next + 1);
    node_index[slot] = (uint16_t)(next + 1);
    return next + 1;
  }
  return 0;
}

/* A new path mostly shares its outer frames with the one before it. Outermost first. */
static struct { uint64_t hash; uint32_t node; } last_path[MAX_PYTHON_DEPTH];

uint32_t intern_path(const struct caller_stack *stack) {
  uint32_t node = 0;
  bool shared = true;
  for (uint32_t i = stack->python_count, depth = 0; i-- > 0; depth++) {
    const uint64_t hash = stack->python[i].hash;
    if (shared && last_path[depth].hash == hash && last_path[depth].node) {
      node = last_path[depth].node;
      continue;
    }
    shared = false;
    uint32_t frame = intern_frame(&stack->python[i]);
    uint32_t next = frame ? intern_node(node, frame) : 0;
    last_path[depth].hash = hash;
    last_path[depth].node = next;
    if (!next) {
      file->header.dropped_stacks++;
      return node;
    }
    node = next;
  }
  /* What is left below belongs to another path. */
  if (stack->python_count < MAX_PYTHON_DEPTH) last_path[stack->python_count].node = 0;
  return node;
}

uint32_t intern_stack(struct caller_stack *stack, uint16_t kind) {
  uint64_t hash = kind + 1u + ((uint64_t)stack->flags << 8) + ((uint64_t)stack->node << 32);
  for (uint32_t i = 0; i < stack->native_count; i++) hash = mix(hash ^ stack->native[i]);
  for (uint32_t i = 0; i < stack->python_count; i++) {
    stack->python[i].hash = python_frame_hash(&stack->python[i]);
    hash = mix(hash + stack->python[i].hash);
  }
  hash |= 1;
  uint32_t slot = (uint32_t)(hash >> 20) & (STACK_INDEX - 1);
  for (uint32_t probe = 0; probe < 256; probe++, slot = (slot + 1) & (STACK_INDEX - 1)) {
    uint32_t id = stack_index[slot];
    if (id) {
      if (file->stacks[id - 1].hash == hash) return id;
      continue;
    }
    uint32_t next = used(SECTION_STACKS);
    if (next >= STACK_CAPACITY) break;
    struct coroner_stack *entry = &file->stacks[next];
    memset(entry, 0, sizeof *entry);
    native_know_modules(stack->native, stack->native_count);
    entry->hash = hash;
    entry->node = stack->python_count ? intern_path(stack) : stack->node;
    entry->kind = kind;
    entry->flags = stack->flags;
    entry->native_count = stack->native_count;
    memcpy(entry->native, stack->native, sizeof entry->native);
    publish(SECTION_STACKS, next + 1);
    stack_index[slot] = (uint16_t)(next + 1);
    return next + 1;
  }
  file->header.dropped_stacks++;
  return 1; /* the first entry is "could not be told" */
}

void intern_fault_in(void) {
  fault_in(node_index, sizeof node_index);
  fault_in(frame_index, sizeof frame_index);
  fault_in(text_index, sizeof text_index);
}

void intern_forget(void) {
  memset(stack_index, 0, sizeof stack_index);
  memset(node_index, 0, sizeof node_index);
  memset(frame_index, 0, sizeof frame_index);
  memset(code_index, 0, sizeof code_index);
  memset(text_index, 0, sizeof text_index);
  memset(last_path, 0, sizeof last_path);
}
