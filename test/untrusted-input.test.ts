/** What is given to `coroner diagnose` may be made to harm it: each claim of docs/threat-model.md about inputs. */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../src/model/report.ts';
import { readCoreFile, readCoreStream } from '../src/gather/core-file.ts';
import { gatherChunks } from '../src/gather/text.ts';
import { openInput } from '../src/gather/input.ts';
import { pageIsBuilt } from '../src/render/html.ts';
import {
  mappedFiles,
  nullCrash,
  prstatus,
  siginfo,
  syntheticCore,
} from './cores/synthetic-core.ts';
import { command, deep } from './have.ts';

const bin = fileURLToPath(new URL('../bin/coroner.js', import.meta.url));
const built = existsSync(new URL('../dist/cli/main.js', import.meta.url))
  ? null
  : 'needs npm run build';

const page = pageIsBuilt() ? null : 'needs npm run build: the page';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-test-hostile-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const kill = (name: string): string =>
  `[    9.000000] Memory cgroup out of memory: Killed process 4711 (${name}) total-vm:108056kB, anon-rss:97792kB, file-rss:6276kB, shmem-rss:0kB, UID:0 pgtables:252kB oom_score_adj:0\n`;

const diagnose = (...words: readonly string[]) => diagnoseInput('', ...words);

/** What is given on stdin, for `-`. So little room that whatever grows with its input ends as a fault. */
function diagnoseInput(input: string | Buffer, ...words: readonly string[]) {
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    ['--max-old-space-size=400', bin, 'diagnose', ...words],
    {
      encoding: 'utf8',
      input,
      timeout: 50_000,
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 28,
    },
  );
  // A hang ends with the signal; what a slow machine takes is no failure.
  expect(signal).toBeNull();
  return { stdout, stderr, status };
}
const reportOf = (stdout: string) => JSON.parse(stdout) as Report;

async function gather(path: string) {
  const opened = await openInput(path);
  if (opened.kind !== 'bytes') throw new Error(opened.kind);
  return gatherChunks(opened.chunks, 'input');
}

describe.skipIf(built !== null)(
  `what a name may stand for${built === null ? '' : ` (${built})`}`,
  () => {
    test.skipIf(command('mkfifo') !== null)('a FIFO that nobody writes ends', () => {
      const path = join(folder, 'fifo');
      spawnSync('mkfifo', [path]);
      expect(diagnose(path)).toMatchObject({ status: 0, stderr: '' });
    });

    test.skipIf(command('mkfifo') !== null)(
      'a FIFO that somebody writes later is read',
      async () => {
        const path = join(folder, 'written-fifo');
        spawnSync('mkfifo', [path]);
        const log = put('for-fifo.log', kill('python3'));
        const writer = spawn('sh', ['-c', `sleep 0.3; cat ${log} > ${path}`]);
        const { evidence } = await gather(path);
        expect(evidence).toHaveLength(1);
        writer.kill();
      },
    );

    test.each(['/dev/zero', '/dev/urandom'])('%s is refused in words', (device) => {
      const { status, stderr } = diagnose(device);
      expect(status).toBe(66);
      expect(stderr).toContain('it is a device');
    });

    test('a folder that contains itself is read once, a broken link is passed over', () => {
      const loop = join(folder, 'loop');
      mkdirSync(join(loop, 'a/b'), { recursive: true });
      symlinkSync('../..', join(loop, 'a/b', 'up'));
      symlinkSync('self', join(loop, 'self'));
      symlinkSync(join(folder, 'nothing'), join(loop, 'broken'));
      writeFileSync(join(loop, 'a', 'kern.log'), kill('python3'));
      const { status, stdout } = diagnose('--json', '-', loop);
      expect(status).toBe(0);
      expect(reportOf(stdout).incidents).toHaveLength(1);
      expect(reportOf(stdout).incidents[0]?.because?.[0]?.place).toBe('a/kern.log:1');
    });

    test('a file that is not there is said in words', () => {
      const { status, stderr } = diagnose(join(folder, 'missing.log'));
      expect(status).toBe(66);
      expect(stderr).toContain('there is no such file');
      expect(stderr).not.toContain('    at ');
    });
  },
);

