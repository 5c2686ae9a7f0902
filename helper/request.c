#include "helper.h"

#include <stdlib.h>
#include <string.h>

/*
 * What Node sends, words that end in NUL:
 *   stdout, stderr  numbers of descriptors in Node, or -1
 *   count           how many of coroner's last words are the command: taken as they were given, also where they are no UTF-8
 *   +NAME=VALUE     a variable that the command gets
 *   -NAME           one that it does not
 */

static char *next_word(char **at, const char *end) {
  char *word = *at;
  if (word >= end) return NULL;
  *at = word + strlen(word) + 1;
  return word;
}

static size_t count_of(char *const words[]) {
  size_t count = 0;
  while (words[count] != NULL) count++;
  return count;
}

static bool is_same_variable(const char *entry, const char *change) {
  size_t length = strcspn(change, "=");
  return strncmp(entry, change, length) == 0 && entry[length] == '=';
}

/** In the place of the old value, so that the order stays; a new variable comes last. */
static void change(char **environment, char *word) {
  size_t kept = 0;
  bool is_placed = word[0] == '-';
  for (size_t i = 0; environment[i] != NULL; i++) {
    if (!is_same_variable(environment[i], word + 1)) environment[kept++] = environment[i];
    else if (!is_placed) {
      environment[kept++] = word + 1;
      is_placed = true;
    }
  }
  if (!is_placed) environment[kept++] = word + 1;
  environment[kept] = NULL;
}

bool read_request(char *text, size_t length, int argc, char *const argv[], char *const environment[], struct request *request) {
  if (length == 0 || text[length - 1] != '\0') return false;
  char *at = text;
  const char *end = text + length;
  char *output[2] = {next_word(&at, end), next_word(&at, end)};
  char *count = next_word(&at, end);
  if (count == NULL) return false;
  for (int i = 0; i < 2; i++) request->output[i] = atoi(output[i]);
  int words = atoi(count);
  if (words < 1 || words > argc) return false;
  request->argv = (char **)argv + argc - words;
  // Each word adds one variable at most.
  size_t most = count_of(environment) + 1;
  for (char *seek = at; next_word(&seek, end) != NULL;) most++;
  request->environment = calloc(most, sizeof *request->environment);
  if (request->environment == NULL) return false;
  memcpy(request->environment, environment, count_of(environment) * sizeof *environment);
  for (char *word; (word = next_word(&at, end)) != NULL;) {
    if (word[0] != '+' && word[0] != '-') return false;
    change(request->environment, word);
  }
  return true;
}
