/* Makes children that run in its own memory and end, and is killed: in_its_memory vfork|clone|exec. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[65536] __attribute__((aligned(16)));
static int end(void *unused) {
  (void)unused;
  _exit(3);
}

int main(int count, char **arguments) {
  const char *how = count > 1 ? arguments[1] : "vfork";
  void *volatile block = malloc(3 << 20);
  memset(block, 1, 3 << 20);
  for (int i = 0; i < 3; i++) {
    pid_t child;
    if (!strcmp(how, "clone")) child = clone(end, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    else {
      child = vfork();
      if (!child && !strcmp(how, "exec")) execl("/bin/sh", "sh", "-c", "exit 3", (char *)0);
      if (!child) _exit(3);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 3) return 1;
  }
  raise(SIGKILL);
}
