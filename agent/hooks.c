/* libc's allocator from outside: what the process calls, in front of whatever it would have called. */
#include "agent.h"
#include "behind.h"
#include "exec.h"
#include "failed.h"
#include "file.h"
#include "live.h"
#include "lock.h"
#include "sandbox.h"
#include "weigh.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* --- the allocator behind: RTLD_NEXT, so that a preloaded jemalloc or tcmalloc keeps working --- */

/* dlsym() itself may allocate (glibc before 2.34): from here. */
static char early[16384] __attribute__((aligned(16)));
static size_t early_used;
static bool resolving;

static void *early_alloc(size_t bytes) {
  size_t need = (bytes + 31) & ~(size_t)15; /* 16 bytes before it hold its size */
  size_t at = __atomic_fetch_add(&early_used, need, __ATOMIC_RELAXED);
  if (bytes > sizeof early || at + need > sizeof early) return NULL;
  memcpy(early + at, &bytes, sizeof bytes);
  filter_always((uintptr_t)early + at + 16); /* free() and realloc() must take a second look */
  return early + at + 16;
}
COLD void early_hold(void (*hold)(uintptr_t)) {
  for (size_t at = 16; at < early_used && at < sizeof early; at += 16) hold((uintptr_t)early + at);
}
static inline bool is_early(const void *block) { return (uintptr_t)block - (uintptr_t)early < sizeof early; }

static void resolve(void);
static void *first_malloc(size_t bytes) {
  if (resolving) return early_alloc(bytes);
  resolve();
  return next_malloc(bytes);
}
static void *first_calloc(size_t count, size_t each) {
  if (resolving) return early_alloc(count * each);
  resolve();
  return next_calloc(count, each);
}
static void *(*next_realloc)(void *, size_t);
static void *first_realloc(void *old, size_t bytes) {
  if (resolving) return old ? NULL : early_alloc(bytes);
  resolve();
  return next_realloc(old, bytes);
}
static void (*next_free)(void *);
static void first_free(void *block) {
  if (resolving) return;
  resolve();
  next_free(block);
}
void *(*next_malloc)(size_t) = first_malloc;
void *(*next_calloc)(size_t, size_t) = first_calloc;
static void *(*next_realloc)(void *, size_t) = first_realloc;
static void (*next_free)(void *) = first_free;
static int (*next_posix_memalign)(void **, size_t, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);
static void *(*next_memalign)(size_t, size_t);
static void *(*next_valloc)(size_t);
static void *(*next_pvalloc)(size_t);

/*
 * What a block takes of the heap. glibc writes it in front of the block, in the same word since 1997: reading it there costs a tenth
 * of malloc_usable_size(). That it is there is seen by comparing the two.
 */
static size_t (*next_usable_size)(void *);
static bool sizes_in_front;
static size_t page_mask = 4095;
#define MAPPED_CHUNK 2u

static size_t usable_by_front(const void *block) {
  const size_t word = ((const size_t *)block)[-1];
  return (word & ~(size_t)7) - (word & MAPPED_CHUNK ? 2 : 1) * sizeof(size_t);
}

static void look_for_sizes(void) {
  next_usable_size = (size_t (*)(void *))behind("malloc_usable_size");
  bool is_alike = behind("gnu_get_libc_version") && next_usable_size && next_malloc && next_free;
  page_mask = (size_t)sysconf(_SC_PAGESIZE) - 1;
  /* None that is mapped: giving one back changes what is mapped from then on. */
  static const size_t tried[] = {1, 24, 25, 1000, 20000};
  for (size_t i = 0; i < sizeof tried / sizeof *tried && is_alike; i++) {
    void *block = next_malloc(tried[i]);
    if (!block) break;
    const size_t usable = next_usable_size(block);
    is_alike = usable == usable_by_front(block) && usable < tried[i] + 2 * page_mask;
    next_free(block);
  }
  sizes_in_front = is_alike;
}

