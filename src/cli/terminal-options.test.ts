import { expect, test } from 'vitest';
import { terminalOptions } from './terminal-options.ts';

const terminal = { isTTY: true, columns: 100 };

test.each([
  ['a UTF-8 terminal', terminal, { LANG: 'en_GB.UTF-8' }, { color: true, unicode: true }],
  ['NO_COLOR', terminal, { LANG: 'C.utf8', NO_COLOR: '1' }, { color: false, unicode: true }],
  ['an empty NO_COLOR is none', terminal, { NO_COLOR: '' }, { color: true, unicode: false }],
  ['LC_ALL beats LANG', terminal, { LC_ALL: 'C', LANG: 'de_DE.UTF-8' }, { unicode: false }],
  ['latin-1', terminal, { LANG: 'de_DE.ISO-8859-1' }, { unicode: false }],
  ['a pipe', {}, { LANG: 'C.UTF-8' }, { color: false, columns: 80, hyperlinks: false }],
  ['a serial console', { isTTY: true, columns: 0 }, {}, { columns: 80 }],
  ['a pipe with FORCE_COLOR', {}, { FORCE_COLOR: '1' }, { color: true, hyperlinks: false }],
  ['dumb', terminal, { TERM: 'dumb' }, { color: false }],
  ['old VTE', terminal, { VTE_VERSION: '4402' }, { hyperlinks: false }],
  ['VTE', terminal, { VTE_VERSION: '7200' }, { hyperlinks: true }],
])('%s', (_name, stream, env, expected) => {
  expect(terminalOptions(stream, env)).toMatchObject(expected);
});

test('--no-color beats all', () => {
  expect(terminalOptions(terminal, { FORCE_COLOR: '1' }, { color: false }).color).toBe(false);
});
