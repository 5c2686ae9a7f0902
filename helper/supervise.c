#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/** Node loads modules many at a time, and the recorder keeps descriptors open. */
enum { least_descriptors = 64 };
/** Below this Node 20 starts in no way (measured: 240 MiB with the flags below), and below the second not reliably without them. */
static const rlim_t least_data = 96UL << 20, least_address_space = 256UL << 20, ample_address_space = 2560UL << 20;
/** No reservation for machine code, no WebAssembly (10 GiB for each memory), no threads of V8's own. */
static const char *const frugal[] = {"--no-expose-wasm", "--jitless", "--v8-pool-size=0"};

static struct inherited inherited;
static const struct recorder *recorder;
static struct {
  pid_t node, command;
  bool is_alive, node_ended, command_ended, command_started, command_failed;
  int node_status, command_status;
  /** Somebody wanted the run to end. */
  bool was_signalled;
  int keeper, signals;
} run;

static size_t node_words(const char **words, bool is_frugal) {
  size_t count = 0;
  words[count++] = recorder->node;
  for (size_t i = 0; is_frugal && i < sizeof frugal / sizeof *frugal; i++) words[count++] = frugal[i];
  words[count++] = recorder->main;
  for (int i = 0; i < recorder->argc; i++) words[count++] = recorder->argv[i];
  words[count] = NULL;
  return count;
}

void become_node(const struct recorder *given) {
  recorder = given;
  const char **words = calloc((size_t)given->argc + 8, sizeof *words);
  if (words != NULL) {
    struct rlimit space;
    node_words(words, getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur < ample_address_space);
    execve(given->node, (char **)words, (char **)given->environment);
  }
  say("%s cannot be started: %s", given->node, strerror(errno));
  _exit(126);
}

/* Without a record */

