/*
 * The tables and the sampler without the hooks, so that sanitizers (which have an allocator of their own) can watch:
 * cc -fsanitize=address,undefined, with every file of the agent but hooks.c.
 */
#include "../agent.h"
#include "../failed.h"
#include "../file.h"
#include "../intern.h"
#include "../live.h"
#include "../lock.h"
#include "../weigh.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void *(*next_malloc)(size_t) = malloc;
void *(*next_calloc)(size_t, size_t) = calloc;
void *awaited;
void early_hold(void (*hold)(uintptr_t)) { (void)hold; }

/* Less of everything under valgrind. */
static long amount = 3000000;
static uint64_t random_state = 88172645463325252ull;
static uint64_t next_random(void) {
  random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
  return random_state;
}

static int64_t sum_of_stacks(void) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < file->header.sections[SECTION_STACKS].used; i++)
    sum += file->stacks[i].live_exact + file->stacks[i].live_estimated;
  return sum;
}
static int64_t sum_of_samples(void) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < file->header.sections[SECTION_LIVE].used; i++)
    if (file->live[i].address) sum += file->live[i].weight;
  return sum;
}
static void check_sums(void) {
  assert(sum_of_stacks() == file->header.live_bytes);
  assert(sum_of_samples() == file->header.live_bytes);
}

#define BLOCKS 4000
static struct { uintptr_t address; size_t bytes; } blocks[BLOCKS];

/* Notes and forgets against a plain list of what must be there. */
static void tables(void) {
  uintptr_t next = 0x10000;
  for (int round = 0; round < amount / 15; round++) {
    int i = (int)(next_random() % BLOCKS);
    if (blocks[i].address) {
      assert(maybe_sampled((void *)blocks[i].address));
      assert(state_forget((void *)blocks[i].address));
      assert(!state_forget((void *)blocks[i].address));
      blocks[i].address = 0;
    } else {
      blocks[i].bytes = next_random() % 4 ? next_random() % 5000 + 1 : next_random() % 9000000 + 1;
      blocks[i].address = next;
      next += (blocks[i].bytes + 31) & ~(size_t)15;
      state_note((void *)blocks[i].address, blocks[i].bytes, KIND_HEAP, 0x1000 + next_random() % 50, 0);
    }
  }
  check_sums();
  assert(file->header.peak_bytes >= file->header.live_bytes - file->header.live_bytes / 32 - (4 << 20));
  for (int i = 0; i < BLOCKS; i++)
    if (blocks[i].address) state_forget((void *)blocks[i].address);
  assert(file->header.live_bytes == 0 && sum_of_stacks() == 0);
  /* No bucket may keep a count, but those that had reached 255. */
  unsigned left = 0;
  for (uint32_t i = 0; i < sizeof filter; i++) left += filter[i] != 0;
  assert(left == 0);
}

/* Addresses of one bucket: told apart while it holds one, and none is lost while it holds more. */
static void shared_bucket(void) {
  const uintptr_t apart = (uintptr_t)16 << FILTER_BITS, one = 0x7e0000001230;
  state_note((void *)one, 2 << 20, KIND_HEAP, 0x1000, 0);
  unsigned confused = 0;
  for (unsigned i = 1; i <= 10000; i++) confused += maybe_sampled((void *)(one + i * apart));
  assert(confused < 200); /* one in 254 */
  assert(!maybe_sampled((void *)(one + 16)));
  state_note((void *)(one + apart), 2 << 20, KIND_HEAP, 0x1000, 0);
  assert(maybe_sampled((void *)one) && maybe_sampled((void *)(one + apart)));
  assert(state_forget((void *)one));
  assert(maybe_sampled((void *)(one + apart)));
  assert(state_forget((void *)(one + apart)));
  assert(!maybe_sampled((void *)one) && !maybe_sampled((void *)(one + apart)));
  for (unsigned i = 0; i < 2; i++) state_note((void *)(0x7e0000000000 + i * apart), 32 << 20, KIND_MAPPING, 0x1000, 0);
  assert(!maybe_sampled(NULL));
  state_forget_range(0x7e0000000000, 64 << 20);
  filter_always(one);
  state_note((void *)one, 2 << 20, KIND_HEAP, 0x1000, 0);
  assert(state_forget((void *)one));
  assert(maybe_sampled((void *)one));
}

