/**
 * The one place where text from outside (process names, command lines, tracebacks, file names) is made harmless
 * for a terminal. What is dangerous stays visible as an escape (`\x1b`, `\u202e`), so that nothing is hidden either.
 */

/**
 * C0 and C1 controls; soft hyphen; bidi marks, embeddings, overrides and isolates (the "Trojan Source" characters);
 * zero-width space, word joiners and byte order mark; line and paragraph separator; interlinear annotation; tag characters;
 * lone surrogates. ZWJ and ZWNJ stay: scripts and emoji need them.
 */
const dangerous =
  // oxlint-disable-next-line no-control-regex -- controls are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]/gu;

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': ' ' };

const escaped = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\u{${code.toString(16)}}`;
};

/** One line, without anything that moves the cursor, changes colours, hides or reorders text. */
export const safeText = (text: string): string =>
  text.replace(dangerous, (character) => named[character] ?? escaped(character));

const plain: Readonly<Record<string, string>> = {
  '…': '...',
  '→': '->',
  '←': '<-',
  '≥': '>=',
  '≤': '<=',
  '×': 'x',
  '·': '*',
  '•': '*',
  '–': '-',
  '—': '-',
  '−': '-',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '„': '"',
  '«': '"',
  '»': '"',
  '\u00a0': ' ',
  '\u202f': ' ',
};

/** For terminals whose locale is not UTF-8: our own signs in ASCII, everything else as a visible escape. */
export const asciiText = (text: string): string =>
  text.replace(/[^ -~]/gu, (character) => plain[character] ?? escaped(character));

/** The first `length` characters, with an ellipsis where something was cut off. Never cuts a character in two. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  // A character is one or two code units: this many units hold the characters wanted, and one more.
  const characters = Array.from(text.slice(0, 2 * length + 2));
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

/**
 * A copy of a value of the report whose every string is harmless; `ascii`: and in ASCII. Line ends inside of strings stay,
 * the layout splits at them or shows them as `\\n`.
 */
export function safeCopy<T>(value: T, ascii: boolean, mostCharacters = Infinity): T {
  const clean = (text: string): string =>
    shortened(text, mostCharacters)
      .split('\n')
      .map((line) => (ascii ? asciiText(safeText(line)) : safeText(line)))
      .join('\n');
  const copy = (part: unknown): unknown => {
    if (typeof part === 'string') return clean(part);
    if (Array.isArray(part)) return part.map(copy);
    if (typeof part === 'object' && part !== null)
      return Object.fromEntries(
        Object.entries(part).map(([key, inner]) => [
          key,
          // A command that was cut is worse than a long one.
          key === 'command' && typeof inner === 'string' ? safeCopy(inner, ascii) : copy(inner),
        ]),
      );
    return part;
  };
  return copy(value) as T;
}
