/* The file's life: it is made, begun, ended, taken away, and made anew by a forked child. */
#include "file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "intern.h"
#include "live.h"
#include "lock.h"
#include "sandbox.h"
#include "weigh.h"

struct coroner_file *file;
struct coroner_tree *tree;
bool agent_ready;

static char folder_path[512];

static void own_path(char *out, size_t size, uint32_t pid) { snprintf(out, size, "%s/%u.mem", folder_path, pid); }

/*
 * The recorder keeps some files of full size ready (src/record/agent-files.ts), for a process that may not make one that large:
 * RLIMIT_FSIZE ends it by a signal. Each is one process' alone: whoever counts it as taken gives it its name.
 */
static int take_spare(const char *path) {
  if (!tree) return -1;
  uint32_t next = __atomic_load_n(&tree->spares_taken, __ATOMIC_RELAXED);
  do {
    if (next >= __atomic_load_n(&tree->spares_made, __ATOMIC_ACQUIRE)) return -1;
  } while (!__atomic_compare_exchange_n(&tree->spares_taken, &next, next + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  char spare[600];
  snprintf(spare, sizeof spare, "%s/%u.spare", folder_path, next);
  if (rename(spare, path)) return -1;
  const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0 && lseek(fd, 0, SEEK_END) >= (off_t)sizeof(struct coroner_file)) return fd;
  if (fd >= 0) close(fd);
  unlink(path);
  return -1;
}

static bool may_make_whole(void) {
  struct rlimit largest;
  return !getrlimit(RLIMIT_FSIZE, &largest) && largest.rlim_cur >= sizeof(struct coroner_file);
}

static int make_whole(const char *path) {
  const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 || !ftruncate(fd, sizeof(struct coroner_file))) return fd;
  close(fd);
  unlink(path);
  return -1;
}

/*
 * A hole that the disk has no room for is a SIGBUS: have the room now. On tmpfs that would be memory at once, so only look. Not
 * posix_fallocate(), which writes where the filesystem cannot reserve; the recorder gives back what was not used.
 */
static bool has_room(int fd) {
  struct statfs filesystem;
  const unsigned long tmpfs = 0x01021994;
  const long keep_size = 1;
  if (fstatfs(fd, &filesystem)) return false;
  if ((unsigned long)filesystem.f_type != tmpfs && !syscall(SYS_fallocate, (long)fd, keep_size, 0L, (long)sizeof(struct coroner_file))) return true;
  return (uint64_t)filesystem.f_bavail * (uint64_t)filesystem.f_bsize > 16 * sizeof(struct coroner_file);
}

static struct coroner_file *locked;
static bool program_locks;

/* Every valgrind tool preloads a library of its own. None knows mlock2(), and each would complain in the program's stderr. */
static bool under_valgrind(void) {
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded && strstr(preloaded, "vgpreload_");
}

/*
 * Under a memory limit the kernel takes back the pages of files first, and whoever touches one then waits for the disk: near a limit,
 * for seconds. So they stay, where what may be locked (RLIMIT_MEMLOCK) is twice as much; what nobody touches is not made.
 */
static void lock_file(struct coroner_file *made) {
  const long on_fault = 1; /* MLOCK_ONFAULT */
  struct rlimit lockable;
  locked = NULL;
  if (program_locks || under_valgrind() || getrlimit(RLIMIT_MEMLOCK, &lockable) || lockable.rlim_cur < 2 * sizeof *made) return;
  if (!syscall(SYS_mlock2, made, sizeof *made, on_fault)) locked = made;
}

void state_unlock_file(void) {
  program_locks = true;
  struct coroner_file *held = __atomic_exchange_n(&locked, NULL, __ATOMIC_RELAXED);
  if (held && !sandboxed) syscall(SYS_munlock, held, sizeof *held);
}

