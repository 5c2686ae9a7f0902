/* Seen from outside: that the process restricts its own system calls, and that it makes children in its own memory. */
#include "sandbox.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

uint8_t sandboxed, vfork_seen;
static void *next_prctl, *next_syscall, *next_vfork;
static int (*next_clone)(int (*)(void *), void *, int, void *, ...);
__attribute__((visibility("hidden"), used)) long sandbox_failed(long error) {
  errno = (int)-error;
  return -1;
}

long syscall(long number, ...);
pid_t vfork(void);

/*
 * syscall() and vfork() may return twice from one frame, which C cannot. So these are what libc's are, with a look at the number, and
 * a note that it was called.
 */
#if defined(__x86_64__)
__asm__(".text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        "  cmpq $317, %rdi\n" /* seccomp */
        "  je 1f\n"
        "  cmpq $157, %rdi\n" /* prctl(PR_SET_SECCOMP) */
        "  jne 2f\n"
        "  cmpl $22, %esi\n"
        "  jne 3f\n"
        "1: movb $1, sandboxed(%rip)\n"
        "  jmp 3f\n"
        "2: cmpq $56, %rdi\n" /* clone */
        "  je 4f\n"
        "  cmpq $58, %rdi\n" /* vfork */
        "  je 4f\n"
        "  cmpq $435, %rdi\n" /* clone3 */
        "  jne 3f\n"
        "4: movb $1, vfork_seen(%rip)\n"
        "3: movq %rdi, %rax\n"
        "  movq %rsi, %rdi\n"
        "  movq %rdx, %rsi\n"
        "  movq %rcx, %rdx\n"
        "  movq %r8, %r10\n"
        "  movq %r9, %r8\n"
        "  movq 8(%rsp), %r9\n"
        "  syscall\n"
        "  cmpq $-4095, %rax\n"
        "  jae 5f\n"
        "  ret\n"
        "5: movq %rax, %rdi\n"
        "  jmp sandbox_failed\n"
        ".size syscall, .-syscall\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        "  movb $1, vfork_seen(%rip)\n"
        "  popq %rdi\n" /* the return address: the child's calls overwrite where it was */
        "  movl $58, %eax\n"
        "  syscall\n"
        "  pushq %rdi\n"
        "  cmpq $-4095, %rax\n"
        "  jae 4f\n"
        "  ret\n"
        "4: movq %rax, %rdi\n"
        "  jmp sandbox_failed\n"
        ".size vfork, .-vfork\n");
#define HAS_STUBS 1
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl syscall\n"
        ".type syscall, %function\n"
        "syscall:\n"
        "  mov x8, x0\n"
        "  cmp x0, #277\n" /* seccomp */
        "  b.eq 1f\n"
        "  cmp x0, #167\n" /* prctl(PR_SET_SECCOMP) */
        "  b.ne 2f\n"
        "  cmp w1, #22\n"
        "  b.ne 3f\n"
        "1: adrp x9, sandboxed\n"
        "  add x9, x9, :lo12:sandboxed\n"
        "  b 5f\n"
        "2: cmp x0, #220\n" /* clone */
        "  b.eq 4f\n"
        "  cmp x0, #435\n" /* clone3 */
        "  b.ne 3f\n"
        "4: adrp x9, vfork_seen\n"
        "  add x9, x9, :lo12:vfork_seen\n"
        "5: mov w10, #1\n"
        "  strb w10, [x9]\n"
        "3: mov x0, x1\n"
        "  mov x1, x2\n"
        "  mov x2, x3\n"
        "  mov x3, x4\n"
        "  mov x4, x5\n"
        "  mov x5, x6\n"
        "  svc #0\n"
        "  cmn x0, #4095\n"
        "  b.cs 6f\n"
        "  ret\n"
        "6: b sandbox_failed\n"
        ".size syscall, .-syscall\n"
        ".globl vfork\n"
        ".type vfork, %function\n"
        "vfork:\n"
        "  adrp x9, vfork_seen\n"
        "  add x9, x9, :lo12:vfork_seen\n"
        "  mov w10, #1\n"
        "  strb w10, [x9]\n"
        "  mov x0, #0x4111\n" /* CLONE_VM | CLONE_VFORK | SIGCHLD */
        "  mov x1, #0\n"
        "  mov x8, #220\n" /* clone */
        "  svc #0\n"
        "  cmn x0, #4095\n"
        "  b.cs 4f\n"
        "  ret\n"
        "4: b sandbox_failed\n"
        ".size vfork, .-vfork\n");
#define HAS_STUBS 1
#else
#define HAS_STUBS 0
#endif

EXPORT int prctl(int option, ...) {
  unsigned long more[4];
  va_list list;
  va_start(list, option);
  for (int i = 0; i < 4; i++) more[i] = va_arg(list, unsigned long);
  va_end(list);
  /* Before the call: after it there is no way back. */
  if (option == PR_SET_SECCOMP) sandboxed = 1;
  return (int)syscall(SYS_prctl, (long)option, more[0], more[1], more[2], more[3]);
}

EXPORT int clone(int (*begin)(void *), void *stack, int flags, void *argument, ...) {
  void *more[3];
  va_list list;
  va_start(list, argument);
  for (int i = 0; i < 3; i++) more[i] = va_arg(list, void *);
  va_end(list);
  if (!next_clone) *(void **)&next_clone = dlsym(RTLD_NEXT, "clone");
  if (!next_clone) return errno = ENOSYS, -1;
  if (flags & CLONE_VM) vfork_seen = 1;
  return next_clone(begin, stack, flags, argument, more[0], more[1], more[2]);
}

void *sandbox_hook_for(void *found) {
  if (found == next_prctl) return (void *)prctl;
#if HAS_STUBS
  if (found == next_syscall) return (void *)syscall;
  if (found == next_vfork) return (void *)vfork;
#endif
  return NULL;
}

void sandbox_start(void) {
  next_prctl = dlsym(RTLD_NEXT, "prctl");
  next_syscall = dlsym(RTLD_NEXT, "syscall");
  next_vfork = dlsym(RTLD_NEXT, "vfork");
}
