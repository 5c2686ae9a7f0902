#include "helper.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *variable(char *const environment[], const char *name) {
  size_t length = strlen(name);
  for (; *environment != NULL; environment++)
    if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') return *environment + length + 1;
  return NULL;
}

/** A text file without a first line that names its interpreter is for sh, as execvp has it. */
static void execute_file(const char *file, char *const argv[], char *const environment[]) {
  execve(file, argv, environment);
  if (errno != ENOEXEC) return;
  size_t count = 0;
  while (argv[count] != NULL) count++;
  char **words = calloc(count + 2, sizeof *words);
  if (words == NULL) return;
  words[0] = "/bin/sh";
  words[1] = (char *)file;
  for (size_t i = 1; i < count; i++) words[i + 1] = argv[i];
  execve("/bin/sh", words, environment);
  free(words);
  errno = ENOEXEC;
}

/** Calls `use` with each place of `name` along PATH until it returns true. */
static bool along_path(const char *name, const char *path, bool (*use)(const char *file, void *context), void *context) {
  char file[PATH_MAX];
  for (const char *from = path;;) {
    size_t length = strcspn(from, ":");
    if (length + strlen(name) + 2 <= sizeof file) {
      // An empty entry is the current folder.
      snprintf(file, sizeof file, "%.*s%s%s", (int)length, from, length > 0 ? "/" : "", name);
      if (use(file, context)) return true;
    }
    if (from[length] == '\0') return false;
    from += length + 1;
  }
}

struct attempt {
  char *const *argv;
  char *const *environment;
  bool was_denied;
};

/** Returns only where it failed: true means that looking on is of no use. */
static bool attempt(const char *file, void *context) {
  struct attempt *attempt = context;
  execute_file(file, attempt->argv, attempt->environment);
  if (errno == EACCES) attempt->was_denied = true;
  return errno != EACCES && errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV && errno != ETIMEDOUT;
}

static const char *path_of(char *const environment[]) {
  const char *path = variable(environment, "PATH");
  return path != NULL ? path : "/bin:/usr/bin";
}

int execute(char *const argv[], char *const environment[]) {
  if (argv[0][0] == '\0') return ENOENT;
  if (strchr(argv[0], '/') != NULL) {
    execute_file(argv[0], argv, environment);
    return errno;
  }
  struct attempt last = {.argv = argv, .environment = environment};
  errno = ENOENT;
  if (along_path(argv[0], path_of(environment), attempt, &last)) return errno;
  return last.was_denied ? EACCES : ENOENT;
}

static bool is_program(const char *file, void *out) {
  struct stat stats;
  if (stat(file, &stats) != 0 || !S_ISREG(stats.st_mode) || access(file, X_OK) != 0) return false;
  strcpy(out, file);
  return true;
}

bool find_program(const char *name, char *const environment[], char *out) {
  return along_path(name, path_of(environment), is_program, out);
}