static struct coroner_file *make_file(uint32_t pid) {
  if (tree && __atomic_load_n(&tree->files, __ATOMIC_RELAXED) >= TREE_MAX_FILES) {
    __atomic_fetch_add(&tree->refused_files, 1, __ATOMIC_RELAXED);
    return NULL;
  }
  char path[600];
  own_path(path, sizeof path, pid);
  /* fork and exec keep the pid: the name may be taken by what this process was before. Never truncate: the old file may be mapped. */
  bool replaced = unlink(path) == 0;
  const int fd = may_make_whole() ? make_whole(path) : take_spare(path);
  if (fd < 0) return NULL;
  struct coroner_file *made = MAP_FAILED;
  if (has_room(fd)) made = (struct coroner_file *)syscall(SYS_mmap, NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
  close(fd);
  if (made == MAP_FAILED) {
    unlink(path);
    return NULL;
  }
  lock_file(made);
  if (tree && !replaced) __atomic_fetch_add(&tree->files, 1, __ATOMIC_RELAXED);
  return made;
}

static void open_tree(void) {
  char path[600];
  snprintf(path, sizeof path, "%s/tree", folder_path);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  /* Not fstat(): its symbol is of glibc 2.33, and the library must load where glibc is older. */
  if (lseek(fd, 0, SEEK_END) >= (off_t)sizeof *tree) {
    struct coroner_tree *found = (struct coroner_tree *)syscall(SYS_mmap, NULL, sizeof *tree, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    if (found != MAP_FAILED && !memcmp(found->magic, CORONER_TREE_MAGIC, 8)) {
      tree = found;
      __atomic_fetch_add(&tree->processes, 1, __ATOMIC_RELAXED);
    }
  }
  close(fd);
}

static void read_name(struct coroner_header *header) {
  int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    long length = read(fd, header->name, sizeof header->name - 1);
    if (length > 0 && header->name[length - 1] == '\n') header->name[length - 1] = 0;
    close(fd);
  }
  long length = readlink("/proc/self/exe", header->executable, sizeof header->executable - 1);
  if (length < 0) header->executable[0] = 0;
}

static void begin_file(struct coroner_file *made, uint32_t parent) {
  struct coroner_header *header = &made->header;
  header->version = CORONER_LAYOUT_VERSION;
  header->header_bytes = sizeof *header;
  header->file_bytes = sizeof *made;
  header->pid = own_pid;
  header->parent_pid = parent;
  header->started_realtime_ns = realtime_ns();
  header->started_monotonic_ns = monotonic_ns();
  header->page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
  header->sample_mean_bytes = header->first_sample_mean_bytes = sampling_mean();
  header->exact_bytes = exact_bytes;
  header->history_interval_ms = state_pace_ms;
#define SECTION(id, field, entry, count) \
  header->sections[id] = (struct coroner_section_entry){(uint32_t)offsetof(struct coroner_file, field), entry, count, 0}
  SECTION(SECTION_STACKS, stacks, sizeof made->stacks[0], STACK_CAPACITY);
  SECTION(SECTION_NODES, nodes, sizeof made->nodes[0], NODE_CAPACITY);
  SECTION(SECTION_FRAMES, frames, sizeof made->frames[0], FRAME_CAPACITY);
  SECTION(SECTION_CODES, codes, sizeof made->codes[0], CODE_CAPACITY);
  SECTION(SECTION_TEXT, text, 1, TEXT_CAPACITY);
  SECTION(SECTION_LIVE, live, sizeof made->live[0], LIVE_CAPACITY);
  SECTION(SECTION_FAILURES, failures, sizeof made->failures[0], FAILURE_CAPACITY);
  SECTION(SECTION_HISTORY, history, sizeof made->history[0], HISTORY_CAPACITY);
  SECTION(SECTION_MODULES, modules, sizeof made->modules[0], MODULE_CAPACITY);
  header->sections[SECTION_TEXT].used = 8;
  header->sections[SECTION_STACKS].used = 1;
}

static bool in_folder(const char *folder) {
  size_t length = strlen(folder);
  if (length >= sizeof folder_path) return false;
  memcpy(folder_path, folder, length + 1);
  open_tree();
  return true;
}

/*
 * The indexes are hashed into: some hundred samples touch nearly every page of them, and a page fault each would be most of
 * what the start costs. Linux 5.14; before that they come one by one.
 */
void fault_in(void *start, size_t bytes) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t from = (uintptr_t)start & ~(page - 1), to = ((uintptr_t)start + bytes + page - 1) & ~(page - 1);
  const int populate_write = 23;
  syscall(SYS_madvise, from, to - from, populate_write);
}

