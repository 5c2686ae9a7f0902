#include "helper.h"

#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t mask_now(void) {
  uint64_t mask = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, sizeof mask);
  return mask;
}

void set_mask(uint64_t mask) {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

int signal_descriptor(uint64_t mask) {
  sigset_t set;
  memset(&set, 0, sizeof set);
  memcpy(&set, &mask, sizeof mask);
  return move_up(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

void reset_action(int number) {
  // The kernel's struct sigaction, larger than any; all zero is SIG_DFL with no flags.
  uint64_t none[8] = {0};
  syscall(SYS_rt_sigaction, number, none, NULL, sizeof(uint64_t));
}
