/*
 * exec and posix_spawn: the file says that another program follows under its pid, and a program that the library does not fit is
 * started without it. The loader of another C library or word size complains or gives up, and a sanitizer's runtime insists on being
 * first: none of that may end a program that lives without the agent. Nor can it be loaded where another root, mount namespace or user
 * cannot open it, nor in a sandbox, whose filter may kill for what the agent does at its start.
 */
#include "exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "behind.h"
#include "file.h"
#include "sandbox.h"

extern char **environ;

/* --- what kind of program it is --- */

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#define OWN_MACHINE EM_NONE
#endif

static bool read_at(int fd, void *out, size_t bytes, uint64_t offset) { return pread(fd, out, bytes, (off_t)offset) == (ssize_t)bytes; }

static bool interpreter_fits(int fd, const Elf64_Phdr *segment) {
  char name[128] = {0};
  const size_t bytes = segment->p_filesz < sizeof name - 1 ? segment->p_filesz : sizeof name - 1;
  if (!read_at(fd, name, bytes, segment->p_offset)) return true;
  const bool is_musl = strstr(name, "ld-musl") != NULL;
#ifdef __GLIBC__
  return !is_musl;
#else
  return is_musl;
#endif
}

static bool is_sanitizer(const char *library) {
  static const char *const names[] = {"libasan.", "libtsan.", "liblsan.", "libhwasan.", "libclang_rt."};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strncmp(library, names[i], strlen(names[i]))) return strstr(library, "san") != NULL;
  return false;
}

struct program {
  int fd;
  uint16_t count; /* of segments */
  uint64_t at;
};

static uint64_t offset_of(const struct program *program, uint64_t address) {
  for (uint16_t i = 0; i < program->count; i++) {
    Elf64_Phdr segment;
    if (!read_at(program->fd, &segment, sizeof segment, program->at + i * sizeof segment)) return 0;
    if (segment.p_type == PT_LOAD && address - segment.p_vaddr < segment.p_filesz) return segment.p_offset + (address - segment.p_vaddr);
  }
  return 0;
}

static bool needs_sanitizer(const struct program *program, const Elf64_Phdr *dynamic) {
  Elf64_Dyn entry;
  uint64_t strings = 0;
  const uint64_t count = dynamic->p_filesz / sizeof entry < 256 ? dynamic->p_filesz / sizeof entry : 256;
  for (uint64_t i = 0; i < count && !strings; i++) {
    if (!read_at(program->fd, &entry, sizeof entry, dynamic->p_offset + i * sizeof entry) || entry.d_tag == DT_NULL) return false;
    if (entry.d_tag == DT_STRTAB) strings = offset_of(program, entry.d_un.d_ptr);
  }
  for (uint64_t i = 0; i < count && strings; i++) {
    if (!read_at(program->fd, &entry, sizeof entry, dynamic->p_offset + i * sizeof entry) || entry.d_tag == DT_NULL) return false;
    char name[48] = {0};
    /* The file may end behind it. */
    if (entry.d_tag == DT_NEEDED && pread(program->fd, name, sizeof name - 1, (off_t)(strings + entry.d_un.d_val)) > 0 && is_sanitizer(name))
      return true;
  }
  return false;
}

static bool elf_fits(int fd, const Elf64_Ehdr *header) {
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != OWN_MACHINE) return false;
  if (header->e_phentsize != sizeof(Elf64_Phdr)) return true;
  const struct program program = {fd, header->e_phnum, header->e_phoff};
  for (uint16_t i = 0; i < program.count; i++) {
    Elf64_Phdr segment;
    if (!read_at(fd, &segment, sizeof segment, program.at + i * sizeof segment)) return true;
    if (segment.p_type == PT_INTERP && !interpreter_fits(fd, &segment)) return false;
    if (segment.p_type == PT_DYNAMIC && needs_sanitizer(&program, &segment)) return false;
  }
  return true;
}

static bool file_fits(int fd, unsigned depth);
static bool path_fits(const char *path, unsigned depth) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return true; /* exec will say why, or reads what we may not */
  const bool fits = file_fits(fd, depth);
  close(fd);
  return fits;
}

