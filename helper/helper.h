/*
 * The helper: what has to happen before Node starts, and after it is gone.
 *
 * Node changes what it inherits before any JavaScript runs (descriptors, closed stdio, ignored signals, limits), so what it starts
 * inherits another world than the one coroner was started in. Hence three processes, of which two are this small program:
 *
 *   front   the process that the user started. It starts Node, waits, and ends as the command ended. (front.c, supervise.c)
 *   Node    the recorder. It may fail or be killed; the command and its status do not depend on it.
 *   keeper  forked before Node was, so that it has the world as it was. It starts the command when Node asks for it, and is its parent,
 *           because Node cannot hand on a wait status. It is Node's child: under Yama's ptrace_scope 1 only ancestors may look. (keeper.c)
 */
#ifndef CORONER_HELPER_H
#define CORONER_HELPER_H

#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/** What of the inherited state the helper or Node changes, as it was. (inherit.c) */
struct inherited {
  uint64_t mask;
  bool ignores_child_signal;
  /** PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER: they outlive an exec, but a fork clears them. */
  int death_signal;
  int is_subreaper;
  /** Status flags (O_NONBLOCK, ...) of descriptors 0 to 2; -1: it was closed. Node makes pipes non-blocking for all who share them. */
  int stdio_flags[3];
  struct rlimit limits[RLIM_NLIMITS];
};

/** Masks as the kernel has them, bit N-1 for signal N: a C library hides the signals that it keeps for itself. (masks.c) */
uint64_t mask_now(void);
void set_mask(uint64_t mask);
#define MASK_BIT(number) (UINT64_C(1) << ((number) - 1))
/** A descriptor to read signals from; -1: none is left. */
int signal_descriptor(uint64_t mask);
/** The default action, also for the signals that a C library keeps for itself. */
void reset_action(int number);

void note_inherited(struct inherited *inherited);
/** Raises the soft limits of this process that Node or the helper could fail at, as far as the hard ones allow. */
void widen_limits(const struct inherited *inherited);
/** All but descriptors and status flags of stdio: the last thing before an exec. */
void restore_inherited(const struct inherited *inherited);
void restore_stdio_flags(const struct inherited *inherited);

/** Where the command stands in the words of `coroner run ...`; -1: there is none. (options.c) */
int command_index(int argc, char *const argv[]);

/** Starts a program as execvp does, along the PATH of `environment`. Returns the errno of its failure. (exec.c) */
int execute(char *const argv[], char *const environment[]);
/** The value of a variable; NULL: it is not there. */
const char *variable(char *const environment[], const char *name);
/** Writes to `out` (PATH_MAX bytes) where a program is found along PATH. */
bool find_program(const char *name, char *const environment[], char *out);

/**
 * Where the whole package lies behind this program (`npm run package`): unpacks it, once, into the user's cache, and writes to `self`
 * (PATH_MAX bytes) where its bin/coroner is. false: nothing lies behind it. Ends the process where there is no room. (single.c)
 */
bool unpack_single(char *self);

/** What Node asks for. (request.c) */
struct request {
  /** The descriptors in Node that become 1 and 2; -1: what was inherited. */
  int output[2];
  char **argv;
  char **environment;
};
/** Reads what Node sent: `length` bytes of words, each ending in NUL. false: it is not understood. The words stay in `text`. */
bool read_request(char *text, size_t length, int argc, char *const argv[], char *const environment[], struct request *request);

/** What the keeper tells the front, and the front the keeper. alive: Node has begun to run coroner. */
enum word { word_alive, word_started, word_failed, word_ended, word_signal };
struct message {
  int32_t word;
  /** started: pid; failed: errno; ended: wait status; signal: its number. */
  int32_t value;
  /** signal: as sigqueue(3) sent it. */
  int32_t is_queued;
  int64_t payload;
};

struct keeper {
  const struct inherited *inherited;
  int argc;
  char *const *argv;
  char *const *environment;
  int from_node;
  int from_front;
};
_Noreturn void keep(const struct keeper *keeper);

/** What Node is started with. */
struct recorder {
  const char *node;
  const char *main;
  /** The words after `coroner`. */
  int argc;
  char *const *argv;
  char *const *environment;
};
_Noreturn void supervise(const struct recorder *recorder);
/** Node in our place: whatever cannot be supervised. */
_Noreturn void become_node(const struct recorder *recorder);

/** Ends this process as another one ended. (mirror.c) */
_Noreturn void end_like(int wait_status);
/** Prepares this process to die with a core that nobody keeps, as a wait status tells whether there was one. (core.c) */
bool prepare_core(void);

/** What the terminal looks like: Node resets it when it ends, also what the command wanted to stay. (terminal.c) */
void note_terminal(void);
void restore_terminal(void);

/** A descriptor above stdio that an exec closes; closes `fd`. -1: there is none. (descriptors.c) */
int move_up(int fd);
/** Closes all descriptors from `first` on but those in `kept`, -1 among them being nothing. */
void close_but(int first, const int *kept, size_t count);
/** One line on stderr. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