static void resolve(void) {
  resolving = true;
  void *m = behind("malloc"), *c = behind("calloc"), *r = behind("realloc"), *f = behind("free");
  next_posix_memalign = (int (*)(void **, size_t, size_t))behind("posix_memalign");
  next_aligned_alloc = (void *(*)(size_t, size_t))behind("aligned_alloc");
  next_memalign = (void *(*)(size_t, size_t))behind("memalign");
  next_valloc = (void *(*)(size_t))behind("valloc");
  next_pvalloc = (void *(*)(size_t))behind("pvalloc");
  next_malloc = (void *(*)(size_t))m;
  next_calloc = (void *(*)(size_t, size_t))c;
  next_realloc = (void *(*)(void *, size_t))r;
  next_free = (void (*)(void *))f;
  resolving = false;
}

/* --- malloc and its family --- */

/* Unsigned, because a request may be larger than what a signed number holds; it fails then and seeds the countdown again. */
#define COUNT_DOWN(bytes) ((thread.countdown = (int64_t)((uint64_t)thread.countdown - (uint64_t)(bytes))) >= 0)

#define SMALL_LIBC (64u << 10)
/* A library that checks nothing would crash for a few bytes: in a Python process Python's own small requests are refused instead. */
static bool refused_by_limit(size_t bytes) {
  if (bytes < SMALL_LIBC && python_present()) return false;
  return limit_refuses(bytes, bytes < SMALL_LIBC);
}

/*
 * The slow paths take the frame's address themselves: asking for it in a fast path would cost a frame pointer there.
 * NULL, so that a fast path can jump here.
 */
static COLD void *refused(size_t bytes, uint16_t kind, uintptr_t caller) {
  /* Absurd sizes wrap the countdown around: draw a new distance. */
  if (thread.countdown > COUNTDOWN_CAP || thread.countdown < -COUNTDOWN_CAP) thread.seeded = 0, thread.countdown = -1;
  state_failed(bytes, kind, 0, caller, STACK_HERE);
  return NULL;
}

static COLD void *slow_malloc(size_t bytes, uintptr_t caller) {
  bool due = sample_due(bytes);
  if (due && UNLIKELY(limit_set) && refused_by_limit(bytes)) {
    state_failed(bytes, FAILURE_MALLOC, FAILURE_BY_LIMIT, caller, STACK_HERE);
    return NULL;
  }
  void *block = next_malloc(bytes);
  if (!block) return refused(bytes, FAILURE_MALLOC, caller);
  if (due) state_note(block, bytes, KIND_HEAP, caller, STACK_HERE);
  return block;
}
EXPORT void *malloc(size_t bytes) {
  if (UNLIKELY(!COUNT_DOWN(bytes))) return slow_malloc(bytes, CALLER);
  void *block = next_malloc(bytes);
  if (UNLIKELY(!block)) return refused(bytes, FAILURE_MALLOC, CALLER);
  return block;
}

static size_t product(size_t count, size_t each) {
  size_t bytes;
  return __builtin_mul_overflow(count, each, &bytes) ? SIZE_MAX : bytes;
}

static COLD void *slow_calloc(size_t count, size_t each, uintptr_t caller) {
  size_t bytes = product(count, each);
  bool due = sample_due(bytes);
  if (due && UNLIKELY(limit_set) && refused_by_limit(bytes)) {
    state_failed(bytes, FAILURE_CALLOC, FAILURE_BY_LIMIT, caller, STACK_HERE);
    return NULL;
  }
  /* musl's calloc calls malloc, which must not count it again. */
  uint8_t inside = thread.inside;
  thread.inside = 1;
  void *block = next_calloc(count, each);
  thread.inside = inside;
  if (!block) return refused(bytes, FAILURE_CALLOC, caller);
  if (due) state_note(block, bytes, KIND_HEAP, caller, STACK_HERE);
  return block;
}
EXPORT void *calloc(size_t count, size_t each) {
  size_t bytes;
  if (UNLIKELY(__builtin_mul_overflow(count, each, &bytes)) || UNLIKELY(!COUNT_DOWN(bytes))) return slow_calloc(count, each, CALLER);
  void *block = next_calloc(count, each);
  if (UNLIKELY(!block)) return refused(bytes, FAILURE_CALLOC, CALLER);
  return block;
}