/* A script is what its interpreter is. */
static bool file_fits(int fd, unsigned depth) {
  union {
    Elf64_Ehdr elf;
    char text[256];
  } head;
  const ssize_t got = pread(fd, &head, sizeof head - 1, 0);
  if (got < 4) return true;
  head.text[got] = 0;
  if (!memcmp(head.text, ELFMAG, SELFMAG)) return got < (ssize_t)sizeof head.elf || elf_fits(fd, &head.elf);
  if (head.text[0] != '#' || head.text[1] != '!' || depth == 4) return true;
  char *name = head.text + 2;
  while (*name == ' ' || *name == '\t') name++;
  name[strcspn(name, " \t\n")] = 0;
  return path_fits(name, depth + 1);
}

/* By name, as execvp() finds it. */
static bool name_fits(const char *name) {
  if (strchr(name, '/')) return path_fits(name, 0);
  const char *folders = getenv("PATH");
  for (const char *at = folders ? folders : "/bin:/usr/bin"; *name; at++) {
    const size_t length = strcspn(at, ":");
    char path[1024];
    if (length + strlen(name) + 2 <= sizeof path) {
      memcpy(path, at, length);
      path[length] = '/';
      strcpy(path + length + 1, name);
      if (!access(length ? path : name, X_OK)) return path_fits(length ? path : name, 0);
    }
    at += length;
    if (!*at) break;
  }
  return true;
}

/* --- the environment without the library --- */

static bool agent_loaded;

static const char preload[] = "LD_PRELOAD=";
static const char own_name[] = "coroner-agent-linux-";
#define LONGEST_PRELOAD 4096u

/* Which of the variables names it; -1: none, and nothing need be done. */
static long preload_of(char *const variables[], size_t *count) {
  long found = -1;
  for (*count = 0; variables && variables[*count]; ++*count)
    if (!strncmp(variables[*count], preload, sizeof preload - 1) && strstr(variables[*count], own_name)) found = (long)*count;
  return found >= 0 && strlen(variables[found]) < LONGEST_PRELOAD && *count < 16384 ? found : -1;
}

static void without_library(const char *from, char *to) {
  char *const begin = to + sizeof preload - 1;
  memcpy(to, preload, sizeof preload);
  to = begin;
  for (from += sizeof preload - 1; *from;) {
    const size_t length = strcspn(from, ": ");
    char item[LONGEST_PRELOAD];
    memcpy(item, from, length);
    item[length] = 0;
    if (length && !strstr(item, own_name)) {
      if (to != begin) *to++ = ':';
      memcpy(to, item, length);
      to += length;
    }
    from += length + (from[length] != 0);
  }
  *to = 0;
}

/*
 * Who has just become another user may still hold root's capabilities, which exec takes away: opened without those that pass over
 * permissions. They are this thread's own.
 */
static int open_as_after_exec(const char *path) {
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  /* <linux/capability.h>, which musl's compiler lacks: version 3, and CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH. */
  struct { uint32_t version, pid; } version = {0x20080522, 0};
  struct { uint32_t effective, permitted, inheritable; } had[2], fewer[2];
  const uint32_t over = 1u << 1 | 1u << 2;
  if (!geteuid() || syscall(SYS_capget, &version, had) || !(had[0].effective & over)) return open(path, flags);
  memcpy(fewer, had, sizeof had);
  fewer[0].effective &= ~over;
  if (syscall(SYS_capset, &version, fewer)) return open(path, flags);
  const int fd = open(path, flags), error = errno;
  syscall(SYS_capset, &version, had);
  errno = error;
  return fd;
}

/* By who executes, from where: after chroot(), setns(), setuid() that is not what could be opened at the start. */
static bool is_reachable(const char *variable) {
  const char *const own = strstr(variable, own_name);
  const char *begin = own;
  while (begin > variable && !strchr(":= ", begin[-1])) begin--;
  const size_t length = strcspn(begin, ": ");
  char path[LONGEST_PRELOAD];
  if (length >= sizeof path) return false;
  memcpy(path, begin, length);
  path[length] = 0;
  const int fd = open_as_after_exec(path);
  /* Without a free descriptor it cannot be known; those that exec closes are free afterwards. */
  if (fd < 0) return errno == EMFILE || errno == ENFILE;
  close(fd);
  return true;
}

/*
 * Calls with the variables that fit the program. On the stack: a vfork child must leave its parent's heap alone. `result` is set by
 * `call`, which uses `envp`.
 */