/* The blocks of sampled objects: none twice, none lost, all held in the filter, sample or none. */
static void sampled_objects(void) {
  enum { MANY = 6000 };
  static struct { unsigned char *block; size_t bytes; } taken[MANY];
  for (int round = 0; round < 400000; round++) {
    int i = (int)(next_random() % MANY);
    if (taken[i].block) {
      assert(is_object(taken[i].block) && maybe_sampled(taken[i].block));
      assert(objects_room(taken[i].block) >= taken[i].bytes);
      assert(taken[i].block[0] == (unsigned char)i && taken[i].block[taken[i].bytes - 1] == (unsigned char)i);
      if (next_random() % 2) assert(state_forget(taken[i].block));
      assert(maybe_sampled(taken[i].block));
      objects_give(taken[i].block);
      state_forget(taken[i].block);
      taken[i].block = NULL;
    } else if ((taken[i].block = objects_take(taken[i].bytes = next_random() % SMALL_REQUEST + 1))) {
      assert((uintptr_t)taken[i].block % 16 == 0);
      memset(taken[i].block, i, taken[i].bytes);
      assert(state_note(taken[i].block, taken[i].bytes, KIND_OBJECT, 0x1000, 0));
    }
  }
  for (int i = 0; i < MANY; i++)
    if (taken[i].block) objects_give(taken[i].block), assert(state_forget(taken[i].block));
  unsigned char *block = objects_take(64);
  assert(block && maybe_sampled(block));
  /* Given back twice: not handed out twice. */
  objects_give(block);
  objects_give(block);
  assert(!maybe_sampled(block));
  unsigned char *first = objects_take(64), *second = objects_take(64);
  assert(first != second);
  objects_give(first);
  objects_give(second);
  assert(!objects_take(SMALL_REQUEST + 1));
  /* More than there is room for. */
  static void *all[OBJECTS_BYTES / 512 + 1];
  size_t count = 0;
  while (count < sizeof all / sizeof *all && (all[count] = objects_take(512))) count++;
  assert(count > 0 && count < sizeof all / sizeof *all);
  while (count) objects_give(all[--count]);
}

static void ranges(void) {
  const uintptr_t base = 0x7f0000000000;
  state_note((void *)base, 64 << 20, KIND_MAPPING, 0x1000, 0);
  state_forget_range(base + (16 << 20), 16 << 20); /* a hole in the middle: two pieces */
  assert(file->header.live_bytes == 48 << 20);
  state_forget_range(base, 8 << 20);
  assert(file->header.live_bytes == 40 << 20);
  state_forget_range(base - (1 << 20), 128 << 20);
  assert(file->header.live_bytes == 0);
  check_sums();
}

/* The same address noted twice: it was freed where nobody saw it. */
static void reuse(void) {
  state_note((void *)0x5000, 2 << 20, KIND_HEAP, 0x1000, 0);
  state_note((void *)0x5000, 3 << 20, KIND_HEAP, 0x1000, 0);
  assert(file->header.live_bytes == 3 << 20);
  assert(state_forget((void *)0x5000));
}

