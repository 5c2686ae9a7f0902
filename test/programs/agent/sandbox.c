/*
 * Allocates in a sandbox of its own: sandbox strict|filter|syscall [fork]. The filter lets pass what malloc() needs and ends
 * the process for all else.
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(brk), ALLOW(mprotect), ALLOW(madvise), ALLOW(futex),
    ALLOW(write), ALLOW(exit), ALLOW(exit_group), ALLOW(rt_sigreturn),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
static struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

static void churn(size_t largest) {
  static char *blocks[400];
  for (unsigned i = 0; i < 40000; i++) {
    char **one = &blocks[i * 7919u % 400];
    size_t bytes = i * 104729u % largest + 1;
    if (i % 3) *one = realloc(*one, bytes);
    else free(*one), *one = malloc(bytes);
    if (!*one) _exit(3);
    **one = 1;
  }
  if (largest < 100000) return;
  if (malloc((size_t)1 << 60)) _exit(4);
  void *map = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(map, 8 << 20);
}

int main(int count, char **arguments) {
  const char *how = count > 1 ? arguments[1] : "";
  /* The first request of all asks for random numbers, and one this large is noted. */
  void *volatile first = malloc(4 << 20);
  free(first);
  first = malloc(5 << 20);
  if (count > 2) {
    pid_t child = fork();
    if (child) {
      int status;
      waitpid(child, &status, 0);
      if (status) raise(SIGKILL);
    }
  }
  if (!strcmp(how, "strict")) {
    /* Not even brk() is allowed: the heap is as large as it will be. */
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    first = malloc(30 << 20);
    free(first);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    churn(20000);
  } else {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!strcmp(how, "filter")) prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    else if (!strcmp(how, "syscall")) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    else return 2;
    churn(3000000);
  }
  if (write(1, "ok\n", 3) != 3) return 1;
  if (!strcmp(how, "strict")) syscall(SYS_exit, 0);
  exit(0);
}