describe.skipIf(built !== null)(
  `what a text may hold${built === null ? '' : ` (${built})`}`,
  () => {
    test('terminal escapes and line breaks in a name never reach the terminal', () => {
      const evil = 'p\u001b]0;owned\u0007\u001b[2Jy\u009b31m\u202e';
      const { stdout, status } = diagnose('--no-color', put('escapes.log', kill(evil)));
      expect(status).toBe(0);
      expect(stdout).toContain('4711');
      const harmful = [...stdout].filter((char) => {
        const code = char.codePointAt(0) ?? 0;
        const control = (code < 0x20 && char !== '\n') || (code >= 0x7f && code <= 0x9f);
        // Marks that turn the direction of what follows.
        return control || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
      });
      expect(harmful).toEqual([]);
    });

    test.skipIf(page !== null)(
      `HTML in a traceback stays text on the page${page === null ? '' : ` (${page})`}`,
      () => {
        const html = join(folder, 'report.html');
        const { status } = diagnoseInput(
          'Traceback (most recent call last):\n  File "</script><script>alert(1)</script>.py", line 1, in <module>\nMemoryError: <img src=x onerror=alert(1)>\n',
          '-',
          '--html',
          html,
          '--quiet',
        );
        expect(status).toBe(0);
        const text = readFileSync(html, 'utf8');
        expect(text).not.toContain('<script>alert(1)</script>');
        expect(text).not.toContain('<img src=x');
      },
    );

    test('a line of 300 MiB with NULs and broken UTF-8, and a kill in its middle', () => {
      const path = join(folder, 'wide.log');
      const fd = openSync(path, 'w');
      const filler = Buffer.alloc(1 << 20, 'x');
      filler.fill(0, 1000, 5000);
      filler.fill(0xff, 9000, 9900);
      for (let part = 0; part < 150; part += 1) writeSync(fd, filler);
      writeSync(fd, ` ${kill('python3').trim()} `);
      for (let part = 0; part < 150; part += 1) writeSync(fd, filler);
      closeSync(fd);
      const { stdout, status } = diagnose('--json', '-', path);
      rmSync(path);
      expect(status).toBe(0);
      const { incidents } = reportOf(stdout);
      expect(incidents).toMatchObject([{ victim: { pid: 4711 } }]);
      expect(incidents[0]?.because?.[0]?.quote?.length).toBeLessThan(1000);
    });

    test.each([
      ['a line of zeros', Buffer.alloc(8 << 20)],
      ['random bytes', Buffer.from(Array.from({ length: 1 << 16 }, (_, n) => (n * 7919) % 251))],
      ['nothing at all', Buffer.alloc(0)],
    ])('%s through a pipe', (_, input) => {
      const { status, stdout } = diagnoseInput(input, '-', '--json');
      expect(status).toBe(0);
      expect(reportOf(stdout).incidents).toEqual([]);
    });

    const many = deep ? 20_000 : 2000;
    test(`${many} kills in one log are ${many} deaths`, () => {
      const lines = Array.from({ length: many }, (_, n) =>
        kill('python3')
          .replace('9.000000', (1000 + n / 100).toFixed(6))
          .replace('4711', String(1000 + n)),
      );
      const { status, stdout } = diagnoseInput(lines.join(''), '-', '--json');
      expect(status).toBe(0);
      expect(reportOf(stdout).incidents).toHaveLength(many);
    });
  },
);

