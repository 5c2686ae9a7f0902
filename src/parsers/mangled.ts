/**
 * As much of the Itanium C++ ABI's and Rust's legacy mangling as the names of functions and exceptions need:
 * nested names without templates. What is not understood stays as it is.
 */

/** `std::bad_alloc` for `St9bad_alloc`, `a::b` for `N1a1bE`. */
export function typeName(mangled: string): string {
  return nestedName(mangled)?.name ?? mangled;
}

/** `solver::load` for `_ZN6solver4loadEv`. */
export function functionName(symbol: string): string {
  if (!symbol.startsWith('_Z')) return symbol;
  const nested = nestedName(symbol.slice(2), false);
  if (nested === null) return symbol;
  // Rust's legacy mangling ends with a hash and writes `<` as `$LT$`.
  return nested.name
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

function nestedName(mangled: string, whole = true): { readonly name: string } | null {
  let rest = mangled;
  const parts: string[] = [];
  const nested = rest.startsWith('N');
  if (nested) rest = rest.replace(/^NK?/, '');
  if (rest.startsWith('St')) {
    parts.push('std');
    rest = rest.slice(2);
  }
  for (;;) {
    const digits = /^\d{1,3}/.exec(rest)?.[0];
    if (digits === undefined) break;
    const length = Number(digits);
    parts.push(rest.slice(digits.length, digits.length + length));
    rest = rest.slice(digits.length + length);
  }
  if (parts.length === 0) return null;
  if (nested ? !rest.startsWith('E') : false) return null;
  if (whole && rest !== (nested ? 'E' : '')) return null;
  return { name: parts.join('::') };
}
