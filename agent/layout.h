/*
 * The file that the agent leaves behind: one a process, a shared mapping of fixed size.
 * It holds state, not a log, so it is complete at whatever instruction the process is ended, and it never grows.
 * src/parsers/formats/agent-file/agent-file.ts reads it; agent/test/layout.c prints every offset, and a test compares the two.
 *
 * Little-endian. Sections are dense arrays: an entry is written first and counted (`used`) afterwards, so a reader
 * that takes the first `used` entries never meets a half-written one. Ids count from 1; 0 is "none".
 */
#ifndef CORONER_LAYOUT_H
#define CORONER_LAYOUT_H

#include <stdint.h>

#define CORONER_MAGIC "CORONERA"
#define CORONER_LAYOUT_VERSION 1u

enum coroner_section {
  SECTION_STACKS,
  SECTION_NODES,
  SECTION_FRAMES,
  SECTION_CODES,
  SECTION_TEXT,
  SECTION_LIVE,
  SECTION_FAILURES,
  SECTION_HISTORY,
  SECTION_MODULES,
  SECTION_COUNT
};

#define STACK_CAPACITY 8192u
#define NODE_CAPACITY 32768u
#define FRAME_CAPACITY 16384u
#define CODE_CAPACITY 8192u
#define TEXT_CAPACITY (704u << 10)
#define LIVE_CAPACITY 24576u
#define FAILURE_CAPACITY 256u
/* The first failures are kept for ever (the cause), the others are a ring (the end). */
#define FAILURE_KEPT 64u
#define HISTORY_CAPACITY 384u
#define HISTORY_TOP 16u
#define MODULE_CAPACITY 512u
#define NATIVE_DEPTH 6u

struct coroner_section_entry {
  uint32_t offset;
  uint32_t stride;
  uint32_t capacity;
  uint32_t used;
};

enum coroner_state {
  STATE_RUNNING = 0,
  STATE_EXITING = 1,   /* exit handlers run: what is still live from here on is freed by the end of the interpreter */
  STATE_EXITED = 2,    /* _exit() was called, exit_code is its argument */
  STATE_EXECUTING = 3, /* exec was called and did not fail: the file speaks of the program before it */
};

enum coroner_python_flags {
  PYTHON_STACKS = 1,           /* this version's frames are understood */
  PYTHON_OBJECTS = 2,          /* small objects are sampled */
  PYTHON_UNKNOWN_VERSION = 4,
  PYTHON_FREE_THREADED = 8,    /* small objects cannot be sampled: mimalloc would be handed foreign pointers */
  PYTHON_OTHER_ALLOCATOR = 16, /* PYTHONMALLOC, -X dev or a debug layer: small objects cannot be sampled */
};

enum coroner_file_flags {
  FILE_FORKED = 1, /* began as a copy of its parent's state */
};

struct coroner_header {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;
  uint64_t file_bytes;
  uint32_t pid;
  uint32_t parent_pid;
  uint64_t started_realtime_ns;
  uint64_t started_monotonic_ns;
  uint32_t state; /* enum coroner_state */
  int32_t exit_code;
  uint64_t state_monotonic_ns;
  uint32_t flags; /* enum coroner_file_flags */
  uint32_t python_flags;
  uint32_t python_version; /* PY_VERSION_HEX, 0: no Python */
  uint32_t page_bytes;
  uint64_t sample_mean_bytes; /* mean distance of two samples now; doubles while the table of live samples fills */
  uint64_t first_sample_mean_bytes;
  uint64_t exact_bytes; /* requests of at least this size are all counted */
  int64_t live_bytes;
  int64_t peak_bytes;
  uint64_t peak_monotonic_ns;
  uint64_t peak_rss_bytes; /* resident set when the peak was copied */
  uint64_t total_bytes;
  uint64_t samples;
  uint64_t removed;
  int64_t forked_live_bytes; /* live when it was forked: its parent's, shared until written to */
  uint64_t last_event_monotonic_ns;
  uint64_t weighed_monotonic_ns; /* when large blocks were last weighed by their resident pages */
  uint64_t failure_count;
  uint64_t dropped_live;   /* allocations not noted: the table of live samples was full */
  uint64_t dropped_stacks; /* noted without their stack: a table was full */
  uint64_t lock_timeouts;
  uint32_t peak_sequence; /* odd: the end came while the peak was being copied, which mixes two moments */
  uint32_t history_interval_ms;
  uint64_t limit_bytes; /* --memory-limit */
  uint64_t limit_hits;
  uint64_t limit_monotonic_ns; /* of the first hit */
  uint64_t limit_used_bytes;   /* what the tree held then */
  char name[16];
  char executable[256];
  struct coroner_section_entry sections[SECTION_COUNT];
};

