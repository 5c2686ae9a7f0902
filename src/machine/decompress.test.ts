import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decompress, compressionOf } from './decompress.ts';

const zstd = spawnSync('zstd', ['--version']).status === 0 ? null : 'needs zstd';
const original = Buffer.concat([randomBytes(300_000), Buffer.alloc(3 << 20, 'memory ')]);
const pack = (): Buffer =>
  spawnSync('zstd', ['-c', '-q'], { input: original, maxBuffer: 1 << 26 }).stdout;
async function* pieces(packed: Buffer, size = 4096): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < packed.length; at += size) yield packed.subarray(at, at + size);
}
const unpack = async (packed: Buffer): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompress('zstd', pieces(packed))) chunks.push(chunk);
  return Buffer.concat(chunks);
};

let path: string | undefined;
beforeEach(() => {
  path = process.env['PATH'];
});
afterEach(() => {
  process.env['PATH'] = path;
});

test.skipIf(zstd !== null)(
  `zstd, also where there is no command for it (${zstd ?? 'zstd'})`,
  async () => {
    const packed = pack();
    expect(compressionOf(packed)).toBe('zstd');
    expect((await unpack(packed)).equals(original)).toBe(true);
    process.env['PATH'] = '/nowhere';
    expect((await unpack(packed)).equals(original)).toBe(true);
  },
);

test.skipIf(zstd !== null)(`zstd that is damaged or cut short (${zstd ?? 'zstd'})`, async () => {
  const packed = pack();
  process.env['PATH'] = '/nowhere';
  await expect(unpack(packed.subarray(0, packed.length >> 1))).rejects.toThrow(/damaged/);
  const spoilt = Buffer.from(packed);
  spoilt.fill(0xff, 200_000, 200_100);
  spoilt.fill(0xff, 5, 60);
  await expect(unpack(spoilt)).rejects.toThrow(/damaged/);
});