#define WITH_FITTING(variables, fits, call)                                \
  do {                                                                     \
    char *const *envp = variables;                                         \
    size_t count;                                                          \
    const long at = agent_loaded ? preload_of(envp, &count) : -1;          \
    if (at < 0 || (!sandboxed && is_reachable(envp[at]) && (fits))) {      \
      call;                                                                \
      break;                                                               \
    }                                                                      \
    char text[LONGEST_PRELOAD];                                            \
    char *fewer[count + 1];                                                \
    memcpy(fewer, envp, (count + 1) * sizeof *fewer);                      \
    without_library(fewer[at], text);                                      \
    if (text[sizeof preload - 1]) fewer[at] = text;                        \
    else fewer[at] = fewer[count - 1], fewer[count - 1] = NULL;            \
    envp = fewer;                                                          \
    call;                                                                  \
  } while (0)

/* --- the hooks --- */

/* exec replaces the program under the same pid: say so, and take it back where it fails. */
#define EXECUTE(name, parameters, variables, fits, arguments) \
  EXPORT int name parameters {                                \
    if (!next_##name) return errno = ENOSYS, -1;              \
    state_end(STATE_EXECUTING, 0);                            \
    int result;                                               \
    WITH_FITTING(variables, fits, result = arguments);        \
    int error = errno;                                        \
    state_end(STATE_RUNNING, 0);                              \
    errno = error;                                            \
    return result;                                            \
  }

static int (*next_execve)(const char *, char *const[], char *const[]);
static int (*next_execvpe)(const char *, char *const[], char *const[]);
static int (*next_fexecve)(int, char *const[], char *const[]);
/* What they call is not hooked: they are hooked themselves. */
#define next_execv next_execve
#define next_execvp next_execvpe
EXECUTE(execve, (const char *path, char *const argv[], char *const variables[]), variables, path_fits(path, 0), next_execve(path, argv, envp))
EXECUTE(execv, (const char *path, char *const argv[]), environ, path_fits(path, 0), next_execve(path, argv, envp))
EXECUTE(execvp, (const char *name, char *const argv[]), environ, name_fits(name), next_execvpe(name, argv, envp))
EXECUTE(execvpe, (const char *name, char *const argv[], char *const variables[]), variables, name_fits(name), next_execvpe(name, argv, envp))
EXECUTE(fexecve, (int fd, char *const argv[], char *const variables[]), variables, file_fits(fd, 0), next_fexecve(fd, argv, envp))

/* glibc's call execve() from within. The arguments lie on the stack for the reason above. */
#define COLLECT(first)                                                                     \
  va_list list;                                                                            \
  size_t words = 0;                                                                        \
  va_start(list, first);                                                                   \
  for (const char *word = first; word; word = va_arg(list, const char *)) words++;         \
  va_end(list);                                                                            \
  char *argv[words + 1];                                                                   \
  argv[0] = (char *)(uintptr_t)first;                                                      \
  va_start(list, first);                                                                   \
  for (size_t i = 1; i <= words; i++) argv[i] = va_arg(list, char *)

EXPORT int execl(const char *path, const char *first, ...) {
  COLLECT(first);
  va_end(list);
  return execv(path, argv);
}
EXPORT int execlp(const char *name, const char *first, ...) {
  COLLECT(first);
  va_end(list);
  return execvp(name, argv);
}
EXPORT int execle(const char *path, const char *first, ...) {
  COLLECT(first);
  char *const *variables = va_arg(list, char *const *);
  va_end(list);
  return execve(path, argv, variables);
}

typedef int (*spawn_function)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);
static spawn_function next_posix_spawn, next_posix_spawnp;

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                       char *const argv[], char *const variables[]) {
  if (!next_posix_spawn) return ENOSYS;
  int result;
  WITH_FITTING(variables, path_fits(path, 0), result = next_posix_spawn(pid, path, actions, attributes, argv, envp));
  return result;
}
EXPORT int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                        char *const argv[], char *const variables[]) {
  if (!next_posix_spawnp) return ENOSYS;
  int result;
  WITH_FITTING(variables, name_fits(name), result = next_posix_spawnp(pid, name, actions, attributes, argv, envp));
  return result;
}

void exec_start(void) {
  next_execve = (int (*)(const char *, char *const[], char *const[]))behind("execve");
  next_execvpe = (int (*)(const char *, char *const[], char *const[]))behind("execvpe");
  next_fexecve = (int (*)(int, char *const[], char *const[]))behind("fexecve");
  next_posix_spawn = (spawn_function)behind("posix_spawn");
  next_posix_spawnp = (spawn_function)behind("posix_spawnp");
  agent_loaded = true;
}
