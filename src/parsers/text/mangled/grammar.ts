/** The productions of the mangling, one function each: it reads its part and gives the text that people write for it. */
import type { Reader } from './reader.ts';
import {
  abbreviations,
  builtinTypes,
  inlineNamespaces,
  operators,
  usualArgument,
} from './vocabulary.ts';

const longestArguments = 48;

const specialNames: Readonly<Record<string, string>> = {
  TV: 'vtable',
  TT: 'VTT',
  TI: 'typeinfo',
  TS: 'typeinfo name',
  GV: 'guard',
};

/** `<special-name>` or a function's name; what follows (its parameters) is left alone. */
export function functionOrSpecialName(reader: Reader): string {
  const special = reader.match(/T[VTIS]|GV/y);
  if (special !== null)
    return `${specialNames[special]} for ${special === 'GV' ? anyName(reader) : type(reader)}`;
  // A thunk is named after the function that it calls.
  if (reader.match(/Th?n?\d*_|Tv?n?\d*_n?\d*_/y) !== null) return functionOrSpecialName(reader);
  return anyName(reader);
}

/** `<type>` */
export function type(reader: Reader): string {
  return reader.deeper(typeHere);
}

function typeHere(reader: Reader): string {
  const qualifiers = reader.match(/[rVK]+/y);
  if (qualifiers !== null) {
    const name = type(reader);
    return reader.remember(
      `${name}${qualifiers.includes('K') ? ' const' : ''}${qualifiers.includes('V') ? ' volatile' : ''}`,
    );
  }
  return compoundType(reader) ?? builtinType(reader) ?? namedType(reader);
}

/** Pointers, references, packs, functions, arrays and pointers to members; null: none of them. */
function compoundType(reader: Reader): string | null {
  if (reader.take('P')) return reader.remember(`${type(reader)}*`);
  if (reader.take('R')) return reader.remember(`${type(reader)}&`);
  if (reader.take('O')) return reader.remember(`${type(reader)}&&`);
  if (reader.take('Dp')) return type(reader);
  if (reader.take('F')) return functionType(reader);
  const array = reader.match(/A\d*_/y);
  if (array !== null) return reader.remember(`${type(reader)} [${array.slice(1, -1)}]`);
  if (!reader.take('M')) return null;
  const owner = type(reader);
  return reader.remember(`${type(reader)} ${owner}::*`);
}

/** What stands behind the F of a function's type. */
function functionType(reader: Reader): string {
  reader.take('Y');
  const result = type(reader);
  const list: string[] = [];
  while (!reader.take('E')) list.push(type(reader));
  return reader.remember(`${result} (${list.filter((one) => one !== 'void').join(', ')})`);
}

function builtinType(reader: Reader): string | null {
  const letters = reader.ahead(reader.starts('D') ? 2 : 1);
  const name = builtinTypes[letters];
  if (name === undefined) return null;
  reader.skip(letters.length);
  return name;
}

function namedType(reader: Reader): string {
  if (reader.starts('T')) {
    const name = reader.remember(templateParameter(reader));
    return reader.starts('I') ? reader.remember(withArguments(reader, name)) : name;
  }
  if (reader.starts('S') && !reader.starts('St')) {
    const name = substitution(reader);
    return reader.starts('I') ? reader.remember(withArguments(reader, name)) : name;
  }
  return reader.remember(anyName(reader));
}

/** `<name>` */
function anyName(reader: Reader): string {
  return reader.deeper(nameHere);
}

function nameHere(reader: Reader): string {
  if (reader.starts('N')) return nestedName(reader);
  if (reader.starts('Z')) return localName(reader);
  let name: string;
  if (reader.take('St')) name = joined('std', unqualifiedName(reader));
  else if (reader.starts('S')) {
    name = substitution(reader);
    return reader.starts('I') ? withArguments(reader, name) : name;
  } else name = unqualifiedName(reader);
  if (!reader.starts('I')) return name;
  reader.remember(name);
  return withArguments(reader, name);
}

/** `<nested-name>`: `N`, qualifiers, parts, `E`. */
function nestedName(reader: Reader): string {
  reader.must('N');
  reader.match(/[rVK]*[RO]?/y);
  let name = '';
  while (!reader.take('E')) {
    if (reader.take('St')) name = 'std';
    else if (reader.starts('S')) name = substitution(reader);
    else {
      name = withNextPart(reader, name);
      // The last part makes the whole, which is remembered where it is a type.
      if (!reader.starts('E')) reader.remember(name);
    }
  }
  return name;
}

/** `scope` and the part of a nested name that stands here. */
function withNextPart(reader: Reader, scope: string): string {
  if (reader.starts('T')) return templateParameter(reader);
  if (reader.starts('I')) return withArguments(reader, scope);
  if (reader.match(/C[1-5]/y) !== null) return withTags(reader, joined(scope, lastPart(scope)));
  if (reader.match(/D[0-5]/y) !== null)
    return withTags(reader, joined(scope, `~${lastPart(scope)}`));
  return joined(scope, unqualifiedName(reader));
}

