/** Commands as people know them: without the shell that only entered a cgroup or set a limit for them. */

const shells = /(?:^|\/)(?:ba|da|a|k|z)?sh$/;
/** The programs that `coroner rehearse` lets die, where they are installed or compiled. */
const rehearsed =
  /\/(?:rehearsal\/(?:assassination|disguised|livelock|obvious|slow)\.py|coroner-rehearsal-[^/]+\/naive_malloc)$/;

/** `python3 app.py`; `rehearsal: slow.py swap`. Words are joined by spaces, not quoted: to be read, not to be typed. */
export function commandLine(command: readonly string[]): string {
  const own = withoutShell(command);
  const at = own.findIndex((word) => rehearsed.test(word));
  if (at === -1) return own.join(' ');
  const words = own.slice(at).map((word) => (word.startsWith('/') ? baseName(word) : word));
  return `rehearsal: ${words.join(' ')}`;
}

/** `sh -c '… exec "$@"' NAME COMMAND…` is COMMAND. */
function withoutShell(command: readonly string[]): readonly string[] {
  const [shell = '', option, script = ''] = command;
  return shells.test(shell) &&
    option === '-c' &&
    /\bexec "\$@"\s*$/.test(script) &&
    command.length > 4
    ? command.slice(4)
    : command;
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
