#include "helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** The least for which the kernel writes one (ELF_EXEC_PAGESIZE); what is beyond is cut off. */
enum { least_core = 4096, largest_core = 65536 };

/** Whether cores go into the current folder: a program that collects them, or a folder for all, must not get a second one. */
static bool are_local(void) {
  char pattern[128] = "";
  int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
  if (fd == -1) return false;
  ssize_t length = read(fd, pattern, sizeof pattern - 1);
  close(fd);
  return length > 0 && pattern[0] != '|' && strchr(pattern, '/') == NULL;
}

/** Waits for the other end to be closed by its holder's death, and removes the folder that is the current one. */
static _Noreturn void clean_up(int end, const char *folder) {
  char nothing;
  while (read(end, &nothing, 1) > 0) continue;
  DIR *files = opendir(".");
  if (files != NULL)
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) unlink(entry->d_name);
  rmdir(folder);
  _exit(0);
}

bool prepare_core(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max < least_core || !are_local()) return false;
  char folder[] = "/tmp/coroner-core-XXXXXX";
  int ends[2];
  if (mkdtemp(folder) == NULL) return false;
  if (chdir(folder) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
    rmdir(folder);
    return false;
  }
  pid_t cleaner = fork();
  if (cleaner == 0) {
    close(ends[1]);
    clean_up(ends[0], folder);
  }
  if (cleaner < 0) {
    rmdir(folder);
    return false;
  }
  limit.rlim_cur = limit.rlim_max < largest_core ? limit.rlim_max : largest_core;
  return setrlimit(RLIMIT_CORE, &limit) == 0;
}
