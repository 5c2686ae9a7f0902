/** No reader of a text, a report or an incident folder opens a file because it is named there. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pageIsBuilt } from '../src/render/html.ts';
import { syntheticAgentFile } from './agent/synthetic.ts';
import { baseFolders, write } from './folders.ts';
import { pythons } from './have.ts';

const bin = fileURLToPath(new URL('../bin/coroner.js', import.meta.url));
const built = existsSync(new URL('../dist/cli/main.js', import.meta.url)) && pageIsBuilt();
const why = built ? null : 'needs npm run build';
const [python] = [...pythons().values()].toReversed();

let work = '';
let settings = '';
/** In the reader's file, and nowhere in what is read. */
const secret = 'readers_own_words';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'coroner-reader-'));
  mkdirSync(join(work, 'app'));
  settings = join(work, 'app/settings.py');
  writeFileSync(
    settings,
    Array.from({ length: 12 }, (_, index) => `${secret}(${index + 1})`).join('\n'),
    { mode: 0o600 },
  );
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const coroner = (...words: readonly string[]) => {
  const { stdout, stderr } = spawnSync(process.execPath, [bin, ...words], {
    encoding: 'utf8',
    cwd: work,
    env: { ...process.env, XDG_STATE_HOME: work },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  return stdout + stderr;
};
/** Everything that a command says and writes. */
function outputs(command: string, input: string, ...more: readonly string[]): string {
  const out = mkdtempSync(join(work, 'out-'));
  const files = ['html', 'json', 'speedscope', 'collapsed', 'junit', 'sarif', 'termination-log'];
  const said = coroner(
    command,
    ...more,
    ...files.flatMap((kind) => [`--${kind}`, join(out, kind)]),
    input,
    '--verbose',
  );
  return [said, ...readdirSync(out).map((name) => readFileSync(join(out, name), 'utf8'))].join(
    '\n',
  );
}

function traceback(): string {
  const path = join(work, 'err.log');
  writeFileSync(
    path,
    `Traceback (most recent call last):\n  File "${settings}", line 6, in <module>\n    load()\nMemoryError\n`,
  );
  return path;
}

/** A folder that somebody made: each of its witnesses names the reader's file. */
function hostileFolder(): string {
  const files = baseFolders().find(({ name }) => name === 'strangled')?.files ?? {};
  const named = Object.fromEntries(
    Object.entries(files).map(([path, bytes]) => [
      path,
      Buffer.from(bytes.toString('utf8').replaceAll('/home/me/train.py', settings)),
    ]),
  );
  const folder = join(work, '20260131-120000-abcdef');
  const stack = [{ function: 'load', file: settings, line: 6 }];
  const agent = syntheticAgentFile({
    pid: 2400,
    paths: [{ stack, live: [0, 5e7, 90], peak: [0, 5e7, 90] }],
    failures: [{ sequence: 1, at: new Date('2026-01-31T12:00:15Z'), bytes: 100n, stack }],
    modules: [{ start: 1, end: 1e6, offset: 0, path: '/etc/passwd' }],
  });
  write(folder, { ...named, 'agent/2400.mem': Buffer.from(agent) });
  return folder;
}

describe(`a file of the reader's that an input names is not shown${why === null ? '' : ` (${why})`}`, () => {
  test.skipIf(!built)('by a traceback in a log', () => {
    const said = outputs('diagnose', traceback());
    expect(said).toContain('settings.py');
    expect(said).not.toContain(secret);
  });
  test.skipIf(!built)("by an incident folder: looks, last words, the agent's file", () => {
    const folder = hostileFolder();
    for (const command of ['diagnose', 'show']) {
      const said = outputs(command, folder);
      expect(said).toContain('settings.py');
      expect(said).not.toContain(secret);
    }
  });
  test.skipIf(!built)('by a report in JSON', () => {
    const report = join(work, 'report.json');
    coroner('diagnose', '--json', report, traceback());
    const said = outputs('show', report);
    expect(said).toContain('settings.py');
    expect(said).not.toContain(secret);
  });
  test.skipIf(!built)('and with --redact not even its folder is named', () => {
    const said = outputs('diagnose', traceback(), '--redact', '--source', join(work, 'app'));
    expect(said).toContain('settings.py');
    expect(said).not.toContain(secret);
    expect(said).not.toContain(join(work, 'app'));
  });
  test.skipIf(!built)('unless the user names a folder that holds it', () => {
    expect(outputs('diagnose', traceback(), '--source', join(work, 'app'))).toContain(
      `${secret}(2)`,
    );
    const elsewhere = join(work, 'elsewhere');
    mkdirSync(elsewhere);
    expect(outputs('diagnose', traceback(), '--source', elsewhere)).not.toContain(secret);
    expect(coroner('diagnose', traceback(), '--source', settings)).toMatch(/is no folder/);
  });
});

const live = !built ? why : python === undefined ? 'needs a CPython' : null;
test.skipIf(live !== null)(
  `a run keeps the lines that its report needs, and later readers take them from its folder${live === null ? '' : ` (${live})`}`,
  () => {
    const app = join(work, 'own.py');
    writeFileSync(
      app,
      'API_KEY = "hunter2hunter2"\n\ndef load():\n    rows = []\n    raise MemoryError(len(rows))\n\nload()\n',
    );
    const store = join(work, 'store');
    const redacted = join(work, 'redacted.json');
    coroner('run', '-o', store, '--redact', '--json', redacted, python ?? '', 'own.py');
    const folder = join(store, readdirSync(store)[0] ?? '');
    const copied = join(folder, 'sources.json');
    // What is passed on holds neither the folder nor the lines; what stays here does.
    const passedOn = readFileSync(redacted, 'utf8');
    expect(passedOn).toContain('[redacted]/own.py');
    expect(passedOn).not.toContain(work);
    expect(passedOn).not.toContain('raise MemoryError');
    expect(readFileSync(join(folder, 'report.json'), 'utf8')).toContain(app);
    expect(statSync(copied).mode & 0o777).toBe(0o600);
    expect(readFileSync(copied, 'utf8')).not.toContain('hunter2');
    renameSync(app, `${app}.gone`);
    const said = outputs('show', folder);
    expect(said).toContain('raise MemoryError(len(rows))');
    expect(said).toContain('rows = []');
    expect(said).not.toContain('hunter2');
  },
);
