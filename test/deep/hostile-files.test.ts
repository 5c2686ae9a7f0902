/**
 * What others put in place of a file that coroner opens: FIFOs, devices, links, folders, files without end. Nothing may wait, abort,
 * or read what its owner would not be given. Each claim of docs/threat-model.md about files of others.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { othersMayRename } from '../../src/files/held-folder.ts';
import { readCoreFile } from '../../src/gather/core-file.ts';
import { fileChunks } from '../../src/gather/file-chunks.ts';
import { openInput } from '../../src/gather/input.ts';
import { inWords } from '../../src/model/prose.ts';
import { isRefusal, openProcess } from '../../src/python/process/live-process.ts';
import { readIncidentFolder, readStart } from '../../src/store/incidents.ts';
import { syntheticAgentFile } from '../agent/synthetic.ts';
import { cCompiler, command, pythonModule, root, systemPython } from '../have.ts';

const bin = fileURLToPath(new URL('../../bin/coroner.js', import.meta.url));
const built = existsSync(new URL('../../dist/cli/main.js', import.meta.url))
  ? null
  : 'needs npm run build';
const fifos = command('mkfifo');
const why = built ?? fifos;
const named = (text: string, reason: string | null) =>
  reason === null ? text : `${text} (${reason})`;
const nobody = 65_534;

let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'coroner-hostile-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const fifo = (path: string): string => {
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  return path;
};

/** A hang ends by SIGKILL, and is seen as that; what a slow machine takes is no failure. */
function coroner(...words: readonly string[]) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--max-old-space-size=400', bin, ...words],
    { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL', input: '' },
  );
  return { status, signal, stdout, stderr };
}
const ended = (status: number) => ({ status, signal: null });

/** One incident folder, made once; each test gets a copy. */
let sample = '';
const copyOfIncident = (store: string): string => {
  if (sample === '') {
    const from = join(work, 'sample');
    coroner('run', '--quiet', '--output', from, 'sh', '-c', 'exit 3');
    sample = join(from, readdirSync(from)[0] ?? '');
  }
  mkdirSync(store, { recursive: true });
  const to = join(store, '20260131-120000-abcdef');
  cpSync(sample, to, { recursive: true });
  return to;
};

/** What a name can come to stand for. */
const traps: readonly (readonly [string, (path: string) => void])[] = [
  ['a FIFO', fifo],
  ['a link to /dev/zero', (path) => symlinkSync('/dev/zero', path)],
  ['a link to a FIFO', (path) => symlinkSync(fifo(`${path}.other`), path)],
  ['a folder', (path) => mkdirSync(path)],
  ['a link to itself', (path) => symlinkSync(path, path)],
  [
    'a file without end',
    (path) => {
      // As much as the file system allows.
      if (spawnSync('truncate', ['-s', '8E', path]).status !== 0)
        expect(spawnSync('truncate', ['-s', '8T', path]).status).toBe(0);
    },
  ],
];