void *awaited;
static COLD void slow_free(void *block) {
  if (is_early(block)) return;
  if (block == awaited) awaited = NULL;
  state_forget(block);
  if (is_object(block)) objects_give(block);
  else next_free(block);
}
EXPORT void free(void *block) {
  if (UNLIKELY(maybe_sampled(block))) {
    slow_free(block);
    return;
  }
  next_free(block);
}
EXPORT void free_sized(void *block, size_t bytes) {
  (void)bytes;
  free(block);
}
EXPORT void free_aligned_sized(void *block, size_t alignment, size_t bytes) {
  (void)alignment;
  (void)bytes;
  free(block);
}

/*
 * The bytes that a realloc() adds: those may be the sampled ones, the others had their chance when they came. 0: it is as large as
 * it was, but for what the allocator rounds up. One that gets smaller is drawn anew.
 */
static inline size_t added_bytes(const void *old, size_t bytes) {
  size_t had, need;
  if (LIKELY(sizes_in_front)) {
    const size_t word = ((const size_t *)old)[-1];
    had = word & ~(size_t)7;
    need = (bytes + 8 + 15) & ~(size_t)15;
    /* sysmalloc(), mremap_chunk(): rounded up as any chunk first, and then to pages with a word more. */
    if (word & MAPPED_CHUNK) need = (need + 8 + page_mask) & ~page_mask;
  } else {
    if (!next_usable_size) return bytes;
    had = next_usable_size((void *)old);
    /* Classes of sizes are an eighth apart or more. */
    need = bytes <= had ? bytes : bytes - had < had / 8 ? had + had / 8 : bytes;
  }
  if (need > had) return need - had;
  return need < had - had / 8 ? bytes : 0;
}

static COLD void *realloc_early(void *old, size_t bytes) {
  size_t had;
  memcpy(&had, (char *)old - 16, sizeof had);
  void *moved = malloc(bytes);
  if (moved) memcpy(moved, old, had < bytes ? had : bytes);
  return moved;
}

static COLD void *realloc_object(void *old, size_t bytes, uintptr_t caller) {
  /* Python has counted the small ones. */
  if (bytes > SMALL_REQUEST) (void)COUNT_DOWN(bytes);
  const size_t had = objects_room(old);
  void *moved = bytes ? slow_malloc(bytes, caller) : NULL;
  if (moved) memcpy(moved, old, had < bytes ? had : bytes);
  if (moved || !bytes) slow_free(old);
  return moved;
}

/* Of a block that is noted. */
static COLD void *realloc_known(const struct coroner_live *before, void *old, size_t bytes, uintptr_t caller, uintptr_t here) {
  /* As large as others that are all noted, or no smaller than it was. Else it is drawn anew. */
  const bool stays = bytes >= exact_bytes || (bytes >= before->bytes - before->bytes / 8 && !(before->flags & LIVE_EXACT));
  if (stays) {
    /* The kernel moves a large block without a copy of it. */
    const size_t asked = before->bytes >= (64u << 20) ? bytes > before->bytes ? bytes - before->bytes : 0 : bytes;
    if (UNLIKELY(limit_set) && asked && refused_by_limit(asked)) {
      state_failed(bytes, FAILURE_REALLOC, FAILURE_BY_LIMIT, caller, here);
      return NULL;
    }
    void *block = next_realloc(old, bytes);
    if (block) state_regrown(before, block, bytes, caller, here);
    else if (bytes) refused(bytes, FAILURE_REALLOC, caller);
    return block;
  }
  const bool due = !COUNT_DOWN(bytes) && sample_due(bytes);
  void *block = next_realloc(old, bytes);
  if (!block && bytes) return refused(bytes, FAILURE_REALLOC, caller);
  state_drop(before);
  if (block && due) state_note(block, bytes, KIND_HEAP, caller, here);
  return block;
}

