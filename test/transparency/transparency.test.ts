/** "`run` changes nothing for the command", situation by situation (situations.ts). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deep, helper } from '../have.ts';
import { compare, compileProbe, type Way } from './compare.ts';
import { foreignSituations } from './foreign.ts';
import { situations } from './situations.ts';

// CORONER_WAY=node shows what is different where Node starts the command: for a look, not for a pass.
const way = (process.env['CORONER_WAY'] ?? 'helper') as Way;
const reason = helper();
let folder = '';
let probe = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coroner-probe-'));
  if (reason === null) probe = compileProbe(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(reason !== null)(
  `the same bare and under run${reason ? ` (${reason})` : ''}`,
  () => {
    const asked = [...situations, ...foreignSituations].filter(
      (situation) => deep || situation.deep !== true,
    );
    for (const situation of asked) {
      const lacks = situation.needs ?? null;
      test
        .skipIf(lacks !== null)
        .concurrent(`${situation.name}${lacks === null ? '' : ` (${lacks})`}`, async () => {
          expect(await compare(situation, probe, way)).toEqual([]);
        });
    }
  },
);
