// Every command of ours that a document shows in a block is run, in a scratch folder with the files that the documents speak of: it ends
// with 0, writes what it was asked for, and leaves what lay there as it was. One that cannot run here stands in `elsewhere`, with the reason.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
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
import { root } from './fixtures.ts';
import * as have from './have.ts';

interface Shown {
  readonly file: string;
  readonly line: string;
}

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`)
    .toSorted(),
];
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Where a word stands that a shell, a unit file, a workflow or a container would start. */
const starts =
  /(?:^|[|;&] *|^exec +|"|'|\bexec +|ExecStart=|ExecStopPost=|run: +|\|\| )(?:node )?(?:\/usr\/local\/)?(?:bin\/)?coroner(?:\.js)?(?= |"|$)/;

/** Lines of fenced blocks that start coroner, as a shell gets them. */
const shownIn = (file: string): readonly Shown[] => [
  ...new Map(
    textOf(file)
      .split(/^```.*$/m)
      .filter((_, index) => index % 2 === 1)
      .flatMap((block) => block.replaceAll(/\\\n\s*/g, ' ').split('\n'))
      .map((line) =>
        line
          .trim()
          .replace(/^\$ /, '')
          .replace(/^run: /, '')
          .replace(/\s{2,}# .*$/, ''),
      )
      .filter((line) => starts.test(line) && !/^(?:More|coroner:)/.test(line))
      .map((line) => [line, { file, line }] as const),
  ).values(),
];

/** What this test cannot run, by the beginning of the line. */
const elsewhere: Readonly<Record<string, string>> = {
  'npm install && npm run build && node bin/coroner.js rehearse':
    'asks a registry for packages; test/live/rehearse.test.ts provokes the deaths',
  'coroner rehearse': 'takes half a minute; test/live/rehearse.test.ts provokes the deaths',
  'ExecStart=': 'needs systemd; test/deep/systemd.test.ts follows the page',
  'ExecStopPost=': 'needs systemd; test/deep/systemd.test.ts follows the page',
  'command: [': 'needs a container with /var/coroner and /dev/termination-log',
  '"coroner", "run",': 'needs a notebook',
};
const reasonNotToRun = (line: string): string | undefined =>
  Object.entries(elsewhere).find(([start]) => line.startsWith(start))?.[1];

const shown = documents.flatMap((file) => shownIn(file));
/** Yama lets an ordinary user look into no process but its own children. */
const looking = (): string | null => {
  const scope = '/proc/sys/kernel/yama/ptrace_scope';
  return have.root() !== null && existsSync(scope) && readFileSync(scope, 'utf8').trim() !== '0'
    ? 'needs the right to look into another process'
    : null;
};
const built = existsSync(join(root, 'dist/bundle/main.js')) ? null : 'needs npm run build';

/** Files that the documents speak of, all of them the user's own. */
const program = 'rows = [str(number) for number in range(1000)]\nprint(len(rows))\n';
const given: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['app.py', 'train.py', 'your_program.py', 'orders.py'].map((name) => [name, program]),
  ),
  'app.log': 'MemoryError\n',
  // What `python -m pytest` finds where there is no pytest, and also where there is one.
  'pytest.py': 'print("1 passed")\n',
};
/** Places of a whole machine, and where they lie in the scratch folder. */
const places: Readonly<Record<string, string>> = { '/var/log/kern.log': 'kern.log' };

let folder = '';
let living: ChildProcess | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-commands-'));
  for (const [name, text] of Object.entries(given)) writeFileSync(join(folder, name), text);
  cpSync(join(root, 'fixtures/kernel-log/kernel-6.1-memcg/input.log'), join(folder, 'kern.log'));
  for (const name of ['before.json', 'after.json'])
    cpSync(join(root, 'fixtures/reports/assassination-cgroup/report.json'), join(folder, name));
  mkdirSync(join(folder, 'bin'));
  const script = (name: string, text: string) => {
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, 'bin', name), 0o755);
  };
  script('coroner', `exec '${process.execPath}' '${join(root, 'bin/coroner.js')}' "$@"`);
  const inputIn = (of: string) => readdirSync(of).find((name) => name.startsWith('input.')) ?? '';
  const evicted = join(root, 'fixtures/kubernetes-text/evicted');
  script('python', 'exec python3 "$@"');
  script('xdg-open', 'test -s "$1"');
  const pod = join(root, 'fixtures/kubernetes-objects');
  script(
    'kubectl',
    `case "$*" in *yaml*) cat '${pod}/pod-yaml/${inputIn(`${pod}/pod-yaml`)}';; *json*) cat '${pod}/pod-json/${inputIn(`${pod}/pod-json`)}';; *) cat '${join(evicted, inputIn(evicted))}';; esac`,
  );
  living = spawn(
    'python3',
    ['-c', 'import time; rows = ["x"] * 1000; print(1, flush=True); time.sleep(60)'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  return new Promise<void>((resolve) => living?.stdout?.once('data', () => resolve()));
});
afterAll(() => {
  living?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const hashes = (): ReadonlyMap<string, string> =>
  new Map(
    [...Object.keys(given), 'kern.log'].map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  );

/** Files that the line asks coroner to write. */
const writes = (line: string): readonly string[] =>
  [...line.matchAll(/--(?:json|html|junit|sarif|pprof|speedscope|collapsed) ([\w./-]*\w)/g)].map(
    ([, file = '']) => file,
  );

function run(line: string) {
  const text = Object.entries(places)
    .reduce((all, [from, to]) => all.replaceAll(from, to), line)
    .replace(/\binspect \d+/, `inspect ${living?.pid}`);
  const { status, stdout, stderr } = spawnSync('sh', ['-c', text], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 50_000,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      HOME: folder,
      XDG_STATE_HOME: join(folder, 'state'),
      NO_COLOR: '1',
      GITHUB_STEP_SUMMARY: '',
      GITHUB_OUTPUT: '',
    },
  });
  return { status, stdout, stderr };
}

