/*
 * The executable that is all of coroner in one file: this program, then the files of the package, then a tail.
 * Node, the agent and the worker of last looks must be files to be started, preloaded and loaded; so they are unpacked, once for each
 * content, into a folder that belongs to the user alone.
 */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "CORONER1";
/** The end of the file: how many bytes of entries lie before it, and the name of their content. */
struct tail {
  char magic[8];
  uint64_t length;
  char content[16];
};
/** Before each file: its path, a NUL at the end, and its bytes follow. */
struct entry {
  uint32_t path_length, mode;
  uint64_t length;
};

static _Noreturn void give_up(const char *what) {
  say("cannot unpack itself: %s: %s. XDG_CACHE_HOME names another folder", what, strerror(errno));
  _exit(73);
}

static bool read_whole(int fd, void *to, size_t length) {
  for (size_t got = 0; got < length;) {
    ssize_t now = read(fd, (char *)to + got, length - got);
    if (now <= 0) return false;
    got += (size_t)now;
  }
  return true;
}

static void make_folders_of(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(path, 0700) != 0 && errno != EEXIST) give_up(path);
    *slash = '/';
  }
}

static void unpack_entry(int from, const struct entry *entry, const char *folder) {
  char name[PATH_MAX / 2], path[PATH_MAX];
  if (entry->path_length >= sizeof name || !read_whole(from, name, entry->path_length)) give_up("the file is damaged");
  name[entry->path_length] = '\0';
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) give_up(folder);
  make_folders_of(path);
  int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, entry->mode & 0755);
  if (to < 0) give_up(path);
  for (uint64_t left = entry->length; left > 0;) {
    ssize_t now = sendfile(to, from, NULL, left > 1 << 30 ? 1 << 30 : left);
    if (now <= 0) give_up(path);
    left -= (uint64_t)now;
  }
  if (close(to) != 0) give_up(path);
}

/** Where it goes: XDG_CACHE_HOME, else ~/.cache, else a folder of the user's in /tmp. */
static void place_of(const struct tail *tail, char *folder, size_t size) {
  extern char **environ;
  const char *cache = variable(environ, "XDG_CACHE_HOME"), *home = variable(environ, "HOME");
  int length;
  if (cache != NULL && cache[0] == '/') length = snprintf(folder, size, "%s/coroner", cache);
  else if (home != NULL && home[0] == '/' && access(home, W_OK) == 0) length = snprintf(folder, size, "%s/.cache/coroner", home);
  else length = snprintf(folder, size, "/tmp/coroner-%u", (unsigned)geteuid());
  if (length >= (int)size - 64) {
    errno = ENAMETOOLONG;
    give_up("its cache");
  }
  snprintf(folder + length, size - (size_t)length, "/app-%.16s", tail->content);
}

/** Nobody else may have put it there. */
static bool is_ours(const char *folder) {
  struct stat stats;
  if (lstat(folder, &stats) != 0) return false;
  if (S_ISDIR(stats.st_mode) && stats.st_uid == geteuid() && (stats.st_mode & 022) == 0) return true;
  errno = EPERM;
  give_up(folder);
}

static void unpack(int from, const struct tail *tail, const char *folder) {
  char unfinished[PATH_MAX];
  if (snprintf(unfinished, sizeof unfinished, "%s.%d/", folder, getpid()) >= (int)sizeof unfinished) give_up(folder);
  make_folders_of(unfinished);
  for (uint64_t left = tail->length; left > 0;) {
    struct entry entry;
    if (left < sizeof entry || !read_whole(from, &entry, sizeof entry)) give_up("the file is damaged");
    unpack_entry(from, &entry, unfinished);
    left -= sizeof entry + entry.path_length + entry.length;
  }
  unfinished[strlen(unfinished) - 1] = '\0';
  // Another one that started at the same time may have been first: theirs is the same.
  if (rename(unfinished, folder) != 0 && !is_ours(folder)) give_up(folder);
}

bool unpack_single(char *self) {
  struct tail tail;
  int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (from < 0) return false;
  off_t end = lseek(from, -(off_t)sizeof tail, SEEK_END);
  if (end < 0 || !read_whole(from, &tail, sizeof tail) || memcmp(tail.magic, magic, sizeof magic) != 0) {
    close(from);
    return false;
  }
  char folder[PATH_MAX - 32];
  place_of(&tail, folder, sizeof folder);
  if (!is_ours(folder)) {
    if (lseek(from, end - (off_t)tail.length, SEEK_SET) < 0) give_up("the file is damaged");
    unpack(from, &tail, folder);
  }
  close(from);
  snprintf(self, PATH_MAX, "%s/bin/coroner", folder);
  return true;
}
