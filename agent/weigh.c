/* The state by the clock: large blocks by what is resident, the copy of the peak, the moments of the history. */
#include "weigh.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "intern.h"
#include "lock.h"
#include "sandbox.h"

static uint64_t next_weigh_ns, next_doubt_ns, next_moment_ns;
/* Of what is counted one by one no sample was drawn: arrays that come and go are no reason to sample the rest more finely. */
static uint64_t drawn_count, drawn_bytes;
uint32_t state_pace_ms = 200; /* of weighing, and of moments at first */

/* A block that was sampled stands for others like it: of all that it stands for, its own resident part counts. */
#define LEAST_WEIGHED ((uint64_t)16 << 10)
static int64_t full_weight[LIVE_CAPACITY];
/* The blocks that were granted last are about to be filled. Those before them would have been filled by now. */
#define NEWEST 16u
static uint64_t newest_born_ns[NEWEST];
static uint32_t newest_next;

#define PRESENT_OR_SWAPPED (3ull << 62)
static uint64_t pagemap_buffer[512];

static bool is_weighable(const struct coroner_live *entry) {
  if (entry->flags & LIVE_EXACT) return true;
  return entry->kind != KIND_OBJECT && entry->bytes >= LEAST_WEIGHED && !(entry->flags & LIVE_GROWN);
}

void weigh_added(uint32_t slot) {
  const struct coroner_live *entry = &file->live[slot];
  full_weight[slot] = entry->weight;
  if (is_weighable(entry)) newest_born_ns[newest_next++ % NEWEST] = entry->born_monotonic_ns;
}

/*
 * Bytes of the range that are in memory or swapped out: a reservation that nobody touched is not memory. Of a small block only the pages
 * that it has for itself are looked at: others have touched those at its ends.
 */
static int64_t resident_bytes(int pagemap, uint64_t start, uint64_t bytes) {
  const uint64_t page = file->header.page_bytes;
  const bool alone = bytes < exact_bytes;
  uint64_t first = (start + (alone ? page - 1 : 0)) / page, count = (start + bytes + (alone ? 0 : page - 1)) / page - first;
  const uint64_t chunk = 512, chunks = (count + chunk - 1) / chunk;
  /* At most 64 looks a block: of larger ones every n-th stretch. */
  uint64_t step = (chunks + 63) / 64, seen = 0, resident = 0;
  for (uint64_t c = 0; c < chunks; c += step) {
    uint64_t from = c * chunk, pages = count - from < chunk ? count - from : chunk;
    long got = syscall(SYS_pread64, pagemap, pagemap_buffer, pages * 8, (first + from) * 8);
    if (got <= 0) return -1;
    pages = (uint64_t)got / 8;
    for (uint64_t i = 0; i < pages; i++) resident += (pagemap_buffer[i] & PRESENT_OR_SWAPPED) != 0;
    seen += pages;
  }
  if (!seen) return -1;
  double part = (double)resident / (double)seen;
  uint64_t result = (uint64_t)(part * (double)bytes);
  return (int64_t)(result > bytes ? bytes : result);
}

static void weigh_one(struct coroner_live *entry, int64_t full, int pagemap) {
  const bool exact = entry->flags & LIVE_EXACT;
  int64_t resident = resident_bytes(pagemap, entry->address, entry->bytes);
  if (resident < 0) return;
  if (!exact) resident = (int64_t)((double)full * (double)resident / (double)entry->bytes);
  struct coroner_stack *stack = &file->stacks[entry->stack - 1];
  const int64_t change = resident - entry->weight;
  if (!(entry->flags & LIVE_WEIGHED) && change < 0 && entry->born_monotonic_ns <= file->header.peak_monotonic_ns) {
    /* It was in the copy of the peak with all that was asked for: it never held that much. */
    if (exact) stack->peak_exact += change;
    else stack->peak_estimated += change;
    file->header.peak_bytes += change;
  }
  entry->weight = resident;
  entry->flags |= LIVE_WEIGHED;
  if (exact) stack->live_exact += change;
  else stack->live_estimated += change;
  file->header.live_bytes += change;
}