static COLD void *slow_realloc(void *old, size_t bytes, uintptr_t caller) {
  if (is_early(old)) return realloc_early(old, bytes);
  if (old == awaited) awaited = NULL;
  if (is_object(old)) return realloc_object(old, bytes, caller);
  struct coroner_live before;
  if (old && maybe_sampled(old) && state_find(old, &before)) return realloc_known(&before, old, bytes, caller, STACK_HERE);
  const size_t added = old ? added_bytes(old, bytes) : bytes;
  bool due = false;
  if (added) due = !COUNT_DOWN(added) && sample_due(added);
  due = due || (added && bytes >= exact_bytes && agent_ready);
  if (due && UNLIKELY(limit_set) && refused_by_limit(bytes)) {
    state_failed(bytes, FAILURE_REALLOC, FAILURE_BY_LIMIT, caller, STACK_HERE);
    return NULL;
  }
  void *block = next_realloc(old, bytes);
  if (!block) return bytes ? refused(bytes, FAILURE_REALLOC, caller) : NULL;
  if (due) state_note_grown(block, bytes, added, KIND_HEAP, caller, STACK_HERE);
  return block;
}

static COLD void *moved(void *old, void *block, size_t bytes, uintptr_t caller) {
  if (block) state_moved(old, block, bytes);
  else if (bytes) refused(bytes, FAILURE_REALLOC, caller);
  return block;
}

/*
 * Rounded up it is as large as it was, noted or not, and stays where it is: nine of ten, where something grows by little. The last word of
 * a chunk of its own mapping is not used, see added_bytes(): asked for it, glibc adds a page, perhaps elsewhere.
 */
static inline bool fits_in_place(const void *old, size_t bytes) {
  if (UNLIKELY(!old) || UNLIKELY(!sizes_in_front) || UNLIKELY((uintptr_t)old - objects_start < OBJECTS_BYTES)) return false;
  const size_t word = ((const size_t *)old)[-1];
  return (word & ~(size_t)7) - 2 * sizeof(size_t) - (word & MAPPED_CHUNK) * 4 - bytes <= bytes / 8;
}

static __attribute__((noinline)) void *realloc_other_size(void *old, size_t bytes, uintptr_t caller) {
  if (just_grows(old, bytes)) {
    void *block = next_realloc(old, bytes);
    return LIKELY(block == old) ? block : moved(old, block, bytes, caller);
  }
  if (UNLIKELY(!old) || UNLIKELY(maybe_sampled(old))) return slow_realloc(old, bytes, caller);
  const size_t added = added_bytes(old, bytes);
  /* slow_realloc() counts by itself. */
  if (added && (thread.countdown < (int64_t)added || bytes >= exact_bytes)) return slow_realloc(old, bytes, caller);
  thread.countdown -= (int64_t)added;
  void *block = next_realloc(old, bytes);
  if (UNLIKELY(!block) && bytes) return refused(bytes, FAILURE_REALLOC, caller);
  return block;
}
EXPORT void *realloc(void *old, size_t bytes) {
  if (LIKELY(fits_in_place(old, bytes))) return next_realloc(old, bytes);
  return realloc_other_size(old, bytes, CALLER);
}
EXPORT void *reallocarray(void *old, size_t count, size_t each) {
  size_t bytes = product(count, each);
  if (bytes == SIZE_MAX) {
    errno = ENOMEM;
    refused(bytes, FAILURE_REALLOC, CALLER);
    return NULL;
  }
  return realloc(old, bytes);
}

/* The aligned family is rare: no fast path of its own. The real function stands in the middle. */
#define ALIGNED(bytes, call)                                                                          \
  if (!next_malloc || next_malloc == first_malloc) resolve();                                         \
  bool due = !COUNT_DOWN(bytes) && sample_due(bytes);                                                 \
  if (due && UNLIKELY(limit_set) && refused_by_limit(bytes)) {                                        \
    state_failed(bytes, FAILURE_ALIGNED, FAILURE_BY_LIMIT, CALLER, STACK_HERE);                       \
    return NULL;                                                                                      \
  }                                                                                                   \
  /* musl: these call malloc, or each other */                                                        \
  uint8_t inside = thread.inside;                                                                     \
  thread.inside = 1;                                                                                  \
  void *block = call;                                                                                 \
  thread.inside = inside;                                                                             \
  if (block) {                                                                                        \
    if (due) state_note(block, bytes, KIND_HEAP, CALLER, STACK_HERE);                                 \
  } else if (errno == ENOMEM) refused(bytes, FAILURE_ALIGNED, CALLER);                    \
  return block

