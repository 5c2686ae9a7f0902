/**
 * As much of the Itanium C++ ABI's mangling (its chapter 5.1) and of Rust's legacy one as the names of functions and exceptions need.
 * Parameters are left out, templates kept short. What is not understood stays as it is.
 */

/** `std::bad_alloc` for `St9bad_alloc`, `a::b` for `N1a1bE`. Only classes: builtin types and pointers stay as they are. */
export function typeName(mangled: string): string {
  if (!/^[NSZ\d]/.test(mangled)) return mangled;
  return parsed(mangled, (reader) => reader.type(), true) ?? mangled;
}

/** `solver::load` for `_ZN6solver4loadEv`. */
export function functionName(symbol: string): string {
  if (!symbol.startsWith('_Z')) return symbol;
  const name = parsed(symbol.slice(2), (reader) => reader.functionName());
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

const longestSymbol = 2000;
const longestArguments = 48;
const deepest = 60;
/** Names double with each substitution of a substitution. */
const longestName = 4000;

/** The text cannot be read on: the one thing that is thrown in here, and caught by `parsed`. */
class NotUnderstood extends Error {}

function parsed(
  text: string,
  read: (reader: ReturnType<typeof readerOf>) => string,
  whole = false,
): string | null {
  if (text.length > longestSymbol) return null;
  const reader = readerOf(text);
  try {
    const name = read(reader);
    return whole && !reader.atEnd() ? null : name;
  } catch (error) {
    if (error instanceof NotUnderstood) return null;
    throw error;
  }
}

const builtin: Readonly<Record<string, string>> = {
  v: 'void',
  w: 'wchar_t',
  b: 'bool',
  c: 'char',
  a: 'signed char',
  h: 'unsigned char',
  s: 'short',
  t: 'unsigned short',
  i: 'int',
  j: 'unsigned int',
  l: 'long',
  m: 'unsigned long',
  x: 'long long',
  y: 'unsigned long long',
  n: '__int128',
  o: 'unsigned __int128',
  f: 'float',
  d: 'double',
  e: 'long double',
  g: '__float128',
  z: '...',
  Dn: 'std::nullptr_t',
  Di: 'char32_t',
  Ds: 'char16_t',
  Du: 'char8_t',
  Da: 'auto',
  Dc: 'decltype(auto)',
};
const known: Readonly<Record<string, string>> = {
  t: 'std',
  a: 'std::allocator',
  b: 'std::basic_string',
  s: 'std::string',
  i: 'std::istream',
  o: 'std::ostream',
  d: 'std::iostream',
};
const operators: Readonly<Record<string, string>> = {
  nw: ' new',
  na: ' new[]',
  dl: ' delete',
  da: ' delete[]',
  aw: ' co_await',
  ps: '+',
  ng: '-',
  ad: '&',
  de: '*',
  co: '~',
  pl: '+',
  mi: '-',
  ml: '*',
  dv: '/',
  rm: '%',
  an: '&',
  or: '|',
  eo: '^',
  aS: '=',
  pL: '+=',
  mI: '-=',
  mL: '*=',
  dV: '/=',
  rM: '%=',
  aN: '&=',
  oR: '|=',
  eO: '^=',
  ls: '<<',
  rs: '>>',
  lS: '<<=',
  rS: '>>=',
  eq: '==',
  ne: '!=',
  lt: '<',
  gt: '>',
  le: '<=',
  ge: '>=',
  ss: '<=>',
  nt: '!',
  aa: '&&',
  oo: '||',
  pp: '++',
  mm: '--',
  cm: ',',
  pm: '->*',
  pt: '->',
  cl: '()',
  ix: '[]',
};
/** Default arguments of the standard containers, which nobody writes. */
const usual = /^std::(?:allocator|char_traits|less|equal_to|hash|default_delete)</;
/** Inline namespaces of libstdc++ and libc++. */
const inline = new Set(['__cxx11', '__1', '__ndk1', '_V2']);

function readerOf(text: string) {
  let at = 0;
  let depth = 0;
  /** What `S_`, `S0_`, … stand for. */
  const seen: string[] = [];
  /** What `T_`, `T0_`, … stand for: the arguments of the template that was read last. */
  let given: readonly string[] = [];

  const fail = (): never => {
    throw new NotUnderstood();
  };
  const starts = (what: string) => text.startsWith(what, at);
  const take = (what: string) => {
    if (!starts(what)) return false;
    at += what.length;
    return true;
  };
  const must = (what: string) => {
    if (!take(what)) fail();
  };
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? null;
    if (found !== null) at += found.length;
    return found;
  };
  const remember = (name: string): string => {
    if (name.length > longestName || seen.length > 500) fail();
    seen.push(name);
    return name;
  };
  const deeper = <Result>(read: () => Result): Result => {
    if ((depth += 1) > deepest) fail();
    const result = read();
    depth -= 1;
    return result;
  };
  const joined = (scope: string, name: string) =>
    scope === '' ? name : name === '' ? scope : `${scope}::${name}`;
  /** The last part of a name, for constructors: `vector` of `std::vector<int>`. */
  const lastPart = (name: string) => {
    let angles = 0;
    let end = name.length;
    for (let i = name.length - 1; i >= 0; i -= 1) {
      if (name[i] === '>') angles += 1;
      else if (name[i] === '<') {
        angles -= 1;
        if (angles === 0) end = i;
      } else if (angles === 0 && name[i] === ':') return name.slice(i + 1, end);
    }
    return name.slice(0, end);
  };

  const sourceName = (): string => {
    const digits = match(/\d{1,4}/y);
    if (digits === null) return fail();
    const name = text.slice(at, at + Number(digits));
    if (name.length < Number(digits) || name === '') fail();
    at += name.length;
    if (name.startsWith('_GLOBAL__N')) return '(anonymous namespace)';
    return inline.has(name) ? '' : name;
  };
  const abiTags = () => {
    while (take('B')) sourceName();
  };
  const unqualified = (): string => {
    take('L');
    let name: string;
    if (/\d/.test(text[at] ?? '')) name = sourceName();
    else if (take('Ul')) {
      while (!take('E')) type();
      match(/\d*/y);
      must('_');
      name = '{lambda}';
    } else if (take('Ut')) {
      match(/\d*/y);
      must('_');
      name = '{unnamed}';
    } else if (take('cv')) name = `operator ${type()}`;
    else if (take('li')) name = `operator""${sourceName()}`;
    else {
      const operator = operators[text.slice(at, at + 2)];
      if (operator === undefined) return fail();
      at += 2;
      name = `operator${operator}`;
    }
    abiTags();
    return name;
  };

  const substitution = (): string => {
    must('S');
    const word = known[text[at] ?? ''];
    if (word !== undefined) {
      at += 1;
      abiTags();
      return word;
    }
    const index = match(/[\dA-Z]{0,3}_/y);
    if (index === null) return fail();
    const number = index === '_' ? 0 : Number.parseInt(index.slice(0, -1), 36) + 1;
    return seen[number] ?? fail();
  };
  const templateParameter = (): string => {
    must('T');
    const index = match(/\d{0,3}_/y);
    if (index === null) return fail();
    return given[index === '_' ? 0 : Number(index.slice(0, -1)) + 1] ?? 'T';
  };

  const templateArgument = (): readonly string[] =>
    deeper(() => {
      if (take('L')) {
        if (take('_Z')) {
          const name = functionNameHere();
          if (!starts('E')) parameters();
          must('E');
          return [`&${name}`];
        }
        const of = type();
        const value = match(/n?[\da-zA-Z]*?(?=E)/y) ?? fail();
        must('E');
        return [of === 'bool' ? (value === '1' ? 'true' : 'false') : value.replace(/^n/, '-')];
      }
      if (take('J')) {
        const pack: string[] = [];
        while (!take('E')) pack.push(...templateArgument());
        return pack;
      }
      return [type()];
    });
  const templateArguments = (): string => {
    must('I');
    const list: string[] = [];
    while (!take('E')) list.push(...templateArgument());
    given = list;
    const shown = list.filter((argument) => !usual.test(argument)).join(', ');
    return shown.length > longestArguments ? '<…>' : `<${shown}>`;
  };
  /** `std::string` is a template with three arguments. */
  const withArguments = (name: string): string => {
    const shown = templateArguments();
    return name === 'std::basic_string' && shown === '<char>' ? 'std::string' : name + shown;
  };

  const nestedName = (): string => {
    must('N');
    match(/[rVK]*[RO]?/y);
    let name = '';
    while (!take('E')) {
      if (starts('St')) {
        at += 2;
        name = 'std';
        continue;
      }
      if (starts('S')) {
        name = substitution();
        continue;
      }
      if (starts('T')) name = templateParameter();
      else if (starts('I')) name = withArguments(name);
      else if (match(/C[1-5]/y) !== null) {
        name = joined(name, lastPart(name));
        abiTags();
      } else if (match(/D[0-5]/y) !== null) {
        name = joined(name, `~${lastPart(name)}`);
        abiTags();
      } else name = joined(name, unqualified());
      // The last part makes the whole, which is remembered where it is a type.
      if (!starts('E')) remember(name);
    }
    return name;
  };
  /** A function's, and what is in it: a static variable, a lambda. */
  const localName = (): string => {
    must('Z');
    const outer = functionNameHere();
    if (!starts('E')) parameters();
    must('E');
    if (take('s')) {
      discriminator();
      return outer;
    }
    if (match(/d\d*_/y) !== null || starts('N') || !starts('E')) {
      const name = joined(outer, nameHere());
      discriminator();
      return name;
    }
    return fail();
  };
  const discriminator = () => {
    match(/__\d+_|_\d/y);
  };
  const nameHere = (): string =>
    deeper(() => {
      if (starts('N')) return nestedName();
      if (starts('Z')) return localName();
      let name: string;
      if (starts('St')) {
        at += 2;
        name = joined('std', unqualified());
      } else if (starts('S')) {
        name = substitution();
        return starts('I') ? withArguments(name) : name;
      } else name = unqualified();
      if (!starts('I')) return name;
      remember(name);
      return withArguments(name);
    });
  const parameters = () => {
    while (at < text.length && !starts('E')) type();
  };

  /** `<special-name>` or a function's name; what follows (its parameters) is left alone. */
  function functionNameHere(): string {
    const special = match(/T[VTIS]|GV/y);
    if (special !== null) {
      const what = { TV: 'vtable', TT: 'VTT', TI: 'typeinfo', TS: 'typeinfo name', GV: 'guard' };
      return `${what[special as keyof typeof what]} for ${special === 'GV' ? nameHere() : type()}`;
    }
    if (match(/Th?n?\d*_|Tv?n?\d*_n?\d*_/y) !== null) return functionNameHere();
    return nameHere();
  }

  function type(): string {
    return deeper(() => {
      const qualifiers = match(/[rVK]+/y);
      if (qualifiers !== null) {
        const name = type();
        return remember(
          `${name}${qualifiers.includes('K') ? ' const' : ''}${qualifiers.includes('V') ? ' volatile' : ''}`,
        );
      }
      if (take('P')) return remember(`${type()}*`);
      if (take('R')) return remember(`${type()}&`);
      if (take('O')) return remember(`${type()}&&`);
      if (take('Dp')) return type();
      if (take('F')) {
        take('Y');
        const result = type();
        const list: string[] = [];
        while (!take('E')) list.push(type());
        return remember(`${result} (${list.filter((one) => one !== 'void').join(', ')})`);
      }
      const array = match(/A\d*_/y);
      if (array !== null) return remember(`${type()} [${array.slice(1, -1)}]`);
      if (take('M')) {
        const owner = type();
        return remember(`${type()} ${owner}::*`);
      }
      const letters = text.slice(at, at + (starts('D') ? 2 : 1));
      const basic = builtin[letters];
      if (basic !== undefined) {
        at += letters.length;
        return basic;
      }
      if (starts('T')) {
        const name = remember(templateParameter());
        return starts('I') ? remember(withArguments(name)) : name;
      }
      if (starts('S') && !starts('St')) {
        const name = substitution();
        return starts('I') ? remember(withArguments(name)) : name;
      }
      return remember(nameHere());
    });
  }

  return { type, functionName: functionNameHere, atEnd: () => at === text.length };
}
