/* Who called in native code: return addresses, and the modules they lie in. */
#include "agent.h"
#include "intern.h"
#include "lock.h"
#include "sandbox.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Reads the own memory without a fault where there is none: a signal handler's stack may end anywhere. */
bool peek(uintptr_t address, void *out, size_t bytes) {
  struct iovec local = {out, bytes}, remote = {(void *)address, bytes};
  return !sandboxed && syscall(SYS_process_vm_readv, (long)own_pid, &local, 1L, &remote, 1L, 0L) == (long)bytes;
}

/* The starts and ends of the modules' ranges, ascending: for a binary search. Later ranges replace what they overlap. */
static struct { uint64_t start, end; } ranges[MODULE_CAPACITY];
static uint32_t range_count;

static bool is_code(uint64_t address) {
  uint32_t low = 0, high = range_count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (ranges[middle].start <= address) low = middle + 1;
    else high = middle;
  }
  return low > 0 && address < ranges[low - 1].end;
}

static void add_range(uint64_t start, uint64_t end) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < range_count; i++)
    if (ranges[i].end <= start || ranges[i].start >= end) ranges[kept++] = ranges[i];
  if (kept == MODULE_CAPACITY) return;
  uint32_t at = kept;
  for (; at > 0 && ranges[at - 1].start > start; at--) ranges[at] = ranges[at - 1];
  ranges[at].start = start;
  ranges[at].end = end;
  range_count = kept + 1;
}

void native_forget_modules(void) { range_count = 0; }

/* Does a call instruction stand before it? Tells return addresses from other words that point into code. */
static bool is_return_address(uint64_t address) {
  uint8_t before[8];
  if (!is_code(address) || !peek(address - sizeof before, before, sizeof before)) return false;
#if defined(__x86_64__)
  if (before[3] == 0xe8) return true; /* call rel32 */
  for (int length = 2; length <= 7; length++) /* call through a register or memory: ff /2 */
    if (before[8 - length] == 0xff && (before[9 - length] & 0x38) == 0x10) return true;
  return false;
#elif defined(__aarch64__)
  uint32_t instruction;
  memcpy(&instruction, before + 4, 4);
  return (instruction & 0xfc000000u) == 0x94000000u || (instruction & 0xfffffc1fu) == 0xd63f0000u; /* bl, blr */
#else
  return false;
#endif
}

/*
 * Unwinding takes the loader's lock and may allocate, frame pointers are mostly left out: so the first return address
 * is sure, and further ones are found by scanning the words above it. Good enough to see behind `operator new`.
 */
void native_stack(struct caller_stack *out, uintptr_t caller, uintptr_t stack, bool deep) {
  memset(out->native, 0, sizeof out->native);
  out->native_count = 0;
  if (!caller) return;
  out->native[out->native_count++] = caller;
  if (!deep || !stack || !file->header.sections[SECTION_MODULES].used) return;
  uint64_t words[128];
  size_t count = peek(stack, words, sizeof words) ? 128 : peek(stack, words, 32 * 8) ? 32 : 0;
  bool past_caller = false;
  for (size_t i = 0; i < count && out->native_count < NATIVE_DEPTH; i++) {
    if (words[i] == caller) {
      past_caller = true;
      continue;
    }
    if (past_caller && words[i] != out->native[out->native_count - 1] && is_return_address(words[i])) out->native[out->native_count++] = words[i];
  }
}

static void add_module(uint64_t start, uint64_t end, uint64_t offset, const char *path, size_t length) {
  struct coroner_section_entry *section = &file->header.sections[SECTION_MODULES];
  for (uint32_t i = section->used; i-- > 0;) {
    const struct coroner_module *known = &file->modules[i];
    if (known->start == start && known->end == end && known->file_offset == offset) return;
  }
  static const char library[] = "/libpython";
  const char *const name = memrchr(path, '/', length);
  if (name && path + length - name > (long)sizeof library && !memcmp(name, library, sizeof library - 1) && name[sizeof library - 1] <= '9')
    python_appeared(start - offset);
  if (section->used >= MODULE_CAPACITY) return;
  file->modules[section->used] = (struct coroner_module){start, end, offset, state_text(path, length), 0};
  __atomic_store_n(&section->used, section->used + 1, __ATOMIC_RELEASE);
  add_range(start, end);
}

