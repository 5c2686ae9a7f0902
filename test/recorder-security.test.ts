/** What the recorder stores and who may read it: the claims of docs/threat-model.md about `coroner run`. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openIncident } from '../src/store/incidents.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const built = existsSync(join(root, 'dist/cli/main.js')) ? null : 'needs npm run build';
let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'coroner-security-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const everything = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath ?? entry.path, entry.name),
  );

describe('the incident folder', () => {
  let store = '';
  const secret = 'correct-horse-battery';
  beforeAll(() => {
    store = join(work, 'store');
    if (built !== null) return;
    spawnSync(
      'sh',
      [
        '-c',
        'umask 000; exec "$@"',
        'sh',
        process.execPath,
        join(root, 'bin/coroner.js'),
        'run',
        '--output',
        store,
        'sh',
        '-c',
        'sleep 0.3; exit 3',
        `--password=${secret}`,
        '--token',
        secret,
        `postgres://user:${secret}@db/shop`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, API_KEY: secret } },
    );
  });
  test.skipIf(built !== null)(
    `is its owner's alone, whatever the umask is${built ? ` (${built})` : ''}`,
    () => {
      expect(everything(store).length).toBeGreaterThan(3);
      for (const path of everything(store))
        expect((statSync(path).mode & 0o077).toString(8), path).toBe('0');
    },
  );
  test.skipIf(built !== null)(
    `holds no environment, and no secret of the command line${built ? ` (${built})` : ''}`,
    () => {
      for (const path of everything(store).filter((file) => statSync(file).isFile()))
        expect(readFileSync(path, 'latin1').includes(secret), path).toBe(false);
    },
  );
});

describe('links and names that others prepared', () => {
  test('a folder of the same name is not used, what a link points to is not written', () => {
    const parent = join(work, 'prepared');
    mkdirSync(parent);
    const target = join(work, 'precious');
    mkdirSync(target);
    writeFileSync(join(target, 'incident.json'), 'precious');
    symlinkSync(target, join(parent, '20260101-000000-abcdef'));
    const writer = openIncident(parent, '20260101-000000-abcdef');
    writer.append('incident.json', 'overwritten');
    writer.close();
    expect(readFileSync(join(target, 'incident.json'), 'utf8')).toBe('precious');
    expect(writer.faults()[0]).toMatch(/EEXIST/);
    expect(writer.folder?.startsWith(parent)).toBe(false);
    rmSync(join(writer.folder ?? work, '..'), { recursive: true, force: true });
  });
  test('a file that appeared in the folder is not opened', () => {
    const parent = join(work, 'appeared');
    const writer = openIncident(parent, '20260101-000000-abcdee');
    const target = join(work, 'other');
    writeFileSync(target, 'precious');
    symlinkSync(target, join(writer.folder ?? '', 'samples.ndjson'));
    writer.append('samples.ndjson', 'overwritten');
    writer.close();
    expect(readFileSync(target, 'utf8')).toBe('precious');
    // It is kept in memory instead, so that the verdict still has it.
    expect(writer.text('samples.ndjson')).toBe('overwritten');
  });
  test('a parent that cannot be written leads to a private folder with a name that cannot be guessed', () => {
    const parent = join(work, 'file');
    writeFileSync(parent, '');
    chmodSync(parent, 0o600);
    const writer = openIncident(parent, '20260101-000000-abcded');
    writer.close();
    expect(writer.folder).toMatch(/coroner-[A-Za-z0-9]{6}/);
    const holder = join(writer.folder ?? '', '..');
    expect(statSync(holder).mode & 0o077).toBe(0);
    rmSync(holder, { recursive: true });
  });
});
