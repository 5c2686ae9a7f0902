#include "helper.h"

#include <string.h>

/** Options of `coroner run` whose value is a word of its own. test/helper/helper.test.ts compares them with `coroner run --help`. */
static const char *const valued[] = {
    "-o",      "--output", "--memory-limit", "--at-limit", "--sample-every", "--html",
    "--speedscope", "--pprof",  "--collapsed",    "--junit",    "--sarif",        "--source",
};
/** Those that take the next word unless it looks like an option. */
static const char *const optional[] = {
    "--json", "--termination-log",
};

static bool is_among(const char *word, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(word, list[i]) == 0) return true;
  return false;
}

int command_index(int argc, char *const argv[]) {
  for (int i = 0; i < argc; i++) {
    const char *word = argv[i];
    if (strcmp(word, "--") == 0) return i + 1 < argc ? i + 1 : -1;
    if (word[0] != '-' || word[1] == '\0') return i;
    // -qo DIR: the last letter of several.
    if (word[1] != '-' && strlen(word) > 2 && word[strlen(word) - 1] == 'o' && strchr(word, 'o') == word + strlen(word) - 1) i++;
    else if (is_among(word, valued, sizeof valued / sizeof *valued)) i++;
    else if (is_among(word, optional, sizeof optional / sizeof *optional) && i + 1 < argc && (argv[i + 1][0] != '-' || argv[i + 1][1] == '\0')) i++;
  }
  return -1;
}
