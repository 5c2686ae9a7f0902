/* What is read from words: requests of Node (request.c), where the command stands (options.c), variables (exec.c). */
#include "../helper.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)) - 1)

static char *const arguments[] = {"run", "-q", "--", "ls", "-l", "\xff", NULL};
static char *const variables[] = {"A=1", "TWICE=1", "B=2", "odd", "TWICE=2", "=x", NULL};

/** `literal` with its last NUL is what Node sends. A copy of exactly that size, so that a sanitizer sees every byte read beyond. */
#define READ(literal, request) read_copy(literal, sizeof(literal), request)
static bool read_copy(const char *bytes, size_t length, struct request *request) {
  char *text = malloc(length);
  memcpy(text, bytes, length);
  *request = (struct request){0};
  bool is_read = read_request(text, length, COUNT(arguments), arguments, variables, request);
  if (!is_read) free(text);
  return is_read;
}

static void requests(void) {
  struct request request;
  assert(READ("-1\0" "7\0" "3", &request));
  assert(request.output[0] == -1 && request.output[1] == 7);
  assert(request.argv == (char **)arguments + 3 && strcmp(request.argv[0], "ls") == 0);
  for (int i = 0; variables[i] != NULL; i++) assert(request.environment[i] == variables[i]);
  assert(request.environment[COUNT(variables)] == NULL);

  assert(READ("-1\0" "-1\0" "1\0" "+A=one\0" "-B\0" "+NEW=\0" "-MISSING\0" "+TWICE=3", &request));
  const char *const expected[] = {"A=one", "TWICE=3", "odd", "=x", "NEW=", NULL};
  for (int i = 0; i <= COUNT(expected); i++)
    assert(expected[i] == NULL ? request.environment[i] == NULL : strcmp(request.environment[i], expected[i]) == 0);
}

static void broken_requests(void) {
  struct request request;
  assert(!read_copy("", 0, &request));
  assert(!READ("", &request));
  assert(!READ("1\0" "2", &request));
  assert(!READ("1\0" "2\0" "0", &request));
  assert(!READ("1\0" "2\0" "7", &request));
  assert(!READ("1\0" "2\0" "-3", &request));
  assert(!READ("1\0" "2\0" "1\0" "A=1", &request));
  assert(!read_copy("1\0" "2\0" "1\0" "+A=1", 10, &request));
}

#define INDEX(...) \
  command_index(COUNT(((char *const[]){__VA_ARGS__, NULL})), (char *const[]){__VA_ARGS__, NULL})
static void indexes(void) {
  assert(INDEX("ls") == 0);
  assert(INDEX("-q", "ls", "-o") == 1);
  assert(INDEX("--", "-q") == 1);
  assert(INDEX("-o", "dir", "ls") == 2);
  assert(INDEX("-qo", "dir", "ls") == 2);
  assert(INDEX("-odir", "ls") == 1);
  assert(INDEX("--output=dir", "ls") == 1);
  assert(INDEX("--json", "--", "ls") == 2);
  assert(INDEX("--json", "-", "ls") == 2);
  assert(INDEX("--json", "-q", "ls") == 2);
  assert(INDEX("--json", "r.json", "ls") == 2);
  assert(INDEX("-q") == -1);
  assert(INDEX("-o", "dir") == -1);
  assert(INDEX("--") == -1);
}

static void names(void) {
  assert(strcmp(variable(variables, "TWICE"), "1") == 0);
  assert(variable(variables, "odd") == NULL && variable(variables, "TWIC") == NULL);
  char place[4096];
  char *const path[] = {"PATH=/nowhere:/bin:/usr/bin", NULL};
  assert(find_program("sh", path, place) && strcmp(place, "/bin/sh") == 0);
  assert(!find_program("no-such-program", path, place));
}

int main(void) {
  requests();
  broken_requests();
  indexes();
  names();
  puts("ok");
  return 0;
}
