#include "helper.h"

#include <termios.h>
#include <unistd.h>

static struct termios noted;
static int terminal = -1;

void note_terminal(void) {
  for (int fd = 0; fd < 3; fd++)
    if (isatty(fd) && tcgetattr(fd, &noted) == 0) {
      terminal = fd;
      return;
    }
}

void restore_terminal(void) {
  if (terminal == -1) return;
  // A job in the background would be stopped for it.
  set_mask(mask_now() | MASK_BIT(SIGTTOU));
  tcsetattr(terminal, TCSANOW, &noted);
}
