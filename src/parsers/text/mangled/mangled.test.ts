import { expect, test } from 'vitest';
import { functionName, isLibraryFunction, typeName } from './mangled.ts';

test.each([
  ['St9bad_alloc', 'std::bad_alloc'],
  ['St20bad_array_new_length', 'std::bad_array_new_length'],
  ['N6solver8too_hardE', 'solver::too_hard'],
  ['8too_hard', 'too_hard'],
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
  ['_ZNSt6vectorIdSaIdEE6resizeEm', 'std::vector<double>::resize'],
  ['_Znwm', 'operator new'],
  ['_Znam', 'operator new[]'],
  ['_ZN5arrow6BufferD2Ev', 'arrow::Buffer::~Buffer'],
  ['_ZN5arrow6BufferC1EPKhl', 'arrow::Buffer::Buffer'],
  ['_ZNKSt6vectorIiSaIiEEixEm', 'std::vector<int>::operator[]'],
  ['_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE6appendEPKc', 'std::string::append'],
  [
    '_ZNSt3mapINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEiSt4lessIS5_ESaISt4pairIKS5_iEEE5clearEv',
    'std::map<std::string, int>::clear',
  ],
  ['_ZN12_GLOBAL__N_14loadEi', '(anonymous namespace)::load'],
  ['_Z4loadIiEvT_', 'load<int>'],
  ['_Z3fooILb1ELin3EEvv', 'foo<true, -3>'],
  ['_ZZ4mainENKUlvE_clEv', 'main::{lambda}::operator()'],
  [
    '_ZN1a1bINS_1cIS1_S1_EENS2_IS1_S1_EES3_S4_S3_S4_S3_EEvv',
    '_ZN1a1bINS_1cIS1_S1_EENS2_IS1_S1_EES3_S4_S3_S4_S3_EEvv',
  ],
  ['_ZTV5Shape', 'vtable for Shape'],
  ['_ZN3foo3barIXadL_Z3bazEEEEvv', '_ZN3foo3barIXadL_Z3bazEEEEvv'],
  ['_Z', '_Z'],
  ['_ZN4load', '_ZN4load'],
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

test('whatever is cut off or mixed up gives a name or stays as it is, at once', () => {
  const whole =
    '_ZNSt3mapINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEiSt4lessIS5_ESaISt4pairIKS5_iEEE5clearEv';
  for (let length = 0; length <= whole.length; length += 1)
    expect(functionName(whole.slice(0, length)).length).toBeGreaterThanOrEqual(Math.min(length, 1));
  // Each part twice the one before it.
  const doubling = `_Z1fI${Array.from({ length: 400 }, (_, i) => `1aIS${i === 0 ? '' : (i - 1).toString(36).toUpperCase()}_S${i === 0 ? '' : (i - 1).toString(36).toUpperCase()}_E`).join('')}Evv`;
  expect(functionName(doubling).length).toBeLessThan(10_000);
  expect(functionName(`_Z1f${'P'.repeat(100_000)}i`).length).toBeGreaterThan(0);
  expect(functionName(`_ZN${'I'.repeat(1900)}`)).toMatch(/^_ZN/);
});
