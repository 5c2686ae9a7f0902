import { expect, test } from 'vitest';
import { functionName, isLibraryFunction, typeName } from './mangled.ts';

test.each([
  ['St9bad_alloc', 'std::bad_alloc'],
  ['St20bad_array_new_length', 'std::bad_array_new_length'],
  ['N6solver8too_hardE', 'solver::too_hard'],
  ['9too_hard', 'too_hard'],
  ['i', 'i'],
  ['PKc', 'PKc'],
])('type %s is %s', (mangled, name) => {
  expect(typeName(mangled)).toBe(name);
});

test.each([
  ['main', 'main'],
  ['_ZN6solver4loadEv', 'solver::load'],
  ['_Z4loadi', 'load'],
  ['_ZN5alloc4main17he454cc7150d2d561E', 'alloc::main'],
  ['_ZNSt6vectorIdSaIdEE6resizeEm', '_ZNSt6vectorIdSaIdEE6resizeEm'],
])('function %s is %s', (symbol, name) => {
  expect(functionName(symbol)).toBe(name);
});

test.each([
  ['_ZNSt6vectorIdSaIdEE6resizeEm', true],
  ['_ZSt9terminatev', true],
  ['_RNvNtCsjrHSEGnQ3l9_3std7process5abort', true],
  ['_ZN5alloc7raw_vec12handle_error17h0123456789abcdefE', true],
  ['_ZN5alloc4main17he454cc7150d2d561E', false],
  ['_ZN6solver4loadEv', false],
  ['main', false],
])('%s belongs to a library: %s', (symbol, expected) => {
  expect(isLibraryFunction(symbol)).toBe(expected);
});
