// The packages for real: made twice, looked into, installed, run. (In root folders of other systems: by hand, they cost minutes each.)
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../fixtures.ts';
import * as have from '../have.ts';

const packages = join(root, 'dist/packages');
const pip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
const lacks = have.cCompiler() ?? (pip ? have.command('npm') : 'needs pip for python3');
const venv =
  spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0
    ? null
    : 'needs venv of python3';
const named = (reason: string | null): string => (reason === null ? '' : ` (${reason})`);

describe.skipIf(lacks !== null)(`npm run package${named(lacks)}`, () => {
  let folder = '';
  const make = () =>
    spawnSync(process.execPath, [join(root, 'scripts/package.mjs'), 'manual', 'wheel', 'npm'], {
      cwd: root,
      encoding: 'utf8',
      timeout: 300_000,
    });
  const one = (pattern: RegExp): string =>
    join(packages, readdirSync(packages).find((name) => pattern.test(name)) ?? 'nothing');
  const sums = () =>
    readdirSync(packages)
      .filter((name) => /\.whl$|\.tgz$|\.1$|completion/.test(name))
      .toSorted()
      .map(
        (name) =>
          `${createHash('sha256')
            .update(readFileSync(join(packages, name)))
            .digest('hex')} ${name}`,
      );
  let first: string[] = [];
  let said = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coroner-packages-'));
    rmSync(packages, { recursive: true, force: true });
    said = make().stdout;
    first = existsSync(packages) ? sums() : [];
  }, 400_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('makes the same bytes again', () => {
    expect(first.length, said).toBeGreaterThan(5);
    make();
    expect(sums()).toEqual(first);
  }, 400_000);
  test('stays small, and has licences and the bill of materials', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    const wheel = join(packages, `oom_coroner-${version}-py3-none-any.whl`);
    const tgz = join(packages, `coroner-${version}.tgz`);
    expect(statSync(wheel).size).toBeLessThan(3e6);
    expect(statSync(tgz).size).toBeLessThan(1e6);
    const listed = spawnSync('python3', ['-m', 'zipfile', '-l', wheel], {
      encoding: 'utf8',
    }).stdout;
    for (const part of [
      'licenses/LICENSE',
      'sboms/sbom.cdx.json',
      'bin/coroner.js',
      'final-snapshot-worker.js',
      'entry_points.txt',
    ])
      expect(listed).toContain(part);
    // What could be compiled is in it, what could not is named.
    for (const arch of ['x64', 'arm64'])
      for (const part of [
        `helper-linux-${arch}`,
        `agent-linux-${arch}-gnu.so`,
        `agent-linux-${arch}-musl.so`,
      ])
        expect(
          listed.includes(`coroner-${part}`) || said.includes(`left out: coroner-${part}`),
          part,
        ).toBe(true);
  });
  test.skipIf(venv !== null)(
    `the wheel is installed and gives a verdict with the line and the variable${named(venv)}`,
    () => {
      const environment = join(folder, 'venv');
      expect(spawnSync('python3', ['-m', 'venv', environment]).status).toBe(0);
      expect(
        spawnSync(join(environment, 'bin/pip'), [
          'install',
          '--quiet',
          '--no-index',
          '--no-deps',
          one(/\.whl$/),
        ]).status,
      ).toBe(0);
      writeFileSync(
        join(folder, 'leak.py'),
        'rows = []\nwhile True:\n    rows.append("x" * 10_000 + str(len(rows)))\n',
      );
      for (const start of [
        [join(environment, 'bin/coroner')],
        [join(environment, 'bin/python'), '-m', 'oom_coroner'],
      ]) {
        const { stderr, status } = spawnSync(
          start[0]!,
          [
            ...start.slice(1),
            'run',
            '--memory-limit',
            '150M',
            '--output',
            folder,
            'python3',
            'leak.py',
          ],
          {
            cwd: folder,
            encoding: 'utf8',
            timeout: 60_000,
          },
        );
        expect(status).toBe(1);
        expect(stderr).toContain('OUT OF MEMORY');
        expect(stderr).toContain('leak.py:3');
        expect(stderr).toContain('rows -> list');
      }
    },
    200_000,
  );
});

test.skipIf(have.helper() !== null)(
  `one file unpacks itself once, and only into what is ours${named(have.helper())}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'coroner-single-'));
    try {
      // The helper with a small package behind it: its Node is a script that says where it lies.
      const entries = [
        ['node/bin/node', 0o755, '#!/bin/sh\necho "$0 $*"\n'],
        ['bin/coroner.js', 0o644, ''],
      ] as const;
      const body = Buffer.concat(
        entries.flatMap(([name, mode, text]) => {
          const head = Buffer.alloc(16);
          head.writeUInt32LE(name.length, 0);
          head.writeUInt32LE(mode, 4);
          head.writeBigUInt64LE(BigInt(text.length), 8);
          return [head, Buffer.from(name), Buffer.from(text)];
        }),
      );
      const tail = Buffer.alloc(32);
      tail.write('CORONER1');
      tail.writeBigUInt64LE(BigInt(body.length), 8);
      tail.write('0123456789abcdef', 16);
      const file = join(folder, 'renamed');
      cpSync(join(root, 'bin/coroner'), file);
      writeFileSync(file, Buffer.concat([readFileSync(file), body, tail]), { mode: 0o755 });
      const cache = join(folder, 'cache');
      const start = (bytes: string = file) =>
        spawnSync(bytes, ['list', 'x'], {
          encoding: 'utf8',
          env: { PATH: '/usr/bin:/bin', XDG_CACHE_HOME: cache },
        });
      const app = join(cache, 'coroner/app-0123456789abcdef');
      expect(start().stdout).toBe(`${app}/bin/../node/bin/node ${app}/bin/coroner.js list x\n`);
      expect(readdirSync(join(cache, 'coroner'))).toEqual(['app-0123456789abcdef']);
      expect(start().status).toBe(0);
      // Others may write there: not started.
      spawnSync('chmod', ['777', app]);
      expect(start()).toMatchObject({ status: 73, stdout: '' });
      spawnSync('chmod', ['700', app]);
      rmSync(app, { recursive: true });
      const cut = join(folder, 'cut');
      writeFileSync(
        cut,
        Buffer.concat([
          readFileSync(file).subarray(0, -body.length - 32),
          body.subarray(0, 20),
          tail,
        ]),
        { mode: 0o755 },
      );
      expect(start(cut).status).toBe(73);
      expect(existsSync(app)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