describe('what may be packed', () => {
  test('a large log is unpacked whole', async () => {
    // Lines that do not repeat: several MiB of compressed bytes, more than one buffer of any reader.
    const lines = Array.from(
      { length: 400_000 },
      (_, index) =>
        `${index} ${Math.imul(index, 2654435761) >>> 0} ${Math.imul(index, 40503) >>> 0}`,
    ).join('\n');
    const packed = gzipSync(`${lines}\n${kill('python3')}`, { level: 1 });
    expect(packed.length).toBeGreaterThan(3 << 20);
    const { evidence, sources } = await gather(put('large.log.gz', packed));
    expect(evidence).toMatchObject([{ kind: 'kernel-oom-kill', victim: { pid: 4711 } }]);
    expect(sources).toMatchObject([{ status: 'read' }]);
  });

  test('a packed file that was cut says so, and gives what stood before', async () => {
    const packed = gzipSync(`${kill('python3')}${'quiet\n'.repeat(200_000)}`);
    const { evidence, sources } = await gather(
      put('cut.log.gz', packed.subarray(0, packed.length - 20)),
    );
    expect(evidence).toMatchObject([{ kind: 'kernel-oom-kill', victim: { pid: 4711 } }]);
    expect(sources.map(({ status }) => status)).toContain('truncated');
  });

  // It unpacks as much as is allowed, which takes seconds.
  if (deep)
    test.skipIf(built !== null)(
      `a gzip bomb is cut off${built === null ? '' : ` (${built})`}`,
      () => {
        // Members of a gzip file follow each other: 3 GiB of zeros in 3 MB.
        const member = gzipSync(Buffer.alloc(64 << 20));
        const path = put('bomb.gz', Buffer.concat(Array.from({ length: 48 }, () => member)));
        const { stdout, status } = diagnose('--json', '-', path);
        expect(status).toBe(0);
        expect(reportOf(stdout)).toMatchObject({
          incidents: [],
          sources: [{ status: 'truncated', detail: expect.stringMatching(/unpacks to more than/) }],
        });
      },
    );

  test('a core that unpacks without end is cut off', async () => {
    const temporaryFolder = mkdtempSync(join(folder, 'unpack-'));
    const endless = (async function* () {
      yield nullCrash();
      for (;;) yield new Uint8Array(1 << 20);
    })();
    const { source, evidence } = await readCoreStream(endless, 'core', {
      temporaryFolder,
      maxUnpackedBytes: 1 << 28,
    });
    expect(source).toMatchObject({
      status: 'truncated',
      detail: expect.stringContaining('larger than any core'),
    });
    expect(evidence).toHaveLength(1);
    expect(readdirSync(temporaryFolder)).toEqual([]);
  });

  test('a core that would fill the disk is cut off', async () => {
    const temporaryFolder = mkdtempSync(join(folder, 'full-'));
    const endless = (async function* () {
      yield nullCrash();
      for (;;) yield new Uint8Array(1 << 20).fill(1);
    })();
    const { source } = await readCoreStream(endless, 'core', {
      temporaryFolder,
      maxStoredBytes: 8 << 20,
    });
    expect(source).toMatchObject({
      status: 'truncated',
      detail: expect.stringContaining('no more room'),
    });
    expect(readdirSync(temporaryFolder)).toEqual([]);
  });

  test('its copy has no name, so that a kill leaves nothing behind', async () => {
    const temporaryFolder = mkdtempSync(join(folder, 'nameless-'));
    let seen: readonly string[] = ['not looked'];
    let mode = 0;
    const chunks = (async function* () {
      yield nullCrash();
      seen = readdirSync(temporaryFolder);
      const open = readdirSync('/proc/self/fd')
        .map((fd) => `/proc/self/fd/${fd}`)
        .find((fd) => {
          try {
            return statSync(fd).nlink === 0 && statSync(fd).isFile();
          } catch {
            return false;
          }
        });
      if (open !== undefined) mode = statSync(open).mode & 0o777;
      yield new Uint8Array(16);
    })();
    await readCoreStream(chunks, 'core', { temporaryFolder });
    expect(seen).toEqual([]);
    expect(mode).toBe(0o600);
  });
});

describe('what a core may name', () => {
  const naming = (path: string) =>
    syntheticCore({
      notes: [
        prstatus({ id: 1, signal: 11, registers: { 16: 0x10000n, 19: 0x7000n } }),
        siginfo(11, 1, 0n),
        mappedFiles([{ start: 0x10000, end: 0x20000, page: 0, path }]),
      ],
      segments: [{ address: 0x10000, memoryBytes: 0x10000, flags: 5 }],
    });

  test.each([
    ['an endless device', '/dev/zero'],
    ['a folder', '/'],
    ['nothing', '/no/such/file'],
    ['a name with escapes', '/tmp/\u001b[2J'],
    ['a secret that is no ELF object', '/etc/passwd'],
  ])('%s: it is not read for memory', async (_, path) => {
    const core = put('naming.core', naming(path));
    const { evidence, source } = await readCoreFile(core, 'core');
    expect(source.status).toBe('read');
    expect(evidence[0]).toMatchObject({ signal: 'SIGSEGV' });
    expect(evidence[0]?.operand).toBeUndefined();
  });

  test.skipIf(command('mkfifo') !== null)('a FIFO: it is not waited for', async () => {
    const fifo = join(folder, 'library.so');
    spawnSync('mkfifo', [fifo]);
    expect((await readCoreFile(put('fifo.core', naming(fifo)), 'core')).source.status).toBe('read');
  });

  test('the environment of the process is not told', async () => {
    const stack = new Uint8Array(8192);
    stack.set(new TextEncoder().encode('AWS_SECRET_ACCESS_KEY=hunter2\0'), 8000);
    const core = put(
      'secret.core',
      syntheticCore({
        notes: [prstatus({ id: 1, signal: 11, registers: { 19: 0x7000n } })],
        segments: [{ address: 0x6000, content: stack }],
      }),
    );
    const reading = await readCoreFile(core, 'core');
    expect(JSON.stringify(reading)).not.toContain('hunter2');
    expect(readFileSync(core).includes('hunter2')).toBe(true);
  });
});
