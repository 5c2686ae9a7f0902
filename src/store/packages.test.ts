import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Report } from '../model/report.ts';
import { packagesOf } from './packages.ts';
import { parseSources, sourcesJson } from './source-lines.ts';

const reportOf = (file: string, types: readonly string[]): Report =>
  ({
    format: 'coroner/1',
    sources: [],
    incidents: [
      {
        memory: {
          allocations: [{ file, stack: [], bytes: 1 }],
          types: types.map((type) => ({ type, count: 1, bytes: 1 })),
        },
      },
    ],
  }) as never;

test('versions of the packages whose code or types hold memory, and of no others', () => {
  const root = mkdtempSync(join(tmpdir(), 'coroner-packages-'));
  try {
    const folder = join(root, 'lib/python3.11/site-packages');
    for (const name of [
      'numpy-1.26.4.dist-info',
      'scikit_learn-1.4.0.dist-info',
      'idle-2.0.dist-info',
    ])
      mkdirSync(join(folder, name), { recursive: true });
    expect(
      packagesOf(reportOf(join(folder, 'sklearn/tree.py'), ['numpy.ndarray[float64]', 'dict'])),
    ).toEqual([
      { name: 'scikit_learn', version: '1.4.0' },
      { name: 'numpy', version: '1.26.4' },
    ]);
    // A frame of the standard library tells where the packages are.
    expect(
      packagesOf(reportOf(join(root, 'lib/python3.11/json/decoder.py'), ['numpy.ndarray'])),
    ).toEqual([{ name: 'numpy', version: '1.26.4' }]);
    expect(packagesOf(reportOf('relative/site-packages/numpy/x.py', []))).toEqual([]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test('they lie beside the lines of source, and what is no package is left out', () => {
  const packages = [{ name: 'numpy', version: '1.26.4' }];
  const json = sourcesJson({ files: new Map(), symbols: new Map(), packages });
  expect(parseSources(json ?? '')?.packages).toEqual(packages);
  expect(
    parseSources(
      '{"format":"coroner-sources/1","packages":[{"name":1},{"name":"a","version":"2"}]}',
    )?.packages,
  ).toEqual([{ name: 'a', version: '2' }]);
  expect(parseSources('{"format":"coroner-sources/1"}')?.packages).toBeUndefined();
});