describe('commands in blocks', () => {
  test('there are some, and what is left out is there', () => {
    expect(shown.length).toBeGreaterThan(15);
    for (const start of Object.keys(elsewhere))
      expect(
        shown.some(({ line }) => line.startsWith(start)),
        start,
      ).toBe(true);
  });

  for (const { file, line } of shown) {
    const why =
      built ??
      reasonNotToRun(line) ??
      (line.startsWith('coroner inspect ') ? looking() : null) ??
      (line.includes('| jq ') ? have.command('jq') : null) ??
      have.command('python3');
    test.skipIf(why !== null)(`${file}: ${line}${why === null ? '' : ` (${why})`}`, () => {
      const before = hashes();
      const { status, stdout, stderr } = run(line);
      expect({ status, stderr: status === 0 ? '' : stderr, line }).toEqual({
        status: 0,
        stderr: '',
        line,
      });
      expect(hashes(), 'it wrote over a file of the user').toEqual(before);
      for (const name of writes(line))
        expect(statSync(join(folder, name)).size, name).toBeGreaterThan(0);
      expect(stdout + stderr, 'it said and wrote nothing').not.toBe('');
      // What these read tells of a death.
      if (/kubectl|kern\.log/.test(line)) expect(stdout).toMatch(/killed|evicted/i);
    });
  }
});

describe('commands in sentences', () => {
  interface Help {
    /** Option to whether a value follows: always, perhaps, never. */
    readonly options: ReadonlyMap<string, '<' | '[' | ''>;
  }
  const helps = new Map<string, Help>();
  const helpOf = (name: string): Help => {
    const known = helps.get(name);
    if (known !== undefined) return known;
    const { stdout } = spawnSync(
      process.execPath,
      [join(root, 'bin/coroner.js'), ...(name === '' ? [] : [name]), '--help'],
      { encoding: 'utf8', env: { ...process.env, COLUMNS: '200' } },
    );
    const options = new Map(
      [...stdout.matchAll(/^ {2}(?:(-\w), )?(--[\w-]+)(?: ([<[]))?/gm)].flatMap(
        ([, short, long = '', value = '']) =>
          [short, long].flatMap((one) =>
            one === undefined ? [] : [[one, value as '<' | '[' | ''] as const],
          ),
      ),
    );
    const help = { options };
    helps.set(name, help);
    return help;
  };

  /** `coroner NAME WORD...` wherever it stands in a document: in code of a line, in blocks, in lists of words. */
  const mentioned = documents.flatMap((file) =>
    [
      ...textOf(file)
        .replaceAll('", "', ' ')
        .matchAll(/(?:`|"|\/|^|[|;] |exec )coroner(?:\.js)? ([a-z]+)((?: +[^`\n|;"]+)?)/gm),
    ].map(([, name = '', rest = '']) => ({ file, name, words: rest.trim().split(/\s+/) })),
  );

  test.skipIf(built !== null)(
    `each names a command, and options that it has${built === null ? '' : ` (${built})`}`,
    () => {
      const top = spawnSync(process.execPath, [join(root, 'bin/coroner.js'), '--help'], {
        encoding: 'utf8',
      }).stdout;
      const commands = new Set([...top.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name));
      expect(commands).toContain('run');
      const inCode = documents.flatMap((file) =>
        [...textOf(file).matchAll(/`coroner ([a-z]+)/g)].map(([, name = '']) => ({ file, name })),
      );
      expect(inCode.filter(({ name }) => !commands.has(name))).toEqual([]);
      const wrong = mentioned.flatMap(({ file, name, words }) => {
        // A sentence about coroner, and not a command.
        if (!commands.has(name)) return [];
        const { options } = helpOf(name);
        const unknown: string[] = [];
        for (let at = 0; at < words.length; at += 1) {
          const word = words[at]!;
          // Behind the command that it runs, the options are that one's.
          if (!word.startsWith('-')) {
            if (name === 'run') break;
            continue;
          }
          const option = word.replace(/[=,.:)].*$/, '');
          if (option === '-' || option === '--') continue;
          if (!options.has(option)) unknown.push(`${file}: coroner ${name} ${option}`);
          if (options.get(option) === '<') at += 1;
        }
        return unknown;
      });
      expect(wrong).toEqual([]);
      expect(mentioned.length).toBeGreaterThan(50);
    },
  );
});
