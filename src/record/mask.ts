/**
 * Masks what looks like a secret in a command line before it is written down. Names decide, not values: `--password x`, `TOKEN=x` and
 * `scheme://user:secret@host` are masked. `-p x` is not: it is a port as often.
 */
const secretName =
  /(?:^|[-_.])(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|auth(?:orization)?|credentials?|cookie)s?$/i;
const masked = '***';

export function maskSecrets(words: readonly string[]): readonly string[] {
  let maskNext = false;
  return words.map((word) => {
    if (maskNext) {
      maskNext = false;
      if (!word.startsWith('-')) return masked;
    }
    const assignment = /^(-{0,2}[A-Za-z][\w.-]*)=(.*)$/s.exec(word);
    if (assignment?.[1] !== undefined && secretName.test(assignment[1]))
      return `${assignment[1]}=${masked}`;
    if (/^--?[A-Za-z][\w.-]*$/.test(word) && secretName.test(word)) {
      maskNext = true;
      return word;
    }
    return word.replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]+:)[^\s@/]+@/gi, `$1${masked}@`);
  });
}