/* Just granted, about to be filled: taken at its word for a second, unless the program ends. */
static void weigh(uint64_t now, bool at_end) {
  if (sandboxed) return;
  int pagemap = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return;
  const uint64_t oldest_of_newest = newest_born_ns[newest_next % NEWEST];
  for (uint32_t i = 0; i < used(SECTION_LIVE); i++) {
    struct coroner_live *entry = &file->live[i];
    if (!entry->address || !is_weighable(entry)) continue;
    const bool young = now - entry->born_monotonic_ns < 1000000000u && entry->born_monotonic_ns >= oldest_of_newest;
    if (young && !at_end && entry->weight == (entry->flags & LIVE_EXACT ? (int64_t)entry->bytes : full_weight[i])) continue;
    weigh_one(entry, full_weight[i], pagemap);
  }
  syscall(SYS_close, pagemap);
  file->header.weighed_monotonic_ns = now;
}

/* More is said to be live than is in memory: many blocks were granted since the last look that nobody has touched. */
static bool is_beyond_memory(void) {
  uint64_t vm, rss, shared;
  return read_statm(&vm, &rss, &shared) && file->header.live_bytes > (int64_t)(rss + rss / 4 + (32u << 20));
}

static void copy_peak(uint64_t now) {
  struct coroner_header *header = &file->header;
  __atomic_store_n(&header->peak_sequence, header->peak_sequence + 1, __ATOMIC_RELEASE);
  for (uint32_t i = 0; i < used(SECTION_STACKS); i++) {
    struct coroner_stack *stack = &file->stacks[i];
    stack->peak_exact = stack->live_exact;
    stack->peak_estimated = stack->live_estimated;
    stack->peak_samples = stack->live_samples;
  }
  header->peak_bytes = header->live_bytes;
  header->peak_monotonic_ns = now;
  uint64_t vm, rss, shared;
  if (read_statm(&vm, &rss, &shared)) header->peak_rss_bytes = rss;
  __atomic_store_n(&header->peak_sequence, header->peak_sequence + 1, __ATOMIC_RELEASE);
}

/*
 * Telling an exception asks for memory too, and is refused a little of it when most has been given back: that is no moment to keep. Of
 * thousands of refusals not each is worth its copy.
 */
#define COPIED_AT_ONCE 64u
static uint64_t refused_bytes, next_refused_ns;
static int64_t refused_live;
void copy_refused(const struct coroner_failure *failure, uint64_t sequence, bool counts_untouched) {
  const uint64_t bytes = failure->bytes, now = failure->monotonic_ns;
  const int64_t live = file->header.live_bytes;
  if (sequence > 1 && bytes < refused_bytes && live < refused_live / 4 * 3) return;
  if (sequence > COPIED_AT_ONCE && now < next_refused_ns) return;
  refused_bytes = bytes;
  refused_live = live;
  const uint64_t began = own_cpu_ns();
  for (uint32_t i = 0; i < used(SECTION_STACKS); i++) {
    struct coroner_stack *stack = &file->stacks[i];
    stack->refused_exact = stack->live_exact;
    stack->refused_estimated = stack->live_estimated;
    stack->refused_samples = stack->live_samples;
  }
  for (uint32_t i = 0; counts_untouched && i < used(SECTION_LIVE); i++) {
    const struct coroner_live *entry = &file->live[i];
    if (!entry->address || entry->kind != KIND_HEAP) continue;
    struct coroner_stack *stack = &file->stacks[entry->stack - 1];
    if (entry->flags & LIVE_EXACT) stack->refused_exact += (int64_t)entry->bytes - entry->weight;
    else if (entry->flags & LIVE_WEIGHED) stack->refused_estimated += full_weight[i] - entry->weight;
  }
  next_refused_ns = now + (own_cpu_ns() - began) * 300;
}

