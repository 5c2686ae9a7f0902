/** A process that is not stopped: what was freed and used again between two reads is not told. */
import { afterEach, describe, expect, test } from 'vitest';
import { findRuntime } from '../../src/python/interpreter/find-runtime.ts';
import { Interpreter } from '../../src/python/interpreter/interpreter.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { smallChunks, type Target } from '../../src/python/target.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import { Memory, type MemorySource } from '../../src/python/process/memory.ts';
import { imageOf, sourceOf } from './spoil.ts';
import { stopped, triedVersions, type Stopped } from './target.ts';

let process: Stopped | null = null;
afterEach(() => {
  process?.end();
  process = null;
});

function targetOf(source: MemorySource): Target {
  const memory = new Memory(source, 256, smallChunks);
  const runtime = findRuntime(memory);
  if (isRefusal(runtime)) throw new Error(`${runtime.detail}`);
  return { memory, source, runtime, python: new Interpreter(memory, runtime) };
}

describe.each(triedVersions())('CPython %s', (_, python) => {
  test('a code whose file was another one a moment before ends the stack', async () => {
    process = await stopped(python, 'tiny.py', [], { flags: ['-I', '-S'] });
    const image = imageOf(process.pid);
    process.end();
    const still = sourceOf(image);
    const { python: reader, memory } = targetOf(still);
    const { frames } = threadsOf(reader)[0]!;
    expect(frames.length).toBeGreaterThan(1);
    const outer = frames.at(-1)!.code.address;
    const at = outer + reader.layout.code.filename;
    const name = memory.word(outer + (reader.layout.code.qualname ?? reader.layout.code.name));
    // Until the memory is read anew, the file of the outermost call is what is its name afterwards.
    const torn = (): Target => {
      let isTorn = true;
      const target = targetOf({
        ...still,
        read: (address, into) => {
          const read = still.read(address, into);
          if (isTorn && address <= at && at + 8 <= address + read)
            new DataView(into.buffer, into.byteOffset).setBigUint64(
              at - address,
              BigInt(name),
              true,
            );
          return read;
        },
      });
      const { memory: small } = target;
      const forget = small.forget.bind(small);
      small.forget = () => {
        isTorn = false;
        forget();
      };
      return target;
    };
    const calls = (moves: boolean) =>
      takeSnapshot(torn(), { budgetMs: 10_000, stacksOnly: true, moves }).threads![0]!.stack.map(
        ({ function: called, file }) => [called, file],
      );
    const whole = frames.map(({ code }) => [code.name, code.file]);
    expect(calls(false)).toEqual([...whole.slice(0, -1), [whole.at(-1)![0], whole.at(-1)![0]]]);
    expect(calls(true)).toEqual(whole.slice(0, -1));
  });
});
