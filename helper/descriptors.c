#include "helper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int move_up(int fd) {
  if (fd < 0) return -1;
  int up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  close(fd);
  return up;
}

static int close_range_from(unsigned int first, unsigned int last) {
#ifdef SYS_close_range
  return (int)syscall(SYS_close_range, first, last, 0);
#else
  (void)first, (void)last;
  errno = ENOSYS;
  return -1;
#endif
}

static bool is_kept(int fd, const int *kept, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (kept[i] == fd) return true;
  return false;
}

/** Before Linux 5.9: what /proc lists, else every number there may be. */
static void close_one_by_one(int first, const int *kept, size_t count) {
  DIR *folder = opendir("/proc/self/fd");
  if (folder != NULL) {
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
      int fd = atoi(entry->d_name);
      if (entry->d_name[0] != '.' && fd >= first && fd != dirfd(folder) && !is_kept(fd, kept, count)) close(fd);
    }
    closedir(folder);
    return;
  }
  long most = sysconf(_SC_OPEN_MAX);
  for (int fd = first; fd < most; fd++)
    if (!is_kept(fd, kept, count)) close(fd);
}

void close_but(int first, const int *kept, size_t count) {
  for (int from = first;;) {
    int next = -1;
    for (size_t i = 0; i < count; i++)
      if (kept[i] >= from && (next == -1 || kept[i] < next)) next = kept[i];
    if (next != from && close_range_from((unsigned int)from, next == -1 ? ~0U : (unsigned int)next - 1) != 0) {
      close_one_by_one(from, kept, count);
      return;
    }
    if (next == -1) return;
    from = next + 1;
  }
}

void say(const char *format, ...) {
  char line[1024] = "coroner: ";
  size_t used = strlen(line);
  va_list words;
  va_start(words, format);
  int length = vsnprintf(line + used, sizeof line - used - 1, format, words);
  va_end(words);
  if (length < 0) return;
  used += (size_t)length < sizeof line - used - 1 ? (size_t)length : sizeof line - used - 2;
  // A name from outside must not steer the terminal.
  for (size_t i = 0; i < used; i++)
    if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) line[i] = '?';
  line[used++] = '\n';
  if (write(2, line, used) < 0) return;
}
