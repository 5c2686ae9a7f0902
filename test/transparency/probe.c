/*
 * Prints what a program can see of the world that it was started in, one fact a line. What an argument list begins with chooses: `probe fds,signals`.
 * Facts that `coroner run` is documented to change (docs/how-run-works.md) are left out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

extern char **environ;
enum { most_descriptors = 1100 };
static char facts[1 << 20];
static size_t used;
#define SAY(...) (used += (size_t)snprintf(facts + used, sizeof facts - used, __VA_ARGS__))

static int is_documented(const char *entry) {
  static const char *const names[] = {"CORONER_RUN=", "CORONER_AGENT_", "LD_PRELOAD=", "PYTHONPATH=", "_="};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strncmp(entry, names[i], strlen(names[i])) == 0) return 1;
  return 0;
}

static void say_bytes(const char *title, const char *bytes) {
  SAY("%s ", title);
  for (; *bytes != '\0'; bytes++) SAY((unsigned char)*bytes < 0x20 || (unsigned char)*bytes >= 0x7f ? "\\x%02x" : "%c", (unsigned char)*bytes);
  SAY("\n");
}

static void descriptors(void) {
  for (int fd = 0; fd < most_descriptors; fd++) {
    int flags = fcntl(fd, F_GETFD);
    if (flags == -1) continue;
    struct stat stats;
    fstat(fd, &stats);
    char path[64], target[512] = "?";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length > 0) target[length] = '\0';
    // Of stdout and stderr the test has files of its own for each run.
    if (fd == 1 || fd == 2 || !S_ISREG(stats.st_mode)) target[0] = '\0';
    // Opened or made by pipe(2): O_LARGEFILE tells them apart, and a pipe's end may be a FIFO's.
    SAY("fd %d flags %d status %o type %o %s\n", fd, flags, fcntl(fd, F_GETFL) & ~0100000, stats.st_mode & S_IFMT, target);
  }
}

static void signals(void) {
  for (int number = 1; number <= 64; number++) {
    uint64_t action[8] = {0};
    if (syscall(SYS_rt_sigaction, number, NULL, action, 8) == 0 && action[0] != 0)
      SAY("signal %d %s\n", number, action[0] == 1 ? "ignored" : "caught");
  }
  uint64_t mask = 0, pending = 0;
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
  syscall(SYS_rt_sigpending, &pending, 8);
  SAY("mask %016llx pending %016llx\n", (unsigned long long)mask, (unsigned long long)pending);
}

static void group(int argc, char *argv[]) {
  int outer = argc > 2 ? atoi(argv[2]) : 0;
  // That it leads a group or session is out of reach: coroner itself was started as its leader.
  SAY("group is the starter's %d session %d\n", getpgrp() == getpgid(outer), getsid(0) == getsid(outer));
  int terminal = open("/dev/tty", O_RDWR);
  SAY("terminal %d foreground %d\n", terminal != -1, terminal != -1 && tcgetpgrp(terminal) == getpgrp());
  for (int fd = 0; fd < 3; fd++) SAY("tty %d %d\n", fd, isatty(fd));
}

static void limits(void) {
  for (int i = 0; i < 16; i++) {
    struct rlimit limit;
    if (getrlimit(i, &limit) == 0) SAY("limit %d soft %llx hard %llx\n", i, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
  }
}

/** Lines of /proc/self/status that say something about who this is and what it may. */
static void status(void) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[512];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    static const char *const wanted[] = {"Umask", "Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp", "Cpus_allowed_list", "Mems_allowed_list", "Speculation"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
      if (strncmp(line, wanted[i], strlen(wanted[i])) == 0) SAY("%s", line);
  }
  if (file != NULL) fclose(file);
  static const char *const spaces[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts", "time"};
  for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
    char path[64], target[128] = "";
    snprintf(path, sizeof path, "/proc/self/ns/%s", spaces[i]);
    if (readlink(path, target, sizeof target - 1) > 0) SAY("namespace %s\n", target);
  }
}

static void rest(void) {
  char folder[4096];
  SAY("folder %s\n", getcwd(folder, sizeof folder) == NULL ? strerror(errno) : folder);
  errno = 0;
  SAY("nice %d policy %d io %ld\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0), syscall(SYS_ioprio_get, 1, 0));
  int value = -1;
  prctl(PR_GET_PDEATHSIG, &value);
  SAY("death signal %d", value);
  prctl(PR_GET_CHILD_SUBREAPER, &value);
  SAY(" subreaper %d dumpable %d securebits %x keepcaps %d slack %d\n", value, prctl(PR_GET_DUMPABLE), prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS), prctl(PR_GET_TIMERSLACK));
  struct itimerval timer;
  for (int i = 0; i < 3; i++)
    if (getitimer(i, &timer) == 0) SAY("timer %d %d\n", i, timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0);
}

int main(int argc, char *argv[]) {
  const char *what = argc > 1 ? argv[1] : "all";
  int all = strcmp(what, "all") == 0;
  if (all || strstr(what, "fds")) descriptors();
  if (all || strstr(what, "args"))
    for (int i = 0; i < argc; i++) say_bytes("argument", argv[i]);
  if (all || strstr(what, "environment"))
    for (char **entry = environ; *entry != NULL; entry++)
      if (!is_documented(*entry)) say_bytes("variable", *entry);
  if (all || strstr(what, "signals")) signals();
  if (all || strstr(what, "limits")) limits();
  if (all || strstr(what, "status")) status();
  if (all || strstr(what, "rest")) rest();
  if (strstr(what, "group")) group(argc, argv);
  // Where stdout is closed, the facts go into the file that a variable names.
  const char *file = getenv("PROBE_FILE");
  int out = file == NULL ? 1 : open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  for (size_t sent = 0; sent < used;) {
    ssize_t more = write(out, facts + sent, used - sent);
    if (more <= 0) return 3;
    sent += (size_t)more;
  }
  return 0;
}