EXPORT void *aligned_alloc(size_t alignment, size_t bytes) {
  ALIGNED(bytes, next_aligned_alloc ? next_aligned_alloc(alignment, bytes) : NULL);
}
EXPORT void *memalign(size_t alignment, size_t bytes) { ALIGNED(bytes, next_memalign ? next_memalign(alignment, bytes) : NULL); }
EXPORT void *valloc(size_t bytes) { ALIGNED(bytes, next_valloc ? next_valloc(bytes) : NULL); }
EXPORT void *pvalloc(size_t bytes) { ALIGNED(bytes, next_pvalloc ? next_pvalloc(bytes) : NULL); }

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes) {
  if (next_malloc == first_malloc) resolve();
  bool due = !COUNT_DOWN(bytes) && sample_due(bytes);
  if (due && UNLIKELY(limit_set) && refused_by_limit(bytes)) {
    int before = errno;
    errno = ENOMEM;
    state_failed(bytes, FAILURE_ALIGNED, FAILURE_BY_LIMIT, CALLER, STACK_HERE);
    errno = before;
    return ENOMEM;
  }
  uint8_t inside = thread.inside;
  thread.inside = 1;
  int error = next_posix_memalign(out, alignment, bytes);
  thread.inside = inside;
  if (!error) {
    if (due) state_note(*out, bytes, KIND_HEAP, CALLER, STACK_HERE);
  } else if (error == ENOMEM) {
    int before = errno; /* posix_memalign() returns its error and leaves errno alone */
    errno = error;
    refused(bytes, FAILURE_ALIGNED, CALLER);
    errno = before;
  }
  return error;
}

/* --- mappings --- */

static bool is_on_tmpfs(int fd) {
  struct statfs filesystem;
  if (sandboxed) return false;
  const unsigned long tmpfs = 0x01021994, hugetlbfs = 0x958458f6;
  return !fstatfs(fd, &filesystem) &&
         ((unsigned long)filesystem.f_type == tmpfs || (unsigned long)filesystem.f_type == hugetlbfs);
}

static COLD void note_mapping(void *start, size_t bytes, int protection, int flags, int fd, uintptr_t caller, uintptr_t here) {
  int saved_errno = errno;
  /* Address space that an allocator of its own takes in advance: no memory until it is touched. */
  bool reserved = !(protection & PROT_WRITE) || flags & MAP_NORESERVE;
  if (flags & MAP_FIXED) state_forget_range((uintptr_t)start, bytes);
  bool anonymous = flags & MAP_ANONYMOUS, shared = flags & MAP_SHARED;
  if ((anonymous || (shared && is_on_tmpfs(fd))) && sample_due(bytes))
    state_note(start, bytes, (shared ? KIND_SHARED : KIND_MAPPING) | (reserved ? NOTE_RESERVED : 0), caller, here);
  errno = saved_errno;
}