/* One block that grows is one block, where it is and as large as it is; what was drawn of it before stands for what it was then. */
static void regrowth(void) {
  struct coroner_live before;
  state_note((void *)0x5000, 2 << 20, KIND_HEAP, 0x1000, 0);
  assert(!just_grows((void *)0x5000, 2 << 20));
  assert(state_find((void *)0x5000, &before) && before.bytes == 2 << 20);
  state_regrown(&before, (void *)0x7000, 4 << 20, 0x2000, 0);
  assert(file->header.live_bytes == 4 << 20 && !state_find((void *)0x5000, &before));
  check_sums();
  /* Up to a thirty-second more nobody looks, and what is moved then keeps its line. */
  assert(just_grows((void *)0x7000, (4 << 20) + 4096) && !just_grows((void *)0x7000, 5 << 20) && !just_grows((void *)0x7000, 1 << 20));
  assert(!just_grows((void *)0x5000, 4 << 20));
  const uint64_t born = (assert(state_find((void *)0x7000, &before)), before.born_monotonic_ns);
  const uint32_t stack = before.stack;
  state_moved((void *)0x7000, (void *)0x9000, (4 << 20) + 4096);
  assert(state_find((void *)0x9000, &before) && before.born_monotonic_ns == born && before.stack == stack);
  assert(file->header.live_bytes == (4 << 20) + 4096 && !just_grows((void *)0x7000, 4 << 20));
  /* Its old address has become another block's before it was said to have moved. */
  state_note((void *)0x9000, 3 << 20, KIND_HEAP, 0x3000, 0);
  assert(!just_grows((void *)0x9000, 4 << 20));
  state_regrown(&before, (void *)0xb000, 5 << 20, 0x1000, 0);
  assert(state_find((void *)0x9000, &before) && before.bytes == 3 << 20);
  assert(file->header.live_bytes == 8 << 20);
  state_drop(&before);
  assert(!state_find((void *)0x9000, &before));
  /* Estimated so far, and so large now that all such blocks are noted. */
  state_note((void *)0xd000, 4000, KIND_HEAP, 0x1000, 0);
  assert(state_find((void *)0xd000, &before) && !(before.flags & LIVE_EXACT) && before.weight >= 4000);
  state_regrown(&before, (void *)0xd000, 5000, 0x1000, 0);
  const int64_t weight = before.weight;
  assert(state_find((void *)0xd000, &before) && before.weight == weight + 1000);
  state_regrown(&before, (void *)0xd000, 3 << 20, 0x1000, 0);
  assert(state_find((void *)0xd000, &before) && (before.flags & LIVE_EXACT) && before.weight == 3 << 20);
  assert(file->header.live_bytes == 8 << 20);
  check_sums();
  assert(state_forget((void *)0xd000) && state_forget((void *)0xb000) && file->header.live_bytes == 0);
}

/* More than the tables hold: dropped and counted, never out of bounds. */
static void overflow(void) {
  for (uint64_t i = 0; i < LIVE_CAPACITY + 1000; i++) state_note((void *)(uintptr_t)(0x100000000 + i * (4 << 20)), 64 << 20, KIND_HEAP, i << 12, 0);
  assert(file->header.dropped_live >= 1000);
  assert(file->header.dropped_stacks > 0);
  check_sums();
  for (uint64_t i = 0; i < LIVE_CAPACITY + 1000; i++) state_forget((void *)(uintptr_t)(0x100000000 + i * (4 << 20)));
  assert(file->header.live_bytes == 0);
}

/* Sums are unbiased for any mixture of sizes. */
static void sampler(uint64_t mean, const size_t *sizes, int kinds) {
  sampling_set_mean(mean, true);
  thread.seeded = 0;
  thread.countdown = 0;
  thread.rest = 0;
  double truth = 0, estimate = 0, variance = 0;
  for (long i = 0; i < amount; i++) {
    size_t bytes = sizes[next_random() % (unsigned)kinds];
    truth += (double)bytes;
    thread.countdown -= (int64_t)bytes;
    if (thread.countdown < 0 && sample_due(bytes)) {
      double weight = bytes >= exact_bytes ? (double)bytes : sample_weight(bytes);
      estimate += weight;
      variance += weight * (weight - (double)bytes);
    }
  }
  double off = estimate / truth - 1;
  double sigma = variance > 0 ? __builtin_sqrt(variance) / truth : 0;
  printf("mean %lu: off by %.3f %%, one sigma is %.3f %%\n", (unsigned long)mean, off * 100, sigma * 100);
  assert(off < 5 * sigma + 1e-4 && off > -5 * sigma - 1e-4);
}