static _Noreturn void run_bare(const char *why) {
  int index = command_index(recorder->argc - 1, recorder->argv + 1);
  if (index < 0) become_node(recorder);
  char *const *command = recorder->argv + 1 + index;
  say("not recorded: %s", why);
  restore_stdio_flags(&inherited);
  restore_inherited(&inherited);
  int error = execute(command, recorder->environment);
  if (error == ENOENT) say("%s: command not found", command[0]);
  else say("%s: cannot be started: %s", command[0], strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

static bool is_below(int resource, rlim_t least) {
  rlim_t most = inherited.limits[resource].rlim_max;
  return most != RLIM_INFINITY && most < least;
}

/** What the limits, measured before anything is started, do not allow. */
static void run_bare_if_limited(void) {
  if (is_below(RLIMIT_AS, least_address_space))
    run_bare("Node cannot start within this limit of address space (ulimit -v)");
  if (is_below(RLIMIT_DATA, least_data)) run_bare("Node cannot start within this limit of data (ulimit -d)");
  if (is_below(RLIMIT_NOFILE, least_descriptors))
    run_bare("too few open files are allowed (ulimit -n), and Node needs 64");
}

/** Node died before the command was started, and nobody had asked for it. */
static void run_bare_if_node_failed(void) {
  static const int crashes[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGKILL, SIGXCPU, SIGXFSZ};
  static const int failures[] = {1, 7, 9, 12, 13, 70};
  if (run.command_started || run.command_failed || run.was_signalled) return;
  char why[128];
  if (WIFSIGNALED(run.node_status)) {
    int number = WTERMSIG(run.node_status);
    snprintf(why, sizeof why, "the recorder was ended by signal %d (%s) before it started the command", number, strsignal(number));
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
      if (crashes[i] == number) run_bare(why);
    return;
  }
  int code = WEXITSTATUS(run.node_status);
  snprintf(why, sizeof why, "the recorder failed with status %d before it started the command", code);
  // Node's own (a module is missing, a flag is unknown) and coroner's for a fault of its own.
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
    if (failures[i] == code) run_bare(why);
}

/* Starting */

static char **environment_with(const char *entry) {
  size_t count = 0;
  while (recorder->environment[count] != NULL) count++;
  char **environment = calloc(count + 2, sizeof *environment);
  if (environment == NULL) _exit(126);
  memcpy(environment, recorder->environment, count * sizeof *environment);
  environment[count] = (char *)entry;
  return environment;
}

/** The child that becomes Node, after it has forked the keeper, which so has everything as it was. */
static _Noreturn void become_recorder(int node_ends[2], int front_ends[2]) {
  close(front_ends[0]);
  pid_t keeper = fork();
  if (keeper < 0) _exit(70);
  if (keeper == 0) {
    close(node_ends[0]);
    struct keeper given = {&inherited, recorder->argc, recorder->argv, recorder->environment, node_ends[1], front_ends[1]};
    keep(&given);
  }
  close_but(3, node_ends, 1);
  // Among the first, which Node marks as its own: what it starts must not get it.
  int ours = node_ends[0] == 3 ? 3 : dup2(node_ends[0], 3);
  if (node_ends[0] != 3) close(node_ends[0]);
  fcntl(ours, F_SETFD, 0);
  // The command alone reads stdin: its writer must learn when nobody does any more.
  int null = inherited.stdio_flags[0] == -1 ? -1 : open("/dev/null", O_RDONLY);
  if (null > 0) {
    dup2(null, 0);
    close(null);
  }
  set_mask(0);
  char entry[64];
  snprintf(entry, sizeof entry, "CORONER_HELPER=%d:%d", ours, keeper);
  const char **words = calloc((size_t)recorder->argc + 8, sizeof *words);
  if (words == NULL) _exit(70);
  node_words(words, is_below(RLIMIT_AS, ample_address_space));
  execve(recorder->node, (char **)words, environment_with(entry));
  _exit(70);
}

static bool socket_pair(int type, int ends[2]) {
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return false;
  for (int i = 0; i < 2; i++)
    if ((ends[i] = move_up(ends[i])) == -1) return false;
  return true;
}

static void start(void) {
  int node_ends[2], front_ends[2];
  if (!socket_pair(SOCK_STREAM, node_ends) || !socket_pair(SOCK_SEQPACKET, front_ends))
    run_bare("there is no descriptor left for the recorder");
  signal(SIGCHLD, SIG_DFL);
  // Job control goes on working by itself: the kernel stops and continues the whole group.
  uint64_t blocked = ~UINT64_C(0);
  static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
    if ((inherited.mask & MASK_BIT(stops[i])) == 0) blocked &= ~MASK_BIT(stops[i]);
  set_mask(blocked);
  run.node = fork();
  if (run.node == 0) become_recorder(node_ends, front_ends);
  if (run.node < 0) run_bare("no process can be started for the recorder");
  close(node_ends[0]);
  close(node_ends[1]);
  close(front_ends[1]);
  run.keeper = front_ends[0];
  run.signals = signal_descriptor(blocked);
}

/* Waiting */

/** The terminal's: the whole foreground group has them. */
static bool is_from_terminal(const struct signalfd_siginfo *info) {
  return info->ssi_code == SI_KERNEL && (info->ssi_signo == SIGINT || info->ssi_signo == SIGQUIT || info->ssi_signo == SIGWINCH);
}

static void reap(void) {
  int status;
  // As the first process of a container: orphans too.
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == run.node) {
      run.node_ended = true;
      run.node_status = status;
    }
}

static void read_signals(void) {
  struct signalfd_siginfo info;
  while (read(run.signals, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD) reap();
    else if (info.ssi_signo != SIGPIPE && info.ssi_signo != SIGCONT) {
      run.was_signalled = true;
      struct message message = {
          .word = word_signal, .value = (int)info.ssi_signo, .is_queued = info.ssi_code == SI_QUEUE, .payload = (int64_t)info.ssi_ptr};
      if (!is_from_terminal(&info)) send(run.keeper, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  }
}

/** From here on the command alone holds what it inherited; a terminal is kept, to be put right at the end. */
static void let_go(void) {
  int kept[] = {run.keeper, run.signals, -1, -1, -1};
  for (int fd = 0; fd < 3; fd++)
    if (isatty(fd)) kept[2 + fd] = fd;
  close_but(0, kept, sizeof kept / sizeof *kept);
}

static void read_keeper(void) {
  struct message message;
  ssize_t got = recv(run.keeper, &message, sizeof message, MSG_DONTWAIT);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got != sizeof message) {
    close(run.keeper);
    run.keeper = -1;
    return;
  }
  if (message.word == word_alive) run.is_alive = true;
  if (message.word == word_started) {
    run.command_started = true;
    run.command = message.value;
    let_go();
  }
  if (message.word == word_failed) run.command_failed = true;
  if (message.word == word_ended) {
    run.command_ended = true;
    run.command_status = message.value;
    note_terminal();
  }
}

/** Where V8 may start too few threads (ulimit -u) or gets too little memory, Node waits for ever before it runs anything. */
enum { hung_s = 10 };

/** Called each second until Node says that it runs: whether it has used no CPU time at all for long. */
static bool is_hung(void) {
  static struct timespec before;
  static int idle_s;
  clockid_t clock;
  struct timespec now = before;
  if (clock_getcpuclockid(run.node, &clock) == 0) clock_gettime(clock, &now);
  idle_s = now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec ? idle_s + 1 : 0;
  before = now;
  return idle_s >= hung_s;
}

static void wait_for_second(void) {
  if (!is_hung()) return;
  kill(run.node, SIGKILL);
  waitpid(run.node, NULL, 0);
  run_bare("Node hangs: it may lack threads (ulimit -u) or memory");
}

static _Noreturn void finish(void) {
  if (run.command_ended) {
    restore_terminal();
    end_like(run.command_status);
  }
  // The keeper was killed: nobody knows how the command will end. As if coroner had been killed.
  if (run.command_started) end_like(SIGKILL);
  run_bare_if_node_failed();
  end_like(run.node_status);
}

void supervise(const struct recorder *given) {
  recorder = given;
  note_inherited(&inherited);
  run_bare_if_limited();
  widen_limits(&inherited);
  start();
  while (!run.node_ended || run.keeper != -1) {
    struct pollfd fds[] = {{run.keeper, POLLIN, 0}, {run.signals, POLLIN, 0}};
    bool is_starting = !run.is_alive && !run.node_ended;
    int ready = poll(fds, 2, is_starting ? 1000 : -1);
    if (ready == 0 && is_starting) wait_for_second();
    if (ready <= 0) continue;
    if (fds[0].revents != 0) read_keeper();
    if (fds[1].revents != 0) read_signals();
  }
  finish();
}