enum coroner_kind {
  KIND_HEAP = 0,
  KIND_OBJECT = 1,  /* CPython's small objects */
  KIND_MAPPING = 2, /* mmap by the program or a library that has its own allocator */
  KIND_SHARED = 3,  /* shared memory: anonymous or a file on tmpfs */
};

enum coroner_stack_flags {
  /* A native thread asked: the Python frames are those of a call into the same library that had it allocate and was still under way. */
  STACK_PROBABLE = 1,
  STACK_CUT = 2, /* deeper than what is kept */
};

/*
 * One way to the allocator. "exact" counts requests of at least exact_bytes, by their resident pages once these were
 * looked at; "estimated" is the sum of the samples' weights, "samples" their number: the relative standard error of
 * the estimated part is about 1 / sqrt(samples).
 */
struct coroner_stack {
  uint64_t hash;
  int64_t live_exact;
  int64_t live_estimated;
  int64_t peak_exact;
  int64_t peak_estimated;
  uint64_t total;
  uint32_t live_samples;
  uint32_t peak_samples;
  uint32_t total_count;
  uint32_t node; /* innermost Python frame */
  uint16_t kind;
  uint16_t flags;
  uint32_t native_count;
  uint64_t native[NATIVE_DEPTH]; /* return addresses, innermost first; all but the first were found by scanning the stack */
  /* What was live when a request was refused: the last one that was no aftermath of another. */
  int64_t refused_exact;
  int64_t refused_estimated;
  uint32_t refused_samples;
  uint32_t reserved;
};

/* A frame and who called it: stacks share their outer frames. */
struct coroner_node {
  uint32_t caller;
  uint32_t frame;
};

struct coroner_frame {
  uint32_t code;
  int32_t last_instruction; /* byte offset in the bytecode */
  int32_t line;             /* 0: not known */
  uint32_t reserved;
};

struct coroner_code {
  uint64_t address; /* of the code object: addresses are used again, so names and first line belong to the key */
  uint64_t file_address;
  uint64_t name_address;
  int32_t first_line;
  uint32_t file;     /* offset in text */
  uint32_t function; /* offset in text */
  uint32_t reserved;
};

/* Text: a u32 with the number of bytes, the bytes (UTF-8), padded to 4. Offset 0 is "none". */

struct coroner_live {
  uint64_t address; /* 0: free slot */
  uint64_t bytes;
  int64_t weight;
  uint64_t born_monotonic_ns;
  uint32_t stack;
  uint16_t kind;
  uint16_t flags; /* enum coroner_live_flags */
};

enum coroner_live_flags {
  LIVE_EXACT = 1,
  LIVE_WEIGHED = 2, /* weight is what was resident at weighed_monotonic_ns */
  LIVE_GROWN = 4,   /* its weight is partly that of others, from before it was noted, and partly its own growth */
};

enum coroner_failure_kind {
  FAILURE_MALLOC = 0,
  FAILURE_CALLOC = 1,
  FAILURE_REALLOC = 2,
  FAILURE_ALIGNED = 3,
  FAILURE_MMAP = 4,
  FAILURE_MREMAP = 5,
};

enum coroner_failure_flags {
  FAILURE_BY_LIMIT = 1, /* refused by the agent: --memory-limit */
  FAILURE_MAIN_THREAD = 2,
};