/* start-end perms offset dev inode path */
static void read_line(const char *line, const char *end) {
  uint64_t numbers[2] = {0};
  const char *at = line;
  for (int i = 0; i < 2; i++) {
    for (; at < end; at++) {
      int digit = *at >= '0' && *at <= '9' ? *at - '0' : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10 : -1;
      if (digit < 0) break;
      numbers[i] = numbers[i] << 4 | (uint64_t)digit;
    }
    at++;
  }
  if (at + 4 >= end || at[2] != 'x') return;
  at += 5;
  uint64_t offset = 0;
  for (; at < end && *at != ' '; at++) offset = offset << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
  for (int fields = 0; fields < 2 && at < end; fields++) {
    at++;
    while (at < end && *at != ' ') at++;
  }
  while (at < end && *at == ' ') at++;
  if (at < end) add_module(numbers[0], numbers[1], offset, at, (size_t)(end - at));
}

/* What everybody allocates by: that two threads come by it tells nothing of what they work at. */
static bool is_everybodys(const char *path, size_t length) {
  const char *const executable = file->header.executable;
  if (strlen(executable) == length && !memcmp(executable, path, length)) return true;
  size_t name = length;
  while (name > 0 && path[name - 1] != '/') name--;
  static const char *const starts[] = {"libc.", "libc-", "ld-", "libm.", "libpthread", "libstdc++", "libgcc_s", "libpython", "libffi", "coroner-agent-"};
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    const size_t size = strlen(starts[i]);
    if (length - name >= size && !memcmp(path + name, starts[i], size)) return true;
  }
  return memmem(path + name, length - name, "malloc", 6) != NULL;
}

uint32_t native_library(uint64_t address) {
  const struct coroner_section_entry *section = &file->header.sections[SECTION_MODULES];
  for (uint32_t i = section->used; i-- > 0;) {
    const struct coroner_module *module = &file->modules[i];
    if (address < module->start || address >= module->end || !module->path) continue;
    uint32_t length;
    memcpy(&length, file->text + module->path, 4);
    return is_everybodys(file->text + module->path + 4, length) ? 0 : module->path;
  }
  return 0;
}

static uint64_t next_read_ns;
/* What a library that was just loaded allocates is told to be its own at once. With many libraries it may wait for 50 ms. */
static uint32_t prompt_reads = 16;

/* dladdr() would take the loader's lock inside malloc(), which dlopen() calls with that lock held. */
void native_know_modules(const uint64_t *addresses, uint32_t count) {
  bool unknown = false;
  for (uint32_t i = 0; i < count; i++) unknown |= !is_code(addresses[i]);
  if (!unknown || sandboxed) return;
  uint64_t now = monotonic_ns();
  if (now < next_read_ns) return;
  const uint64_t began = own_cpu_ns();
  int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  static char buffer[8192];
  size_t kept = 0;
  for (;;) {
    long got = syscall(SYS_read, fd, buffer + kept, sizeof buffer - kept);
    if (got <= 0) break;
    size_t have = kept + (size_t)got, line = 0;
    for (size_t i = kept; i < have; i++)
      if (buffer[i] == '\n') read_line(buffer + line, buffer + i), line = i + 1;
    kept = have - line;
    if (kept == sizeof buffer) kept = 0; /* no line is that long */
    memmove(buffer, buffer + line, kept);
  }
  syscall(SYS_close, fd);
  const uint64_t cost = own_cpu_ns() - began;
  if (cost > 500000) next_read_ns = now + cost * 100;
  else if (prompt_reads) prompt_reads--;
  else next_read_ns = now + 50000000;
}