void state_open(const char *folder, uint32_t parent) {
  if (!in_folder(folder)) return;
  live_fault_in();
  intern_fault_in();
  struct coroner_file *made = make_file(own_pid);
  if (!made) return;
  begin_file(made, parent);
  read_name(&made->header);
  memcpy(made->header.magic, CORONER_MAGIC, 8);
  file = made;
}

void state_end(uint32_t how, int code) {
  if (!file || !is_own_end()) return;
  const bool ends = how == STATE_EXITING || how == STATE_EXITED;
  if (ends && !thread.inside && lock()) {
    weigh_at_end();
    unlock();
  }
  file->header.exit_code = code;
  file->header.state_monotonic_ns = monotonic_ns();
  __atomic_store_n(&file->header.state, how, __ATOMIC_RELEASE);
}

/* Thousands of short helpers (sed, uname) each leave a file: one that says nothing is taken away again. */
bool state_discard_if_dull(void) {
  if (!file || sandboxed || !is_own_end()) return false;
  const struct coroner_header *header = &file->header;
  /* The command itself is Python more often than not, and its file is wanted even where it is dull. */
  bool of_interest = python_present() && !(header->flags & FILE_FORKED);
  if (of_interest || header->failure_count || header->limit_hits || header->peak_bytes > (4 << 20)) return false;
  char path[600];
  own_path(path, sizeof path, own_pid);
  if (unlink(path) == 0 && tree) __atomic_fetch_sub(&tree->files, 1, __ATOMIC_RELAXED);
  return true;
}

/*
 * A forked child must not write into its parent's file. It begins one of its own, and an empty one: with the first
 * thing that it has to say, so that the many children that only exec or exit cost nothing. What it was born with is
 * its parent's, shared until it is written to, and stands in its parent's file.
 */
static struct coroner_file *parents_file;
static uint32_t parents_pid;
/* Not forked, but not begun either: parents_file is empty. */
static bool waiting;

/*
 * A process without Python begins like a forked child, with the first thing that it has to say: the thousands of
 * `sed` and `uname` of a shell script mostly have nothing, and a file costs a millisecond.
 */
bool state_open_later(const char *folder, uint32_t parent) {
  if (!in_folder(folder)) return false;
  void *empty = (void *)syscall(SYS_mmap, NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
  if (empty == MAP_FAILED) return false;
  parents_file = empty;
  parents_pid = parent;
  waiting = true;
  return true;
}

void state_fork_child(void) {
  if (!file && !parents_file) return;
  lock_begin_child();
  if (thread.inside && file) {
    /* A signal handler forked in the middle of a hook: let that one finish on a copy, and be done. */
    struct coroner_file *copy = (struct coroner_file *)syscall(SYS_mmap, NULL, sizeof *file, PROT_READ | PROT_WRITE,
                                                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    if (copy == MAP_FAILED) return;
    memcpy(copy, file, sizeof *file);
    file = copy;
    agent_ready = false;
    return;
  }
  if (file) parents_file = file;
  file = NULL;
  parents_pid = own_pid;
  if (!sandboxed) own_pid = (uint32_t)getpid();
}

static void forget_everything(void) {
  live_forget();
  intern_forget();
  weigh_forget();
  native_forget_modules();
}

COLD bool state_begin_child(void) {
  struct coroner_file *parent = parents_file;
  if (!parent || sandboxed) return false;
  parents_file = NULL;
  struct coroner_file *made = make_file(own_pid);
  if (made) {
    forget_everything();
    begin_file(made, parents_pid);
    struct coroner_header *header = &made->header;
    const struct coroner_header *from = &parent->header;
    if (waiting) {
      read_name(header);
      waiting = false;
    } else {
      memcpy(header->name, from->name, sizeof header->name);
      memcpy(header->executable, from->executable, sizeof header->executable);
      header->flags = FILE_FORKED;
    }
    header->python_flags = from->python_flags;
    header->python_version = from->python_version;
    header->limit_bytes = from->limit_bytes;
    header->forked_live_bytes = from->live_bytes;
    memcpy(header->magic, CORONER_MAGIC, 8);
    file = made;
    limit_begin_child();
  }
  syscall(SYS_munmap, parent, sizeof *parent);
  return made != NULL;
}