static void write_moment(uint64_t now) {
  struct coroner_header *header = &file->header;
  uint32_t count = used(SECTION_HISTORY);
  if (count == HISTORY_CAPACITY) {
    /* Full: every second moment goes, and moments come half as often from here on. */
    for (uint32_t i = 0; i < HISTORY_CAPACITY / 2; i++) file->history[i] = file->history[i * 2];
    publish(SECTION_HISTORY, count = HISTORY_CAPACITY / 2);
    header->history_interval_ms *= 2;
  }
  struct coroner_moment moment = {.monotonic_ns = now, .live_bytes = header->live_bytes};
  uint64_t vm, shared;
  (void)read_statm(&vm, &moment.rss_bytes, &shared);
  int64_t least = 0;
  for (uint32_t i = 0; i < used(SECTION_STACKS); i++) {
    int64_t bytes = file->stacks[i].live_exact + file->stacks[i].live_estimated;
    if (bytes <= least) continue;
    uint32_t at = HISTORY_TOP - 1;
    for (; at > 0 && moment.top[at - 1].bytes < bytes; at--) moment.top[at] = moment.top[at - 1];
    moment.top[at] = (struct coroner_moment_stack){i + 1, 0, bytes};
    least = moment.top[HISTORY_TOP - 1].bytes;
  }
  file->history[count] = moment;
  publish(SECTION_HISTORY, count + 1);
}

void keep_books(uint64_t now) {
  struct coroner_header *header = &file->header;
  const int64_t margin = header->peak_bytes / 64 + (1 << 20);
  const bool is_due = now >= next_weigh_ns, is_peak = header->live_bytes > header->peak_bytes + margin;
  if (is_due || (is_peak && now >= next_doubt_ns && is_beyond_memory())) {
    const uint64_t began = own_cpu_ns();
    weigh(now, false);
    const uint64_t cost = own_cpu_ns() - began;
    /* Never more than a third of a per cent of the time, where a peak is in doubt never more than a tenth. */
    if (is_due) next_weigh_ns = now + (cost * 300 > state_pace_ms * 1000000ull ? cost * 300 : state_pace_ms * 1000000ull);
    next_doubt_ns = now + cost * 10;
  }
  if (header->live_bytes > header->peak_bytes + margin) copy_peak(now);
  if (now >= next_moment_ns) {
    write_moment(now);
    next_moment_ns = now + (uint64_t)header->history_interval_ms * 1000000;
  }
  header->last_event_monotonic_ns = now;
  sampling_adapt(drawn_count, (uint64_t)(header->peak_bytes > 0 ? header->peak_bytes : 0), drawn_bytes);
}

void weigh_drawn(uint64_t weight) {
  drawn_count++;
  drawn_bytes += weight;
}

void weigh_at_end(void) {
  if (is_beyond_memory()) weigh(monotonic_ns(), true);
}

void weigh_soon(void) { next_weigh_ns = next_moment_ns = 0; }

void weigh_forget(void) { next_weigh_ns = next_doubt_ns = next_moment_ns = refused_bytes = next_refused_ns = drawn_count = drawn_bytes = 0; }

bool read_statm(uint64_t *vm_bytes, uint64_t *rss_bytes, uint64_t *shared_bytes) {
  char text[128];
  if (sandboxed) return false;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  long length = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return false;
  uint64_t pages[3] = {0};
  const char *at = text, *end = text + length;
  for (int i = 0; i < 3; i++) {
    while (at < end && *at == ' ') at++;
    if (at >= end) return false;
    while (at < end && *at >= '0' && *at <= '9') pages[i] = pages[i] * 10 + (uint64_t)(*at++ - '0');
  }
  const uint64_t page = file->header.page_bytes;
  *vm_bytes = pages[0] * page;
  *rss_bytes = pages[1] * page;
  *shared_bytes = pages[2] * page;
  return true;
}
