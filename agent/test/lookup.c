/* Lookups by name must answer what they answer without the agent: RTLD_NEXT and RTLD_DEFAULT depend on who asks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
static const char *module_of(void *address) {
  Dl_info info;
  if (!address || !dladdr(address, &info)) return "nowhere";
  const char *slash = info.dli_fname;
  for (const char *at = slash; *at; at++)
    if (*at == '/') slash = at + 1;
  return slash;
}
int main(void) {
  /* From the program, the next malloc is the first library's that has one: the agent's, where it is preloaded. */
  printf("next %s\n", module_of(dlsym(RTLD_NEXT, "malloc")));
  printf("default %s\n", module_of(dlsym(RTLD_DEFAULT, "malloc")));
  void *libc = dlopen("libc.so.6", RTLD_NOW);
  printf("handle %s\n", module_of(dlsym(libc, "malloc")));
  printf("other %s\n", module_of(dlsym(libc, "puts")));
  const char *missing = module_of(dlsym(libc, "no_such_function"));
  printf("missing %s %s\n", missing, dlerror() ? "error" : "no error");
  void *(*direct)(size_t) = (void *(*)(size_t))dlsym(libc, "malloc");
  void (*release)(void *) = (void (*)(void *))dlsym(libc, "free");
  void *block = direct(3000000);
  release(block);
  return block == NULL;
}
