import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  copyLines,
  parseSources,
  rememberSymbols,
  sourcesBelow,
  sourcesJson,
  sourcesOfRun,
  symbolsIn,
} from './source-lines.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-lines-'));
  mkdirSync(join(folder, 'app'));
  writeFileSync(join(folder, 'app/app.py'), lines(40));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => `line ${index + 1}`).join('\n');
const numbersOf = (copied: ReturnType<typeof copyLines>, file: string) => [
  ...(copied.get(file)?.keys() ?? []),
];

describe('lines that are copied', () => {
  test('nine around each wanted line, each once, under the name that the report has', () => {
    const open = sourcesOfRun(join(folder, 'app'), []);
    const copied = copyLines(
      [
        { file: 'app.py', line: 10 },
        { file: 'app.py', line: 12 },
        { file: 'app.py', line: 1 },
        { file: 'app.py', line: 99 },
        { file: '<string>', line: 1 },
      ],
      open,
    );
    expect(numbersOf(copied, 'app.py').toSorted((a, b) => a - b)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ]);
    expect(copied.get('app.py')?.get(10)).toBe('line 10');
    expect([...copied.keys()]).toEqual(['app.py']);
  });

  test('64 KiB in all, 200 files, 300 characters a line', () => {
    const long = copyLines([{ file: 'a.py', line: 1 }], () => 'x'.repeat(5000));
    expect(long.get('a.py')?.get(1)).toHaveLength(300);
    const wanted = Array.from({ length: 1000 }, (_, index) => ({ file: `${index}.py`, line: 5 }));
    let opened = 0;
    const short = copyLines(wanted, () => {
      opened += 1;
      return lines(10);
    });
    expect([opened, short.size]).toEqual([200, 200]);
    const many = copyLines(wanted, () => `${'x'.repeat(299)}\n`.repeat(9));
    const all = [...many.values()].flatMap((own) => [...own.values()]).join('\n');
    expect(all.length).toBeLessThanOrEqual(64 * 1024);
    expect(all.length).toBeGreaterThan(60 * 1024);
  });

  test('secrets are masked, a private key in every line', () => {
    const key = 'MIIEpAIBAAKCAQEA';
    const text = `API_KEY = "hunter2hunter2"\nKEY = """-----BEGIN RSA PRIVATE KEY-----\n${key}\n-----END RSA PRIVATE KEY-----"""\nrows = []`;
    const own = copyLines([{ file: 'a.py', line: 3 }], () => text).get('a.py');
    expect([...(own?.values() ?? [])].join('\n')).not.toMatch(/hunter2|MIIE/);
    expect(own?.get(5)).toBe('rows = []');
  });

  test('of a run: only regular files that are source code, or what the command names', () => {
    const app = join(folder, 'app');
    writeFileSync(join(app, 'train'), 'script');
    writeFileSync(join(app, 'shadow'), 'secret');
    writeFileSync(join(app, 'big.py'), 'x'.repeat(4 * 2 ** 20 + 1));
    symlinkSync('app.py', join(app, 'link.py'));
    spawnSync('mkfifo', [join(app, 'fifo.py')]);
    const open = sourcesOfRun(app, ['python3', './train']);
    expect(open('train')).toBe('script');
    expect(open(join(app, 'link.py'))).toBe(lines(40));
    for (const name of ['shadow', '/etc/passwd', 'big.py', 'fifo.py', 'nothing.py', '/dev/zero'])
      expect([name, open(name)]).toEqual([name, null]);
  });
});

describe('files below a folder that the user named', () => {
  test.each<[string, string | undefined, boolean]>([
    ['app.py', undefined, true],
    ['./app.py', undefined, true],
    ['ABSOLUTE', undefined, true],
    // The folder in which it ran lies below.
    ['app.py', 'CWD', true],
    ['app.py', '/elsewhere', true],
    ['../outside.py', undefined, false],
    ['/etc/passwd', undefined, false],
    ['link.py', undefined, false],
    ['linked/outside.py', undefined, false],
    ['', undefined, false],
  ])('%s, run in %s: %s', (file, cwd, isRead) => {
    const app = join(folder, 'app');
    writeFileSync(join(folder, 'outside.py'), lines(40));
    symlinkSync('../outside.py', join(app, 'link.py'));
    symlinkSync('..', join(app, 'linked'));
    const open = sourcesBelow(app, cwd === 'CWD' ? app : cwd);
    const text = open(file === 'ABSOLUTE' ? join(app, 'app.py') : file);
    expect(text).toBe(isRead ? lines(40) : null);
  });
});

describe('sources.json', () => {
  test('comes back as it was written', () => {
    const text = {
      files: new Map([
        ['__proto__', new Map([[3, 'x = 1']])],
        ['/a b.py', new Map([[7, '']])],
      ]),
      symbols: new Map([['/lib/x.so', new Map([[4711, 'make']])]]),
    };
    const read = parseSources(sourcesJson(text) ?? '');
    expect(read).toEqual(text);
    const symbol = symbolsIn(read ?? text);
    expect(symbol({ module: '/lib/x.so', fileOffset: 4711 })).toBe('make');
    expect(symbol({ module: '/lib/x.so', fileOffset: 4712 })).toBeNull();
    expect(symbol({ module: null, fileOffset: 4711 })).toBeNull();
    expect(sourcesJson({ files: new Map(), symbols: new Map() })).toBeNull();
  });
  test.each([
    undefined,
    '',
    '[]',
    'null',
    '{"format":"coroner-sources/2","files":{"a":{"1":"x"}}}',
  ])('%s is none of ours', (text) => {
    expect(parseSources(text)).toBeNull();
  });
  test('what is wrong in it is left out', () => {
    expect(
      parseSources(
        '{"format":"coroner-sources/1","files":{"a":{"1":"x","b":"y","2":3},"c":5,"d":{}},"symbols":7}',
      ),
    ).toEqual({ files: new Map([['a', new Map([[1, 'x']])]]), symbols: new Map() });
  });
  test('the names of functions are kept as they were asked for', () => {
    const { symbol, symbols } = rememberSymbols(({ fileOffset }) =>
      fileOffset === 1 ? 'one' : null,
    );
    expect(symbol({ module: '/x', fileOffset: 1 })).toBe('one');
    expect(symbol({ module: '/x', fileOffset: 2 })).toBeNull();
    expect(symbols).toEqual(new Map([['/x', new Map([[1, 'one']])]]));
  });
});
