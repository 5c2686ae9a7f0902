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
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct keeper *keeper;
static int from_node, from_front;

static void tell_front(enum word word, int value) {
  struct message message = {.word = word, .value = value};
  if (from_front != -1) send(from_front, &message, sizeof message, MSG_NOSIGNAL);
}

static void tell_node(const char *word, int value) {
  char line[64];
  int length = snprintf(line, sizeof line, "%s %d\n", word, value);
  if (from_node != -1) send(from_node, line, (size_t)length, MSG_NOSIGNAL);
}

static bool receive_all(int fd, void *into, size_t length) {
  for (size_t got = 0; got < length;) {
    ssize_t more = recv(fd, (char *)into + got, length - got, 0);
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) return false;
    got += (size_t)more;
  }
  return true;
}

/** What Node sends: the length, then that many bytes. NULL: Node is gone. */
static char *receive(uint32_t *length) {
  if (!receive_all(from_node, length, sizeof *length)) return NULL;
  char *text = malloc(*length > 0 ? *length : 1);
  if (text == NULL || !receive_all(from_node, text, *length)) {
    free(text);
    return NULL;
  }
  return text;
}

/* Starting the command */

/** What Node gives the command as stdout and stderr, opened here; -1: what was inherited. */
static void open_outputs(const struct request *request, pid_t node, int outputs[2]) {
  for (int i = 0; i < 2; i++) {
    outputs[i] = -1;
    if (request->output[i] < 0) continue;
    if (i == 1 && request->output[1] == request->output[0] && outputs[0] != -1) {
      outputs[1] = outputs[0];
      continue;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", node, request->output[i]);
    outputs[i] = move_up(open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC));
  }
}

static _Noreturn void become_command(const struct request *request, const int outputs[2], int failure) {
  restore_stdio_flags(keeper->inherited);
  for (int i = 0; i < 2; i++)
    if (outputs[i] != -1) dup2(outputs[i], i + 1);
  restore_inherited(keeper->inherited);
  int error = execute(request->argv, request->environment);
  if (write(failure, &error, sizeof error) < 0) _exit(127);
  _exit(127);
}

/** The pid of the command; -errno: it could not be started. */
static pid_t start_command(const struct request *request, pid_t node) {
  int outputs[2], ends[2];
  open_outputs(request, node, outputs);
  if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
  for (int i = 0; i < 2; i++)
    if ((ends[i] = move_up(ends[i])) == -1) return -errno;
  pid_t command = fork();
  if (command == 0) become_command(request, outputs, ends[1]);
  if (command < 0) return -errno;
  close(ends[1]);
  int error = 0;
  ssize_t got;
  do got = read(ends[0], &error, sizeof error);
  while (got < 0 && errno == EINTR);
  close(ends[0]);
  if (got != sizeof error) return command;
  waitpid(command, NULL, 0);
  return -error;
}

/* Handing on signals */

/** Who asks for a signal to be handed on. */
enum source { by_front, by_node, sources };

static struct handed {
  /** What was asked for and not sent yet. */
  bool is_waiting;
  struct message message;
  int64_t due_ms;
  /** How often the keeper got this signal itself, and the same has not been asked for yet; until when that counts. */
  int spared;
  int64_t spared_until_ms;
} handed[sources][65];

/** Between the first and the last process of a group, or of a systemd unit, that is sent a signal; and until Node has noticed it. */
enum { group_ms = 15, notice_ms = 3000 };

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void send_signal(pid_t command, const struct message *message) {
  if (!message->is_queued) {
    kill(command, message->value);
    return;
  }
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = message->value;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = (void *)(intptr_t)message->payload;
  syscall(SYS_rt_sigqueueinfo, command, message->value, &info);
}

/**
 * Signals are often sent to a whole process group: then the command has it already, and the front and Node, who got it too, ask in vain.
 * The keeper sits in that group as well, so its own copy tells. Real-time signals are counted, not merged, and sent at once.
 */
static void hand_on(pid_t command, enum source source, const struct message *message) {
  int number = message->value;
  if (number < 1 || number > 64) return;
  struct handed *one = &handed[source][number];
  if (number >= 32) send_signal(command, message);
  else if (one->spared > 0 && now_ms() < one->spared_until_ms) one->spared--;
  else {
    one->is_waiting = true;
    one->message = *message;
    one->due_ms = now_ms() + group_ms;
  }
}

