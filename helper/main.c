/*
 * bin/coroner, where it could be compiled: starts Node with the coroner.js that lies beside it. Where the package carries its own Node
 * (../node/bin/node), that one. An executable with the whole package behind it unpacks that first (single.c). Under another name:
 *   coroner-helper run-node NODE MAIN WORDS...    the same for a NODE and MAIN that the caller has found (stub.sh)
 *   coroner-helper --check                        whether it starts on this machine
 */
#include "helper.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;

static _Noreturn void run_node(const struct recorder *recorder) {
  // Only a command that is run needs the world as it was.
  if (recorder->argc > 0 && strcmp(recorder->argv[0], "run") == 0) supervise(recorder);
  become_node(recorder);
}

/** Where this program lies, links resolved. */
static bool find_self(char *out) {
  ssize_t length = readlink("/proc/self/exe", out, PATH_MAX - 1);
  if (length > 0) {
    out[length] = '\0';
    return true;
  }
  const char *named = (const char *)getauxval(AT_EXECFN);
  return named != NULL && strlen(named) < PATH_MAX && strcpy(out, named) != NULL;
}

static _Noreturn void front(int argc, char *argv[], char *self) {
  static char main_file[PATH_MAX + 16], node[PATH_MAX + 32];
  const char *folder = dirname(self);
  snprintf(main_file, sizeof main_file, "%s/coroner.js", folder);
  snprintf(node, sizeof node, "%s/../node/bin/node", folder);
  if (access(node, X_OK) != 0 && !find_program("node", environ, node)) {
    // Its name alone: nothing can be executed by it, and the failure says why.
    strcpy(node, "node");
  }
  run_node(&(struct recorder){node, main_file, argc - 1, argv + 1, environ});
}

int main(int argc, char *argv[]) {
  static char self[PATH_MAX], name[PATH_MAX];
  if (argc < 1 || !find_self(self)) return 64;
  // Whatever the one file was renamed to.
  if (unpack_single(self)) front(argc, argv, self);
  if (strcmp(basename(strcpy(name, self)), "coroner") == 0) front(argc, argv, self);
  if (argc == 2 && strcmp(argv[1], "--check") == 0) return 0;
  if (argc >= 4 && strcmp(argv[1], "run-node") == 0) run_node(&(struct recorder){argv[2], argv[3], argc - 4, argv + 4, environ});
  fprintf(stderr, "usage: coroner-helper run-node NODE MAIN WORDS...\n");
  return 64;
}
