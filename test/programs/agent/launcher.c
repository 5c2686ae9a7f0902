/* Starts a program: `launcher HOW PROGRAM WORD`. With `remove-HOW` it removes the file that WORD names before. */
#include <string.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char *argv[]) {
  if (argc < 3) return 2;
  const char *how = argv[1], *program = argv[2];
  const char *word = argc > 3 ? argv[3] : NULL;
  if (!strncmp(how, "remove-", 7)) {
    how += 7;
    if (!word || unlink(word)) return 4;
  }
  if (!strcmp(how, "execv")) execv(program, argv + 2);
  if (!strcmp(how, "execvp")) execvp(program, argv + 2);
  if (!strcmp(how, "execve")) execve(program, argv + 2, environ);
  if (!strcmp(how, "execl")) execl(program, program, word, (char *)NULL);
  if (!strcmp(how, "execlp")) execlp(program, program, word, (char *)NULL);
  if (!strcmp(how, "execle")) execle(program, program, word, (char *)NULL, environ);
  return 3;
}