static inline void *map(void *address, size_t bytes, int protection, int flags, int fd, off_t offset, uintptr_t caller, uintptr_t here) {
  bool counts = (flags & MAP_ANONYMOUS || flags & MAP_SHARED) && !(flags & MAP_STACK) && !thread.in_arena && !thread.inside;
  if (counts && UNLIKELY(limit_set) && flags & MAP_ANONYMOUS && bytes >= SMALL_LIBC && protection & PROT_WRITE && !(flags & MAP_NORESERVE) && agent_ready &&
      limit_refuses(bytes, false)) {
    state_failed(bytes, FAILURE_MMAP, FAILURE_BY_LIMIT, caller, here);
    return MAP_FAILED;
  }
  if (UNLIKELY(flags & MAP_LOCKED)) state_unlock_file();
#ifdef SYS_mmap
  void *start = (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
#else
#error "an architecture without mmap"
#endif
  if (UNLIKELY(start == MAP_FAILED)) {
    /* Without an arena CPython asks malloc() for the object itself, and that answer is what counts. */
    if (errno == ENOMEM && !thread.in_arena) refused(bytes, FAILURE_MMAP, caller);
  } else if (counts && (!COUNT_DOWN(bytes) || flags & MAP_FIXED)) note_mapping(start, bytes, protection, flags, fd, caller, here);
  return start;
}
EXPORT void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return map(address, bytes, protection, flags, fd, offset, CALLER, STACK_HERE);
}
#ifdef __GLIBC__
EXPORT void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return map(address, bytes, protection, flags, fd, offset, CALLER, STACK_HERE);
}
#endif

EXPORT int mlock(const void *start, size_t bytes) {
  state_unlock_file();
  return (int)syscall(SYS_mlock, start, bytes);
}
EXPORT int mlock2(const void *start, size_t bytes, unsigned flags) {
  state_unlock_file();
  return (int)syscall(SYS_mlock2, start, bytes, (long)flags);
}
EXPORT int mlockall(int flags) {
  state_unlock_file();
  return (int)syscall(SYS_mlockall, (long)flags);
}

EXPORT int munmap(void *start, size_t bytes) {
  /* Before the call: afterwards another thread may be given the same address. */
  state_forget_range((uintptr_t)start, bytes);
  return (int)syscall(SYS_munmap, start, bytes);
}

EXPORT void *mremap(void *old, size_t old_bytes, size_t bytes, int flags, ...) {
  void *target = NULL;
  if (flags & MREMAP_FIXED) {
    va_list more;
    va_start(more, flags);
    target = va_arg(more, void *);
    va_end(more);
  }
  const bool grows = just_grows(old, bytes);
  struct coroner_live before;
  const bool known = !grows && maybe_sampled(old) && state_find(old, &before);
  void *start = (void *)syscall(SYS_mremap, old, old_bytes, bytes, flags, target);
  if (UNLIKELY(start == MAP_FAILED)) {
    if (errno == ENOMEM) refused(bytes, FAILURE_MREMAP, CALLER);
  } else if (grows) {
    if (start != old) state_moved(old, start, bytes);
  } else if (known) state_regrown(&before, start, bytes, CALLER, STACK_HERE);
  return start;
}

/* --- lookups by handle --- */

#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__))
/*
 * ctypes.CDLL("libc.so.6").malloc looks into libc itself and would never meet a preloaded library. Where such a lookup
 * finds the very function that stands behind a hook, it is given the hook. RTLD_DEFAULT and RTLD_NEXT depend on who
 * calls: these are jumped to, not called, which keeps the return address that tells it.
 */
static void *(*next_dlsym)(void *, const char *);

/* The first version of it: a library built here must load where glibc is older (from 2.34 on it moved into libc). */
#if defined(__x86_64__)
__asm__(".symver dlvsym,dlvsym@GLIBC_2.2.5");
#else
__asm__(".symver dlvsym,dlvsym@GLIBC_2.17");
#endif

#pragma weak dlvsym

static COLD void resolve_dlsym(void) {
  if (!dlvsym) {
    next_dlsym = (void *(*)(void *, const char *))behind_by_hand("dlsym");
    return;
  }
#if defined(__x86_64__)
  next_dlsym = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
#else
  next_dlsym = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.17");
#endif
}

static COLD void *hook_for(void *found) {
  if (next_malloc == first_malloc) return found;
  if (found == (void *)next_malloc) return (void *)malloc;
  if (found == (void *)next_calloc) return (void *)calloc;
  if (found == (void *)next_realloc) return (void *)realloc;
  if (found == (void *)next_free) return (void *)free;
  if (found == (void *)next_posix_memalign) return (void *)posix_memalign;
  if (found == (void *)next_aligned_alloc) return (void *)aligned_alloc;
  if (found == (void *)next_memalign) return (void *)memalign;
  void *const other = sandbox_hook_for(found);
  return other ? other : found;
}

