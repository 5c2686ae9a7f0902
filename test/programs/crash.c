/* crash N: ten crashes that are not memory */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int down(int n) {
  char block[4096];
  memset(block, n, sizeof block);
  return down(n + 1) + block[5];
}
struct node { struct node *next; int value; };

int main(int argc, char **argv) {
  int which = argc > 1 ? atoi(argv[1]) : 0;
  if (which == 0) { struct node *n = calloc(1, sizeof *n); n->next->value = 1; }        /* NULL, a plain bug */
  if (which == 1) { volatile int *p = (int *)0xdeadbeef; *p = 1; }                       /* wild pointer */
  if (which == 2) return down(0);                                                        /* stack overflow */
  if (which == 3) { char *s = "const"; s[0] = 'x'; }                                     /* read-only data */
  if (which == 4) { char *p = malloc(100); free(p); free(p); }                           /* double free: abort */
  if (which == 5) { char *p = malloc(100); memset(p, 0, 1 << 20); }                      /* heap overflow */
  if (which == 6) { volatile char *p = (char *)0x4141414141414141; *p = 1; }             /* general protection */
  if (which == 7) { void (*f)(void) = 0; f(); }                                          /* call of NULL */
  if (which == 8) { char *p = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); *p = 1; }
  if (which == 9) raise(SIGSEGV);
  return 0;
}
