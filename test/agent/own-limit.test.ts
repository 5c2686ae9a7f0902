/** A process that a limit of its own refuses (`ulimit -v`) waits at the refusal for a snapshot: nothing is as near to its death. */
import { describe, expect, test } from 'vitest';
import type { Ask } from '../../src/record/final-snapshot/ask-file.ts';
import { everyPython } from '../have.ts';
import { noAgent, underAgent } from './under-agent.ts';

const found = [...everyPython()];
const [, python = ''] =
  found.find(([version]) => version.startsWith('3.11.')) ?? found.at(-1) ?? [];
const reason = python === '' ? 'needs CPython 3.6 to 3.15' : noAgent(python);
const limitMib = 200;
const within = ['sh', '-c', `ulimit -v ${limitMib * 1024}; exec "$@"`, 'sh'];

async function asksOf(code: string, enter: readonly string[] = within) {
  const asks: Ask[] = [];
  const { stdout, files, waitingPid } = await underAgent([python, '-c', code], {
    enter,
    answering: (ask) => asks.push(ask),
  });
  expect(waitingPid).toBe(0);
  return { stdout, asks, pid: files[0]?.pid };
}
/** It catches what it is refused, `times` times, and holds what it had. */
const grows = (times: number) => `
rows = []
for _ in range(${times}):
    try:
        while True: rows.append(bytearray(b'x') * 1000000)
    except MemoryError: print('refused')
`;

describe.skipIf(reason !== null)(
  `a limit of the process${reason === null ? '' : ` (${reason})`}`,
  () => {
    test('who is refused is looked at once, and not again while it holds the same', async () => {
      const { stdout, asks, pid } = await asksOf(grows(50));
      expect(stdout.trim().split('\n')).toHaveLength(50);
      expect(asks.map((ask) => ask.pid)).toEqual([pid]);
      expect(asks[0]!.usedBytes).toBeGreaterThan(0.9 * limitMib * 2 ** 20);
      expect(asks[0]!.usedBytes).toBeLessThanOrEqual(limitMib * 2 ** 20);
      expect(asks[0]!.requestBytes).toBeGreaterThanOrEqual(1_000_000);
    });

    test('a block that grows beyond all that is allowed asks too', async () => {
      const { asks } = await asksOf(`
block = bytearray(120 << 20)
try: block.extend(bytes(20 << 20) + block[:0])
except MemoryError: pass
try: block += bytes(70 << 20)
except MemoryError: print('refused')
`);
      expect(asks).toHaveLength(1);
    });

    test('a size far above the limit is no shortage: nobody waits', async () => {
      const { stdout, asks } = await asksOf(
        "try: bytearray(10**12)\nexcept MemoryError: print('refused')",
      );
      expect({ stdout, asks }).toEqual({ stdout: 'refused\n', asks: [] });
    });

    test('without a limit nobody waits either', async () => {
      const { stdout, asks } = await asksOf(
        "try: bytearray(1 << 62)\nexcept MemoryError: print('refused')",
        [],
      );
      expect({ stdout, asks }).toEqual({ stdout: 'refused\n', asks: [] });
    });

    test('where nobody answers it is refused after its time', async () => {
      const { stdout, promisedUntilNs, waitingPid } = await underAgent([python, '-c', grows(2)], {
        enter: within,
        answering: null,
      });
      expect({ stdout, promisedUntilNs, waitingPid }).toEqual({
        stdout: 'refused\nrefused\n',
        promisedUntilNs: 0n,
        waitingPid: 0,
      });
    });
  },
);
