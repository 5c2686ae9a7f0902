/**
 * As much of the Itanium C++ ABI's mangling (its chapter 5.1) and of Rust's legacy one as the names of functions and exceptions need.
 * Parameters are left out, templates kept short. What is not understood stays as it is.
 */

import { functionOrSpecialName, type } from './grammar.ts';
import { NotUnderstood, Reader } from './reader.ts';

const longestSymbol = 2000;

/** `std::bad_alloc` for `St9bad_alloc`, `a::b` for `N1a1bE`. Only classes: builtin types and pointers stay as they are. */
export function typeName(mangled: string): string {
  if (!/^[NSZ\d]/.test(mangled)) return mangled;
  return parsed(mangled, type, true) ?? mangled;
}

/** `solver::load` for `_ZN6solver4loadEv`. */
export function functionName(symbol: string): string {
  if (!symbol.startsWith('_Z')) return symbol;
  const name = parsed(symbol.slice(2), functionOrSpecialName);
  if (name === null) return symbol;
  // Rust's legacy mangling ends with a hash and writes `<` as `$LT$`.
  return name
    .replace(/::h[0-9a-f]{16}$/, '')
    .replaceAll('$LT$', '<')
    .replaceAll('$GT$', '>')
    .replaceAll('$u20$', ' ')
    .replaceAll('..', '::');
}

/** Functions of the languages' own libraries: containers, allocators, panics. */
export const isLibraryFunction = (symbol: string): boolean =>
  /^_ZN?K?(?:St|9__gnu_cxx)|^_ZN(?:3std|4core|5alloc)(?!4main17h)|^_R\w*?Cs\w+?_(?:3std|4core|5alloc|7___rustc)|^_?_?rust_|^__cxa_/.test(
    symbol,
  );

/** null: not understood, or (where it should be read `whole`) not to its end. */
function parsed(text: string, read: (reader: Reader) => string, whole = false): string | null {
  if (text.length > longestSymbol) return null;
  const reader = new Reader(text);
  try {
    const name = read(reader);
    return whole && !reader.atEnd() ? null : name;
  } catch (error) {
    if (error instanceof NotUnderstood) return null;
    throw error;
  }
}