struct coroner_failure {
  uint64_t sequence; /* counts from 1; written last, 0: not complete */
  uint64_t realtime_ns;
  uint64_t monotonic_ns;
  uint64_t bytes;
  uint64_t rss_bytes;
  uint64_t vm_bytes;
  uint64_t limit_as_bytes;   /* RLIMIT_AS, UINT64_MAX: none */
  uint64_t limit_data_bytes; /* RLIMIT_DATA */
  uint32_t thread_id;
  int32_t error;
  uint32_t node;
  uint16_t kind;
  uint16_t flags;
  uint32_t native_count;
  uint32_t stack_flags;
  uint64_t native[NATIVE_DEPTH];
};

struct coroner_moment_stack {
  uint32_t stack;
  uint32_t reserved;
  int64_t bytes;
};

struct coroner_moment {
  uint64_t monotonic_ns;
  int64_t live_bytes;
  uint64_t rss_bytes;
  uint64_t reserved;
  struct coroner_moment_stack top[HISTORY_TOP]; /* largest first; stack 0: no more */
};

/* An executable range of /proc/self/maps. A later entry that overlaps an earlier one replaces it. */
struct coroner_module {
  uint64_t start;
  uint64_t end;
  uint64_t file_offset;
  uint32_t path; /* offset in text */
  uint32_t reserved;
};

struct coroner_file {
  union {
    struct coroner_header header;
    char page[4096];
  };
  struct coroner_stack stacks[STACK_CAPACITY];
  struct coroner_node nodes[NODE_CAPACITY];
  struct coroner_frame frames[FRAME_CAPACITY];
  struct coroner_code codes[CODE_CAPACITY];
  char text[TEXT_CAPACITY];
  struct coroner_live live[LIVE_CAPACITY];
  struct coroner_failure failures[FAILURE_CAPACITY];
  struct coroner_moment history[HISTORY_CAPACITY];
  struct coroner_module modules[MODULE_CAPACITY];
};

/*
 * One small file for the whole tree of processes (`tree`): made by the recorder, mapped by every agent.
 * It bounds the number of files. With --memory-limit it adds up what the processes hold. A process that is refused memory, by that limit or
 * by one of its own, asks here for a snapshot (agent/ask.c, src/record/final-snapshot/asks.ts).
 */
#define CORONER_TREE_MAGIC "CORONERT"
#define TREE_SLOTS 1014u
#define TREE_MAX_FILES 1000u

struct coroner_tree_slot {
  uint32_t pid; /* 0: free */
  uint32_t pages;
};

/* Whoever may be asked for a snapshot writes `until`, `not_before` and `answers`, the process that asks writes the rest. Times are CLOCK_MONOTONIC. */
struct coroner_ask {
  uint64_t until_ns;      /* somebody answers until then, and says so again before; 0: nobody */
  uint64_t not_before_ns; /* to ask before is in vain */
  uint64_t asked_ns;      /* written last */
  uint64_t used_bytes;    /* what counts against the limit: of --memory-limit all that the tree held, else the address space */
  uint64_t request_bytes;
  uint32_t pid;           /* who waits; 0: nobody */
  uint32_t answers;       /* a count; a process waits until it changes */
};

struct coroner_tree {
  char magic[8];
  uint32_t files; /* agent files that exist */
  uint32_t refused_files;
  uint32_t processes; /* that have loaded the agent */
  uint32_t spares_made;  /* by the recorder: files `N.spare` of full size, N from 0 */
  uint32_t spares_taken; /* by agents, in order */
  uint32_t reserved;
  struct coroner_ask ask;
  struct coroner_tree_slot slots[TREE_SLOTS];
};

_Static_assert(sizeof(struct coroner_header) <= 4096, "the header fits in its page");
_Static_assert(sizeof(struct coroner_file) < (10u << 20), "the promise of docs: at most 10 MB a process");
_Static_assert(sizeof(struct coroner_tree) == 8192, "the recorder writes a file of this size");

#endif