EXPORT void *dlsym(void *restrict handle, const char *restrict name) {
  if (UNLIKELY(!next_dlsym)) {
    resolve_dlsym();
    if (!next_dlsym) return NULL;
  }
  if (LIKELY(handle != RTLD_DEFAULT && handle != RTLD_NEXT && agent_ready)) {
    void *found = next_dlsym(handle, name);
    return found ? hook_for(found) : NULL;
  }
  return next_dlsym(handle, name);
}
#endif

/* --- the process' ends that run no exit handlers --- */

EXPORT _Noreturn void _exit(int code) {
  state_end(STATE_EXITED, code);
  limit_end();
  state_discard_if_dull();
  for (;;) syscall(SYS_exit_group, code);
}
EXPORT _Noreturn void _Exit(int code) { _exit(code); }

/* --- the beginning and the end --- */

static void at_exit(void *nothing) {
  (void)nothing;
  state_end(STATE_EXITING, 0);
  limit_end();
}

/* `name=number,name=number`: the recorder writes it (src/record/agent.ts). */
static uint64_t option(const char *options, const char *name, uint64_t otherwise) {
  size_t length = strlen(name);
  for (const char *at = options; at && *at; at = strchr(at, ','), at += at != NULL) {
    if (!strncmp(at, name, length) && at[length] == '=') return strtoull(at + length + 1, NULL, 10);
  }
  return otherwise;
}

/*
 * Tools of valgrind that watch memory: the agent reads words of the stack and of objects that nobody has written, rightly so, and each
 * would be told as an error of the program. Those that only count (cachegrind) preload nothing but the core.
 */
static bool under_memory_checker(void) {
  static const char tool[] = "vgpreload_", core[] = "vgpreload_core";
  for (const char *at = getenv("LD_PRELOAD"); at && (at = strstr(at, tool)); at++)
    if (strncmp(at, core, sizeof core - 1)) return true;
  return false;
}

/* Not pthread_atfork() and atexit(): those are parts of glibc that are linked in, or of musl alone. */
extern void *__dso_handle __attribute__((visibility("hidden")));
int __cxa_atexit(void (*handler)(void *), void *argument, void *library);
#ifdef __GLIBC__
int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *library) __attribute__((weak));
static void at_fork_child(void (*handler)(void)) { __register_atfork(NULL, NULL, handler, __dso_handle); }
#else
#pragma weak pthread_atfork
static void at_fork_child(void (*handler)(void)) { pthread_atfork(NULL, NULL, handler); }
#endif

__attribute__((constructor)) static void start(void) {
  if (under_memory_checker() || libc_is_foreign()) {
    exec_start();
    return;
  }
  thread.inside = 1;
  if (next_malloc == first_malloc) resolve();
  look_for_sizes();
  exec_start();
  sandbox_start();
  lock_start();
  const char *folder = getenv("CORONER_AGENT_FOLDER");
  const char *options = getenv("CORONER_AGENT_OPTIONS");
  uint64_t limit = option(options, "limit", 0);
  bool begun = false;
  if (folder && *folder == '/') {
    uint64_t mean = option(options, "sample", 0);
    if (mean) sampling_set_mean(mean, true);
    state_pace_ms = (uint32_t)option(options, "pace", state_pace_ms);
    bool at_once = limit || dlsym(RTLD_DEFAULT, "Py_GetVersion");
    if (at_once) state_open(folder, (uint32_t)getppid());
    else begun = state_open_later(folder, (uint32_t)getppid());
  }
  if (file || begun) {
    python_start(option(options, "stacks", 1), option(options, "objects", 1));
    if (limit) limit_open(limit, (int)option(options, "at-limit", 0));
    at_fork_child(state_fork_child);
    __cxa_atexit(at_exit, NULL, __dso_handle);
    look_at_limits();
    agent_ready = true;
  }
  thread.inside = 0;
}

__attribute__((destructor)) static void stop(void) { state_discard_if_dull(); }
