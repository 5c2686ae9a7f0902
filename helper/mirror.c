#include "helper.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void end_like(int wait_status) {
  if (!WIFSIGNALED(wait_status)) _exit(WEXITSTATUS(wait_status));
  int number = WTERMSIG(wait_status);
  // Our own death must neither overwrite the command's core nor be a second one for whoever collects cores.
  if (!WCOREDUMP(wait_status) || !prepare_core()) prctl(PR_SET_DUMPABLE, 0);
  reset_action(number);
  kill(getpid(), number);
  set_mask(mask_now() & ~MASK_BIT(number));
  // The first process of a container is spared by signals: as a shell reports it.
  _exit(128 + number);
}
