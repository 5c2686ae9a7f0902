import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { EventLine } from '../model/incident-folder.ts';
import { newIncidentId, openIncident } from '../store/incidents.ts';
import type { Companion } from './companion.ts';
import { record } from './recorder.ts';

const store = mkdtempSync(join(tmpdir(), 'coroner-recorder-'));
afterAll(() => rmSync(store, { recursive: true, force: true }));

const untouched = {
  stdio: 'ignore' as const,
  started: () => {},
  shared: false,
  finish: () => Promise.resolve(null),
};
const fail = (what: string) => () => {
  throw new Error(`${what} fails`);
};

test.skipIf(process.platform !== 'linux')(
  'recorder failures are logged, never propagated',
  async () => {
    const companion: Companion = {
      prepare: fail('prepare'),
      started: fail('started'),
      onSample: fail('onSample'),
      notable: fail('notable'),
      ended: fail('ended'),
    };
    const writer = openIncident(store, newIncidentId(new Date()));
    const result = await record({
      command: ['/bin/sh', '-c', 'exit 3'],
      version: '0',
      writer,
      env: process.env,
      stderr: { ...untouched, started: fail('stderr'), finish: () => Promise.reject(new Error()) },
      options: {},
      companions: [companion],
      say: () => {},
    });
    writer.close();
    expect(result).toMatchObject({ ending: { exitCode: 3, signal: null }, notable: true });
    const notes = readFileSync(join(writer.folder!, 'events.ndjson'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as EventLine)
      .flatMap((event) => (event.what === 'note' ? [event.text] : []));
    for (const what of ['prepare', 'stderr', 'started', 'onSample', 'notable', 'ended'])
      expect(notes).toContainEqual(expect.stringContaining(`${what} fails`));
  },
);

test('a command that cannot be started leaves a closed recording', async () => {
  const writer = openIncident(store, newIncidentId(new Date()));
  const result = await record({
    command: ['no-such-command-at-all'],
    version: '0',
    writer,
    env: process.env,
    stderr: untouched,
    options: {},
    say: () => {},
  });
  writer.close();
  expect(result).toMatchObject({ launchError: { code: 'ENOENT', exitCode: 127 } });
  const end: unknown = JSON.parse(readFileSync(join(writer.folder!, 'end.json'), 'utf8'));
  expect(end).toMatchObject({ exitCode: null, signal: null });
});
