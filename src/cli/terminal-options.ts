/** What a terminal can do, from the stream and the environment. */

export interface Terminal {
  readonly columns: number;
  readonly color: boolean;
  readonly unicode: boolean;
  readonly hyperlinks: boolean;
}

export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** `color: false` where `--no-color` was given. */
export function terminalOptions(
  stream: OutputStream,
  env: Readonly<Record<string, string | undefined>>,
  asked: { readonly color?: boolean } = {},
): Terminal {
  const isTerminal = stream.isTTY === true;
  const color = asked.color !== false && wantsColor(isTerminal, env);
  return {
    // A serial console has 0 columns: nobody told it a size.
    columns: stream.columns || Number(env['COLUMNS']) || 80,
    color,
    unicode: isUtf8(env),
    hyperlinks: color && isTerminal && hasHyperlinks(env),
  };
}

/** https://no-color.org: present and not empty means none. FORCE_COLOR is for CI logs, which are no terminals but show colour. */
function wantsColor(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (set(env['NO_COLOR'])) return false;
  if (set(env['FORCE_COLOR'])) return env['FORCE_COLOR'] !== '0';
  return isTerminal && env['TERM'] !== 'dumb';
}

const set = (value: string | undefined): value is string => value !== undefined && value !== '';

/** The first of LC_ALL, LC_CTYPE, LANG that is set decides (POSIX); none set is the C locale, ASCII. macOS terminals are UTF-8 anyway. */
function isUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find(set);
  if (locale === undefined) return set(env['TERM_PROGRAM']) || set(env['WT_SESSION']);
  return /utf-?8/i.test(locale);
}

/** There is no way to ask for OSC 8: terminals known to have it. VTE since 0.50. */
function hasHyperlinks(env: Readonly<Record<string, string | undefined>>): boolean {
  if (set(env['FORCE_HYPERLINK'])) return env['FORCE_HYPERLINK'] !== '0';
  if (set(env['CI'])) return false;
  return (
    Number(env['VTE_VERSION']) >= 5000 ||
    set(env['KITTY_WINDOW_ID']) ||
    set(env['WT_SESSION']) ||
    ['iTerm.app', 'WezTerm', 'vscode', 'ghostty', 'Hyper'].includes(env['TERM_PROGRAM'] ?? '') ||
    /^(?:xterm-kitty|xterm-ghostty|alacritty|foot)/.test(env['TERM'] ?? '')
  );
}