describe.skipIf(why !== null)(named('a run whose processes write into its folder', why), () => {
  const scripts: readonly (readonly [string, string])[] = [
    ['a FIFO as an agent file', 'mkfifo "$CORONER_RUN/agent/99999.mem"'],
    ['a link to /dev/zero as an agent file', 'ln -s /dev/zero "$CORONER_RUN/agent/99999.mem"'],
    ['a folder as an agent file', 'mkdir "$CORONER_RUN/agent/99999.mem"'],
    ['a FIFO as the tree', 'cd "$CORONER_RUN/agent"; rm -f tree; mkfifo tree'],
    ['a FIFO as the trace', 'mkfifo "$CORONER_RUN/agent/trace.log"'],
    ['a link to /dev/zero as the trace', 'ln -s /dev/zero "$CORONER_RUN/agent/trace.log"'],
    ["a FIFO as Python's words", 'mkfifo "$CORONER_RUN/python/99.ndjson"'],
    ["a FIFO as Python's dump", 'mkfifo "$CORONER_RUN/python/99.fault"'],
    ["a link to /dev/zero as Python's words", 'ln -s /dev/zero "$CORONER_RUN/python/99.ndjson"'],
    ['FIFOs as the last look', 'cd "$CORONER_RUN/looks"; mkfifo 001-9.json 002-9.json.part'],
    [
      'FIFOs as what is written last',
      'cd "$CORONER_RUN"; mkfifo end.json report.json stderr.tail kernel.log',
    ],
    ['FIFOs in place of the folders', 'cd "$CORONER_RUN"; rm -rf agent; mkfifo agent'],
  ];
  test.each(scripts)('%s: it ends as its command does', (name, script) => {
    for (const options of [[], ['--no-agent']]) {
      const store = mkdtempSync(join(work, 'run-'));
      const run = coroner(
        'run',
        '--output',
        store,
        ...options,
        '--',
        'sh',
        '-c',
        `${script}; exit 3`,
      );
      expect({ name, ...run }).toMatchObject(ended(3));
      expect(run.stderr).not.toMatch(/cannot give a verdict|fault of coroner/);
    }
  });

  test('so many FIFOs that agent files are thinned out, and one as their count: it ends', () => {
    const store = mkdtempSync(join(work, 'many-'));
    const script = [
      'cd "$CORONER_RUN/agent"; rm -f tree; mkfifo tree',
      'for i in $(seq 75); do sleep 1 & rm -f $!.mem; mkfifo $!.mem; done; wait',
      'sleep 2.5; exit 3',
    ].join('; ');
    expect(coroner('run', '--output', store, 'bash', '-c', script)).toMatchObject(ended(3));
  });

  test('a FIFO as an agent file, and SIGTERM: it ends', async () => {
    const store = mkdtempSync(join(work, 'term-'));
    const script = 'mkfifo "$CORONER_RUN/agent/99999.mem"; echo ready; exec sleep 30';
    const run = spawn(process.execPath, [bin, 'run', '--output', store, '--', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    await once(run.stdout, 'data');
    run.kill('SIGTERM');
    const [status, signal] = (await once(run, 'exit')) as [number | null, string | null];
    expect(signal === 'SIGTERM' || status === 143).toBe(true);
  });
});

describe.skipIf(why !== null)(named('an incident folder of others', why), () => {
  const places = [
    ['incident.json'],
    [
      'end.json',
      'report.json',
      'samples.ndjson',
      'agent/trace.log',
      'agent/7.mem',
      'python/7.fault',
    ],
  ];
  test.each(traps)(
    '%s in place of its files: list, show, compare, diagnose and rm end',
    (name, put) => {
      for (const files of places) {
        const store = mkdtempSync(join(work, 'store-'));
        const folder = copyOfIncident(store);
        for (const file of files) {
          rmSync(join(folder, file), { force: true });
          put(join(folder, file));
        }
        const list = coroner('list', '--json', '--store', store);
        expect({ name, files, ...list }).toMatchObject(ended(0));
        expect(JSON.parse(list.stdout)).toHaveLength(files.includes('incident.json') ? 0 : 1);
        for (const words of [
          ['show', folder, '--store', store],
          ['compare', folder, folder, '--store', store],
          ['diagnose', folder],
        ]) {
          const { signal, status } = coroner(...words);
          expect({ name, files, words, signal }).toMatchObject({ signal: null });
          expect(status, `${name}, ${files.join(' ')}, ${words.join(' ')}`).not.toBe(70);
        }
        expect({ name, files, ...coroner('rm', '--all', '--store', store) }).toMatchObject(
          ended(0),
        );
        expect(readdirSync(store)).toEqual([]);
      }
    },
  );

  test.skipIf(root() !== null)(
    named("root reads of somebody's folder only what is theirs", root()),
    () => {
      const store = mkdtempSync(join(work, 'hard-'));
      const folder = copyOfIncident(store);
      for (const name of ['', ...readdirSync(folder)])
        chownSync(join(folder, name), nobody, nobody);
      expect(readStart(folder)).not.toBeNull();
      // As a hard link to a file of root's would be.
      writeFileSync(join(folder, 'guards.log'), 'secret');
      const { texts, unread } = readIncidentFolder(folder);
      expect([...texts.keys()]).not.toContain('guards.log');
      expect(unread).toContainEqual({ name: 'guards.log', why: 'belongs to user 0' });
    },
  );

  test.each(traps)(
    '%s as a module or source that an agent file names: show and run end',
    (name, put) => {
      const store = mkdtempSync(join(work, 'module-'));
      const folder = copyOfIncident(store);
      const path = join(store, 'libhostile.so');
      const source = join(store, 'hostile.py');
      put(path);
      put(source);
      const file = join(store, 'agent-file');
      writeFileSync(
        file,
        syntheticAgentFile({
          pid: 7,
          modules: [{ start: 0x10_000, end: 0x20_000, offset: 0, path }],
          paths: [
            {
              stack: [{ function: 'f', file: source, line: 3 }],
              live: [64 << 20, 0, 1],
              native: [0x10_100, 0x10_200],
            },
          ],
          failures: [
            {
              sequence: 1,
              at: new Date('2026-01-31T12:00:01Z'),
              bytes: 1_000_000n,
              stack: [{ function: 'f', file: source, line: 3 }],
            },
          ],
        }),
      );
      cpSync(file, join(folder, 'agent/7.mem'));
      const { signal, status } = coroner('show', folder);
      expect({ name, signal }).toEqual({ name, signal: null });
      expect(status).not.toBe(70);
      // Only a run opens them, at its end.
      const script = `cp '${file}' "$CORONER_RUN/agent/7.mem"; exit 3`;
      const run = coroner('run', '--output', join(store, 'runs'), 'sh', '-c', script);
      expect({ name, ...run }).toMatchObject(ended(3));
    },
  );
});

describe('files in a folder that is diagnosed', () => {
  test.skipIf(fifos !== null)(
    named('what became something else since the folder was listed is not waited for', fifos),
    async () => {
      const folder = mkdtempSync(join(work, 'walk-'));
      const path = join(folder, 'kern.log');
      for (const [name, put] of traps) {
        if (name === 'a file without end') continue;
        rmSync(path, { recursive: true, force: true });
        rmSync(`${path}.other`, { force: true });
        put(path);
        expect([name, await openInput(path, 'found in a folder')]).toMatchObject([
          name,
          { kind: 'unreadable' },
        ]);
      }
    },
  );

  test.skipIf(fifos !== null)(
    named('what became something else since it was opened is not waited for', fifos),
    async () => {
      const path = join(mkdtempSync(join(work, 'swap-')), 'kern.log');
      writeFileSync(path, 'a line\n');
      const opened = await openInput(path);
      if (opened.kind !== 'bytes') throw new Error(opened.kind);
      rmSync(path);
      fifo(path);
      const read = async () => {
        for await (const chunk of opened.chunks) expect(chunk.length).toBe(0);
      };
      await expect(read()).rejects.toThrow('is a FIFO');
      expect((await readCoreFile(path, 'core')).source.status).toBe('malformed');
    },
  );

  test.each(['two', 'fresh'] as const)(
    'a file that grows while it is read ends where it ended (%s buffers)',
    async (buffers) => {
      const path = join(mkdtempSync(join(work, 'grow-')), 'log');
      const size = 600_000;
      writeFileSync(path, Buffer.alloc(size, 'x'));
      const fd = openSync(path, 'r');
      let total = 0;
      for await (const chunk of fileChunks(fd, size, buffers)) {
        total += chunk.length;
        appendFileSync(path, Buffer.alloc(chunk.length * 2, 'y'));
        expect(chunk.every((byte) => byte === 0x78)).toBe(true);
      }
      closeSync(fd);
      expect(total).toBe(size);
    },
  );
});

/** Named as a Python is: its file is looked into for symbols. */
function hostileProgram(folder: string, ...options: readonly string[]): string {
  const path = join(folder, 'python3.11');
  const source = fileURLToPath(new URL('../programs/hostile_executable.c', import.meta.url));
  const { status, stderr } = spawnSync('cc', ['-o', path, ...options, source], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return path;
}

describe('the files of another process', () => {
  const lacking = why ?? cCompiler();
  test.skipIf(lacking !== null)(
    named('a FIFO in place of its executable: inspect ends', lacking),
    async () => {
      const target = spawn(hostileProgram(mkdtempSync(join(work, 'own-'))), ['stay'], {
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 60_000,
        killSignal: 'SIGKILL',
      });
      await once(target.stdout, 'data');
      try {
        expect(coroner('inspect', String(target.pid))).toMatchObject(ended(66));
      } finally {
        target.kill('SIGKILL');
      }
    },
  );

  test.skipIf(lacking !== null)(
    named(
      'a FIFO in place of its executable, at its limit: the last look ends, and the run',
      lacking,
    ),
    () => {
      const program = hostileProgram(mkdtempSync(join(work, 'look-')));
      const store = mkdtempSync(join(work, 'look-'));
      const run = coroner('run', '--output', store, '--last-look', program);
      expect(run).toMatchObject(ended(3));
      // It was alive to the end: nothing is left of a watcher that hangs.
      expect(run.stdout).toBe('ready\n');
    },
  );

  const jails = lacking ?? root() ?? command('chroot');
  test.skipIf(jails !== null)(
    named('an absolute link stays in the root of the process whose it is', jails),
    async () => {
      const jail = mkdtempSync(join(work, 'jail-'));
      const outside = mkdtempSync(join(work, 'outside-'));
      writeFileSync(join(outside, 'secret'), "root's own");
      mkdirSync(join(jail, outside), { recursive: true });
      hostileProgram(jail, '-static');
      symlinkSync(join(outside, 'secret'), join(jail, 'link'));
      symlinkSync(`${'../'.repeat(20)}${outside}/secret`, join(jail, 'climbing'));
      symlinkSync(outside, join(jail, 'folder'));
      const target = spawn('chroot', [jail, '/python3.11', 'stay'], {
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 60_000,
        killSignal: 'SIGKILL',
      });
      await once(target.stdout, 'data');
      try {
        const source = openProcess(target.pid ?? 0);
        if (isRefusal(source)) throw new Error(inWords(source.detail));
        const read = (path: string): string | null => {
          const file = source.openFile(path);
          if (file === null) return null;
          const bytes = new Uint8Array(file.size);
          file.readAt(0, bytes);
          file.close();
          return Buffer.from(bytes).toString();
        };
        for (const path of ['/link', '/climbing', '/folder/secret', `${outside}/secret`])
          expect([path, read(path)]).toEqual([path, null]);
        writeFileSync(join(jail, outside, 'secret'), "the jail's");
        for (const path of ['/link', '/climbing', '/folder/secret', '/link (deleted)'])
          expect([path, read(path)]).toEqual([path, "the jail's"]);
        // Its executable is a FIFO by now.
        expect(read('/python3.11')).toBeNull();
        source.close();
      } finally {
        target.kill('SIGKILL');
      }
    },
  );
});

describe("an output folder in somebody else's folder", () => {
  const lacking = why ?? root();
  /** The one who owns `theirs` moves root's incident folder away and puts a link to `victim` in its place, as soon as the command runs. */
  async function runWhileRenamed(script: string, options: readonly string[] = []) {
    const theirs = mkdtempSync(join(work, 'theirs-'));
    const victim = mkdtempSync(join(work, 'victim-'));
    for (const name of ['agent', 'python', 'looks']) mkdirSync(join(victim, name));
    chmodSync(theirs, 0o755);
    chownSync(theirs, nobody, nobody);
    const run = spawn(
      process.execPath,
      [
        bin,
        'run',
        '--output',
        theirs,
        ...options,
        '--',
        'sh',
        '-c',
        `echo ready; read go; ${script}`,
      ],
      { stdio: ['pipe', 'pipe', 'pipe'], timeout: 30_000, killSignal: 'SIGKILL' },
    );
    let stderr = '';
    run.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    await once(run.stdout, 'data');
    const [id = ''] = readdirSync(theirs);
    renameSync(join(theirs, id), join(theirs, 'away'));
    symlinkSync(victim, join(theirs, id));
    run.stdin.end('go\n');
    const [status, signal] = (await once(run, 'close')) as [number | null, string | null];
    const below = (folder: string) =>
      (readdirSync(folder, { recursive: true }) as string[]).toSorted();
    return {
      status,
      signal,
      stderr,
      created: below(victim),
      away: below(join(theirs, 'away')),
      theirs,
    };
  }
  const untouched = ['agent', 'looks', 'python'];

  test.skipIf(lacking !== null)(
    named('renamed during a run, with a link in its place: nothing is created elsewhere', lacking),
    async () => {
      for (const options of [[], ['--no-agent'], ['--no-agent', '--no-python-hook']]) {
        const run = await runWhileRenamed('sleep 0.3; exit 3', options);
        expect(run).toMatchObject({ status: 3, signal: null });
        expect(run.created).toEqual(untouched);
        expect(run.away).toEqual(
          expect.arrayContaining(['incident.json', 'end.json', 'report.json', 'events.ndjson']),
        );
      }
    },
    60_000,
  );

  const python = lacking ?? pythonModule('os');
  test.skipIf(python !== null)(
    named('nor by the hook and the agent in the processes that start afterwards', python),
    async () => {
      const run = await runWhileRenamed(
        `${systemPython} -c 'x = bytearray(50_000_000); raise MemoryError'; exit 3`,
      );
      expect(run).toMatchObject({ status: 3, signal: null });
      expect(run.created).toEqual(untouched);
      expect(run.away).toEqual(
        expect.arrayContaining([expect.stringMatching(/^python\/\d+\.ndjson$/)]),
      );
    },
  );

  test.skipIf(root() !== null)(named('whose folder it is, is seen', root()), () => {
    const folder = mkdtempSync(join(work, 'whose-'));
    const inside = join(folder, 'a/b');
    mkdirSync(inside, { recursive: true });
    expect(othersMayRename(inside)).toBe(false);
    for (const [mode, mayRename] of [
      [0o777, true],
      [0o775, true],
      [0o1777, false],
      [0o755, false],
    ] as const) {
      chmodSync(join(folder, 'a'), mode);
      expect([mode.toString(8), othersMayRename(inside)]).toEqual([mode.toString(8), mayRename]);
    }
    // Sticky, and the entry itself is theirs.
    chmodSync(folder, 0o1777);
    chownSync(join(folder, 'a'), nobody, nobody);
    expect(othersMayRename(inside)).toBe(true);
    expect(othersMayRename(join(folder, 'nothing'))).toBe(true);
  });
});