/** A function's, and what is in it: a static variable, a lambda. */
function localName(reader: Reader): string {
  reader.must('Z');
  const outer = functionOrSpecialName(reader);
  if (!reader.starts('E')) skipParameters(reader);
  reader.must('E');
  if (reader.take('s')) {
    skipDiscriminator(reader);
    return outer;
  }
  if (reader.match(/d\d*_/y) !== null || reader.starts('N') || !reader.starts('E')) {
    const name = joined(outer, anyName(reader));
    skipDiscriminator(reader);
    return name;
  }
  return reader.fail();
}

/** Which of several local things of one name it is. */
function skipDiscriminator(reader: Reader): void {
  reader.match(/__\d+_|_\d/y);
}

function skipParameters(reader: Reader): void {
  while (!reader.atEnd() && !reader.starts('E')) type(reader);
}

/** `<unqualified-name>` */
function unqualifiedName(reader: Reader): string {
  reader.take('L');
  return withTags(reader, untaggedName(reader));
}

function untaggedName(reader: Reader): string {
  if (/\d/.test(reader.ahead(1))) return sourceName(reader);
  if (reader.take('Ul')) {
    while (!reader.take('E')) type(reader);
    skipNumber(reader);
    return '{lambda}';
  }
  if (reader.take('Ut')) {
    skipNumber(reader);
    return '{unnamed}';
  }
  if (reader.take('cv')) return `operator ${type(reader)}`;
  if (reader.take('li')) return `operator""${sourceName(reader)}`;
  const operator = operators[reader.ahead(2)];
  if (operator === undefined) return reader.fail();
  reader.skip(2);
  return `operator${operator}`;
}

/** Which lambda or unnamed type of its scope it is. */
function skipNumber(reader: Reader): void {
  reader.match(/\d*/y);
  reader.must('_');
}

/** `<source-name>`: its length and its letters. */
function sourceName(reader: Reader): string {
  const digits = reader.match(/\d{1,4}/y);
  if (digits === null) return reader.fail();
  const name = reader.ahead(Number(digits));
  if (name.length < Number(digits) || name === '') reader.fail();
  reader.skip(name.length);
  if (name.startsWith('_GLOBAL__N')) return '(anonymous namespace)';
  return inlineNamespaces.has(name) ? '' : name;
}

/** `name`, past the ABI tags that follow it and that nobody writes. */
function withTags(reader: Reader, name: string): string {
  while (reader.take('B')) sourceName(reader);
  return name;
}

/** `<substitution>`: an abbreviation of the standard library, or what has been read before. */
function substitution(reader: Reader): string {
  reader.must('S');
  const abbreviated = abbreviations[reader.ahead(1)];
  if (abbreviated !== undefined) {
    reader.skip(1);
    return withTags(reader, abbreviated);
  }
  const index = reader.match(/[\dA-Z]{0,3}_/y);
  if (index === null) return reader.fail();
  return reader.remembered(index === '_' ? 0 : Number.parseInt(index.slice(0, -1), 36) + 1);
}

/** `<template-param>`; `T` where its argument is not known. */
function templateParameter(reader: Reader): string {
  reader.must('T');
  const index = reader.match(/\d{0,3}_/y);
  if (index === null) return reader.fail();
  return reader.givenArgument(index === '_' ? 0 : Number(index.slice(0, -1)) + 1) ?? 'T';
}

/** `std::string` is a template with three arguments. */
function withArguments(reader: Reader, name: string): string {
  const shown = templateArguments(reader);
  return name === 'std::basic_string' && shown === '<char>' ? 'std::string' : name + shown;
}

/** `<template-args>`, in angles. */
function templateArguments(reader: Reader): string {
  reader.must('I');
  const list: string[] = [];
  while (!reader.take('E')) list.push(...templateArgument(reader));
  reader.giveArguments(list);
  const shown = list.filter((argument) => !usualArgument.test(argument)).join(', ');
  return shown.length > longestArguments ? '<…>' : `<${shown}>`;
}

/** One argument, or those of a pack. */
function templateArgument(reader: Reader): readonly string[] {
  return reader.deeper(templateArgumentHere);
}

function templateArgumentHere(reader: Reader): readonly string[] {
  if (reader.take('L')) return [literal(reader)];
  if (!reader.take('J')) return [type(reader)];
  const pack: string[] = [];
  while (!reader.take('E')) pack.push(...templateArgument(reader));
  return pack;
}

/** What stands behind the L of a literal: a function's address, or a type and a value. */
function literal(reader: Reader): string {
  if (reader.take('_Z')) {
    const name = functionOrSpecialName(reader);
    if (!reader.starts('E')) skipParameters(reader);
    reader.must('E');
    return `&${name}`;
  }
  const of = type(reader);
  const value = reader.match(/n?[\da-zA-Z]*?(?=E)/y) ?? reader.fail();
  reader.must('E');
  if (of === 'bool') return value === '1' ? 'true' : 'false';
  return value.replace(/^n/, '-');
}

function joined(scope: string, name: string): string {
  return scope === '' ? name : name === '' ? scope : `${scope}::${name}`;
}

/** The last part of a name, for constructors: `vector` of `std::vector<int>`. */
function lastPart(name: string): string {
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
}