static void failures(void) {
  for (int i = 0; i < 1000; i++) {
    errno = ENOMEM;
    state_failed((size_t)i, FAILURE_MALLOC, 0, 0x1234, 0);
    assert(errno == ENOMEM);
  }
  assert(file->header.failure_count == 1000);
  assert(file->failures[0].sequence == 1 && file->failures[FAILURE_KEPT - 1].sequence == FAILURE_KEPT);
  uint64_t newest = 0;
  for (uint32_t i = 0; i < FAILURE_CAPACITY; i++) newest = file->failures[i].sequence > newest ? file->failures[i].sequence : newest;
  assert(newest == 1000);
}

static void texts(void) {
  char text[64];
  uint32_t first = state_text("hello", 5);
  assert(first && state_text("hello", 5) == first && state_text("hellp", 5) != first);
  for (int i = 0; i < 100000; i++) {
    int length = snprintf(text, sizeof text, "text number %d", i);
    state_text(text, (size_t)length);
  }
  assert(file->header.sections[SECTION_TEXT].used <= TEXT_CAPACITY);
}

static void *hammer(void *argument) {
  (void)argument;
  for (uintptr_t i = 1; i < 20000; i++) {
    void *address = (void *)((uintptr_t)&argument + i * 64);
    state_note(address, 1000, KIND_HEAP, 0x1000 + i % 100, 0);
    assert(state_forget(address));
  }
  return NULL;
}
static void threads(void) {
  pthread_t ids[16];
  for (int i = 0; i < 16; i++) pthread_create(&ids[i], NULL, hammer, NULL);
  for (int i = 0; i < 16; i++) pthread_join(ids[i], NULL);
  assert(file->header.live_bytes == 0 && file->header.lock_timeouts == 0);
  check_sums();
}

static void forks(void) {
  state_note((void *)0x9000, 5 << 20, KIND_HEAP, 0x1000, 0);
  struct coroner_file *mine = file;
  char *object = objects_take(100);
  assert(object);
  pid_t child = fork();
  if (child == 0) {
    state_fork_child();
    assert(!file);
    assert(!state_forget((void *)0x9000)); /* its parent's */
    state_note((void *)0xa000, 3 << 20, KIND_HEAP, 0x1000, 0);
    assert(file && file != mine && file->header.pid == (uint32_t)getpid());
    assert(file->header.flags & FILE_FORKED && file->header.live_bytes == 3 << 20);
    assert(file->header.forked_live_bytes == 5 << 20);
    assert(!state_forget((void *)0x9000));
    check_sums();
    /* Its parent's objects are its own to free, and no allocator's. */
    assert(maybe_sampled(object));
    assert(!maybe_sampled(object + 16));
    objects_give(object);
    assert(!maybe_sampled(object));
    state_end(STATE_EXITED, 0);
    _exit(state_discard_if_dull() ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);
  assert(status == 0);
  assert(file->header.live_bytes == 5 << 20);
  assert(maybe_sampled(object));
  objects_give(object);
  state_forget((void *)0x9000);
}

int main(int argc, char **argv) {
  if (argc > 1) amount = atol(argv[1]);
  char folder[] = "/tmp/coroner-test-XXXXXX";
  assert(mkdtemp(folder));
  lock_start();
  state_open(folder, (uint32_t)getppid());
  assert(file);
  agent_ready = true;
  static const size_t small[] = {16, 48, 100, 500}, mixed[] = {24, 3000, 70000, 900000}, even[] = {64};
  sampler(64 << 10, small, 4);
  sampler(512 << 10, mixed, 4);
  sampler(4096, even, 1);
  sampler(1, even, 1);
  sampling_set_mean(512 << 10, true);
  tables();
  shared_bucket();
  sampled_objects();
  ranges();
  reuse();
  regrowth();
  texts();
  threads();
  forks();
  failures();
  overflow();
  char path[64];
  snprintf(path, sizeof path, "%s/%u.mem", folder, (unsigned)getpid());
  unlink(path);
  rmdir(folder);
  puts("ok");
  return 0;
}
