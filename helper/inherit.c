#include "helper.h"

#include <fcntl.h>
#include <sys/prctl.h>

void note_inherited(struct inherited *inherited) {
  inherited->mask = mask_now();
  struct sigaction action;
  inherited->ignores_child_signal = sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
  if (prctl(PR_GET_PDEATHSIG, &inherited->death_signal) != 0) inherited->death_signal = 0;
  if (prctl(PR_GET_CHILD_SUBREAPER, &inherited->is_subreaper) != 0) inherited->is_subreaper = 0;
  for (int fd = 0; fd < 3; fd++) inherited->stdio_flags[fd] = fcntl(fd, F_GETFL);
  for (int i = 0; i < (int)RLIM_NLIMITS; i++)
    if (getrlimit(i, &inherited->limits[i]) != 0)
      inherited->limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
}

static const int widened[] = {RLIMIT_AS, RLIMIT_DATA, RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_NPROC};

void widen_limits(const struct inherited *inherited) {
  for (size_t i = 0; i < sizeof widened / sizeof *widened; i++) {
    struct rlimit limit = inherited->limits[widened[i]];
    limit.rlim_cur = limit.rlim_max;
    setrlimit(widened[i], &limit);
  }
}

void restore_stdio_flags(const struct inherited *inherited) {
  for (int fd = 0; fd < 3; fd++)
    if (inherited->stdio_flags[fd] != -1) fcntl(fd, F_SETFL, inherited->stdio_flags[fd]);
}

void restore_inherited(const struct inherited *inherited) {
  for (size_t i = 0; i < sizeof widened / sizeof *widened; i++)
    setrlimit(widened[i], &inherited->limits[widened[i]]);
  if (inherited->ignores_child_signal) signal(SIGCHLD, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, inherited->is_subreaper);
  set_mask(inherited->mask);
}