/** Sends what is due. Returns for how long to wait for the next, in ms; -1: for nothing. */
static int send_due(pid_t command) {
  int64_t now = now_ms(), next = -1;
  for (int i = 0; i < sources * 65; i++) {
    struct handed *one = &handed[i / 65][i % 65];
    if (!one->is_waiting) continue;
    int64_t left = one->due_ms - now;
    if (left <= 0) {
      one->is_waiting = false;
      send_signal(command, &one->message);
    } else if (next == -1 || left < next) next = left;
  }
  return (int)next;
}

static void spare(struct handed *one) {
  if (one->is_waiting) {
    one->is_waiting = false;
    return;
  }
  int64_t now = now_ms();
  one->spared = now < one->spared_until_ms ? one->spared + 1 : 1;
  one->spared_until_ms = now + notice_ms;
}

static void note_own_signals(int signals) {
  struct signalfd_siginfo info;
  while (read(signals, &info, sizeof info) == sizeof info) {
    // What the terminal sends nobody asks to hand on.
    bool is_asked_for = info.ssi_signo < 32 && !(info.ssi_code == SI_KERNEL && (info.ssi_signo == SIGINT || info.ssi_signo == SIGQUIT));
    for (int source = 0; is_asked_for && source < sources; source++) spare(&handed[source][info.ssi_signo]);
  }
}

static void read_front(pid_t command) {
  struct message message;
  ssize_t got = recv(from_front, &message, sizeof message, 0);
  if (got == sizeof message && message.word == word_signal) hand_on(command, by_front, &message);
  if (got > 0) return;
  close(from_front);
  from_front = -1;
  // Whoever asked the kernel to end the command with its starter asked it of the front, which is in the command's place.
  if (keeper->inherited->death_signal != 0) kill(command, keeper->inherited->death_signal);
}

static void read_node(pid_t command) {
  uint32_t length;
  char *text = receive(&length);
  if (text == NULL) {
    close(from_node);
    from_node = -1;
    return;
  }
  struct message message = {.word = word_signal};
  if (length > 0 && text[length - 1] == '\0') message.value = atoi(text);
  free(text);
  hand_on(command, by_node, &message);
}

/** The command's wait status, and the kernel's account of it and of the children it had waited for. */
static int wait_for(pid_t command, int signals, struct rusage *used) {
  for (;;) {
    int status;
    if (wait4(command, &status, WNOHANG, used) == command) return status;
    struct pollfd fds[] = {{from_front, POLLIN, 0}, {from_node, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(fds, 3, send_due(command)) <= 0) continue;
    // First our own: they tell what need not be handed on.
    if (fds[2].revents != 0) note_own_signals(signals);
    if (fds[0].revents != 0) read_front(command);
    if (fds[1].revents != 0) read_node(command);
  }
}

/** Like the recorder: dying of the OOM killer in the command's place would lose how it ended. Only root may. */
static void avoid_oom_killer(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd == -1) return;
  if (write(fd, "-1000", 5) < 0) close(fd);
  else close(fd);
}

void keep(const struct keeper *given) {
  keeper = given;
  from_node = given->from_node;
  from_front = given->from_front;
  pid_t node = getppid();
  uint32_t length;
  char *text = receive(&length);
  struct request request;
  if (text != NULL && length == 0) {
    tell_front(word_alive, 0);
    text = receive(&length);
  }
  // Nothing to start: another subcommand, a wrong option, or Node is gone.
  if (text == NULL) _exit(0);
  if (!read_request(text, length, given->argc, given->argv, given->environment, &request)) {
    tell_node("failed", EINVAL);
    _exit(0);
  }
  pid_t command = start_command(&request, node);
  if (command < 0) {
    tell_front(word_failed, -command);
    tell_node("failed", -command);
    _exit(0);
  }
  tell_front(word_started, command);
  tell_node("started", command);
  avoid_oom_killer();
  int signals = signal_descriptor(~UINT64_C(0));
  // A pipe ends when its last holder has closed it: that must be the command.
  close_but(0, (int[]){from_node, from_front, signals}, 3);
  struct rusage used;
  int status = wait_for(command, signals, &used);
  tell_front(word_ended, status);
  // In KiB: more than an int of them has no machine.
  tell_node("peak", (int)used.ru_maxrss);
  tell_node("ended", status);
  _exit(0);
}
