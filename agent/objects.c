/*
 * Where sampled small objects live. From malloc() they lay between the program's own blocks, and one that stayed behind
 * decided whether glibc gives the top of an arena back to the kernel: numpy's threads then took up to four times the page
 * faults. Here they disturb nobody.
 *
 * The filter says "look twice" of every block that is out, whatever becomes of its sample: free() and realloc() must not
 * hand one on to the allocator behind. Everything here is under the lock.
 */
#include "agent.h"
#include "live.h"
#include "lock.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES (OBJECTS_BYTES / PAGE)
#define GRANULE 16u
#define CLASSES (SMALL_REQUEST / GRANULE)

uintptr_t objects_start;
static uint32_t pages_used;
static uint8_t page_class[PAGES]; /* its blocks have (class + 1) * GRANULE bytes */
/* Free blocks of a class, each with the address of the next in its first word. */
static char *free_blocks[CLASSES];
/* One bit a granule: a block that begins there is out. */
static uint64_t out[OBJECTS_BYTES / GRANULE / 64];

static uint32_t granule_of(const void *block) { return (uint32_t)(((uintptr_t)block - objects_start) / GRANULE); }
static uint8_t class_of(const void *block) { return page_class[((uintptr_t)block - objects_start) / PAGE]; }

/* Address space alone: a page is memory once blocks of it are handed out. */
bool objects_reserve(void) {
  void *start = (void *)syscall(SYS_mmap, NULL, (size_t)OBJECTS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
  if (start == MAP_FAILED) return false;
  /* One page at a time, not two MiB at the first touch. */
  syscall(SYS_madvise, start, (size_t)OBJECTS_BYTES, MADV_NOHUGEPAGE);
  objects_start = (uintptr_t)start;
  return true;
}

static bool new_page(uint32_t class) {
  if (pages_used == PAGES) return false;
  const uint32_t each = (class + 1) * GRANULE;
  char *page = (char *)objects_start + (size_t)pages_used * PAGE;
  page_class[pages_used++] = (uint8_t)class;
  for (uint32_t at = 0; at + each <= PAGE; at += each) {
    memcpy(page + at, &free_blocks[class], sizeof(char *));
    free_blocks[class] = page + at;
  }
  return true;
}

COLD void *objects_take(size_t bytes) {
  const uint32_t class = bytes ? (uint32_t)((bytes - 1) / GRANULE) : 0;
  if (class >= CLASSES || !lock()) return NULL;
  char *block = NULL;
  if ((objects_start || objects_reserve()) && (free_blocks[class] || new_page(class))) {
    block = free_blocks[class];
    memcpy(&free_blocks[class], block, sizeof(char *));
    out[granule_of(block) / 64] |= 1ull << granule_of(block) % 64;
    filter_add((uintptr_t)block);
  }
  unlock();
  return block;
}

COLD void objects_give(void *block) {
  const uint32_t granule = granule_of(block);
  const uint64_t bit = 1ull << granule % 64;
  /* In a signal handler in the midst of the agent, or where the lock is not to be had, it stays out. */
  if (thread.inside) return;
  thread.inside = 1;
  const bool locked = lock();
  /* What is not out was given back twice, or is no block. */
  if (locked && (out[granule / 64] & bit)) {
    out[granule / 64] &= ~bit;
    filter_remove((uintptr_t)block);
    memcpy(block, &free_blocks[class_of(block)], sizeof(char *));
    free_blocks[class_of(block)] = block;
  }
  if (locked) unlock();
  thread.inside = 0;
}

COLD size_t objects_room(const void *block) { return (class_of(block) + 1u) * GRANULE; }

/* The filter is made anew, and has to know what is out. */
COLD void objects_hold(void (*hold)(uintptr_t)) {
  for (uint32_t i = 0; i < pages_used * (PAGE / GRANULE); i++)
    if (out[i / 64] >> i % 64 & 1) hold(objects_start + (uintptr_t)i * GRANULE);
}
