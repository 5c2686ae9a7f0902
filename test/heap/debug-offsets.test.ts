/**
 * 3.14 describes its structs itself. For builds that cannot be had: a 3.13 whose image is rewritten as a 3.14 would have it (the longer
 * table, tagged references on the stack of calls) must give the same stacks.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { loadedObject } from '../../src/elf/index.ts';
import { findRuntime } from '../../src/python/interpreter/find-runtime.ts';
import { Interpreter } from '../../src/python/interpreter/interpreter.ts';
import { isRefusal } from '../../src/python/process/live-process.ts';
import { takeSnapshot } from '../../src/python/heap-snapshot.ts';
import { threadsOf } from '../../src/python/interpreter/stacks.ts';
import { Memory, type MemorySource } from '../../src/python/process/memory.ts';
import { toThread } from '../../src/python/interpreter/stacks.ts';
import { imageOf, sourceOf } from './spoil.ts';
import { collectorHeads } from '../../src/python/interpreter/runtime-state.ts';
import { newestVersions, stopped, versions, type Stopped } from './target.ts';

let target: Stopped | null = null;
afterEach(() => target?.end());
const newest = versions().find(([version]) => version === '3.13');

interface Change {
  readonly address: number;
  readonly value: number;
}

async function rewritten(more: (words: number[]) => void = () => {}) {
  target = await stopped(newest![1], 'small.py');
  const image = imageOf(target.pid);
  const source = sourceOf(image);
  const memory = new Memory(source);
  const runtime = findRuntime(memory);
  if (isRefusal(runtime)) throw new Error(`${runtime.detail}`);
  const python = new Interpreter(memory, runtime);
  const threads = threadsOf(python);
  const { layout, runtimeAddress } = runtime;
  const { interpreter, thread, frame, code } = layout;
  const gil = 5000;
  const table = [
    // runtime_state, interpreter_state
    [layout.runtime!.size, 0, layout.runtime!.interpretersHead],
    [interpreter.size, 0, interpreter.next, interpreter.threadsHead, interpreter.threadsHead + 8],
    [7400, interpreter.modules, interpreter.sysdict, interpreter.builtins, interpreter.gil!],
    [gil, 0, gil + layout.gil!.locked, gil + layout.gil!.lastHolder, 1234, 2345],
    // thread_state
    [400, 0, thread.next, thread.interpreter, thread.currentFrame!, thread.pthread],
    [thread.nativeId!, 200, 300],
    // interpreter_frame, with tlbc_index
    [frame!.localsplus + 8, frame!.previous, frame!.code, frame!.instruction],
    [frame!.localsplus, frame!.owner, frame!.stacktop!, 0],
    // code_object
    [code.bytecode! + 8, code.filename, code.name, code.qualname!, code.lineTable],
    [code.firstLine, 52, code.localsplusNames!, code.localsplusKinds!, code.bytecode!],
  ].flat();
  more(table);
  const version = 0x030e_00f0;
  const changes: Change[] = [
    { address: runtimeAddress! + 8, value: version },
    ...table.map((value, i) => ({ address: runtimeAddress! + 24 + 8 * i, value })),
    // Tagged: the reference is not counted.
    ...threads.flatMap(({ frames }) =>
      frames.map(({ address, code: { address: of } }) => ({ address, value: of + 1 })),
    ),
  ];
  const base = image.regions.find(({ path }) => path === runtime.path)!;
  const symbol = loadedObject(memory, base.start - base.offset)!.symbol('Py_Version')!;
  const set = ({ address, value }: Change, bytes: number) => {
    const i = image.regions.findIndex(({ start, end }) => address >= start && address < end);
    const part = image.parts[i]!;
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    view.setUint32(address - image.regions[i]!.start, value >>> 0, true);
    if (bytes === 8)
      view.setUint32(address - image.regions[i]!.start + 4, Math.floor(value / 2 ** 32), true);
  };
  for (const change of changes) set(change, 8);
  set({ address: symbol, value: version }, 4);
  return { expected: threads.map(toThread), source };
}

function lookAt(source: MemorySource) {
  const memory = new Memory(source);
  const runtime = findRuntime(memory);
  if (isRefusal(runtime)) return runtime;
  const python = new Interpreter(memory, runtime);
  return {
    runtime,
    picture: takeSnapshot({ memory, source, runtime, python }, { budgetMs: 5000 }),
  };
}

describe.skipIf(newest === undefined)('a synthesised 3.14 (needs CPython 3.13)', () => {
  test('its stacks are read, and no more', async () => {
    const { expected, source } = await rewritten();
    const found = lookAt(source);
    if (isRefusal(found)) throw new Error(`${found.detail}`);
    expect(found.runtime.version).toEqual({ major: 3, minor: 14, patch: 0 });
    expect(expected[0]!.stack.length).toBeGreaterThan(0);
    expect(found.picture.threads).toEqual(expected);
    expect(found.picture.types).toBeUndefined();
    expect(found.picture.notes).toEqual(['of CPython 3.14 only the stacks can be read']);
  });

  test('one whose table does not fit is refused', async () => {
    const { source } = await rewritten((words) => {
      // The size of a frame.
      words[words.length - 18]! += 16;
    });
    const found = lookAt(source);
    expect(isRefusal(found) ? found.detail : '').toMatch(/3\.14 is not laid out as expected/);
  });
});

/** The images of a real one, read as it is and after `change` has written into it. */
async function changedImage(
  python: string,
  change: (python: Interpreter, write: (address: number, value: number) => void) => void,
  [program, ...args]: readonly [string, ...string[]] = ['small.py'],
) {
  target = await stopped(python, program, args);
  const image = imageOf(target.pid);
  const source = sourceOf(image);
  const before = lookAt(source);
  const memory = new Memory(source);
  const runtime = findRuntime(memory);
  if (isRefusal(before) || isRefusal(runtime)) throw new Error('no CPython');
  const changes: Change[] = [];
  change(new Interpreter(memory, runtime), (address, value) => changes.push({ address, value }));
  for (const { address, value } of changes) {
    const i = image.regions.findIndex(({ start, end }) => address >= start && address < end);
    const part = image.parts[i]!;
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    view.setBigUint64(address - image.regions[i]!.start, BigInt(value), true);
  }
  return { before, after: lookAt(source), changes: changes.length };
}

const newestSkip = newestVersions().length === 0;
describe.skipIf(newestSkip).each(newestVersions())(
  'a changed CPython %s (needs the root folder of `npm run pythons`)',
  (version, python) => {
    test('marks in the links of the collector, as 3.14.0 to 3.14.4 have them, change nothing', async () => {
      const { before, after, changes } = await changedImage(python, (interpreter, write) => {
        const { memory, layout } = interpreter;
        for (const head of collectorHeads(interpreter))
          for (let at = memory.word(head); at !== head; at = memory.word(at))
            write(at, memory.word(at) + 1);
        expect(layout.gc.headSize).toBe(16);
      });
      expect(changes).toBeGreaterThan(1000);
      if (isRefusal(after)) throw new Error(`${after.detail}`);
      expect(after.picture.types).toEqual(before.picture.types);
      expect(after.picture.types!.length).toBeGreaterThan(10);
    });

    test('in the midst of a collection, whose links do not lead back, its objects are read too', async () => {
      const inACollection = (isCollecting: number) =>
        changedImage(python, ({ memory, layout, runtime }, write) => {
          const { gcGenerations, gcCollecting } = layout.interpreter;
          const oldest = runtime.interpreter + gcGenerations! + 2 * layout.gc.generationSize;
          // What was last has been moved to those that may be garbage: the link leads to something of another list.
          const first = memory.word(oldest);
          write(oldest + 8, runtime.typeType);
          // The first has its count there.
          if (first !== oldest) write(first + 8, 6);
          write(runtime.interpreter + gcCollecting!, isCollecting);
        });
      const { before, after } = await inACollection(1);
      if (isRefusal(after)) throw new Error(`${after.detail}`);
      expect(after.picture.types).toEqual(before.picture.types);
      target?.end();
      const other = await inACollection(0);
      if (isRefusal(other.after)) throw new Error(`${other.after.detail}`);
      expect(other.after.picture.types).toBeUndefined();
    });

    test('objects that lie elsewhere are left out, and that is said', async () => {
      const { after } = await changedImage(python, ({ runtime, layout, memory }, write) => {
        // As if a tuple had one more field.
        const mro = memory.word(runtime.typeType + layout.type.mro);
        write(mro + layout.tuple!.items + 8, runtime.typeType);
        write(mro + layout.tuple!.items, 1);
      });
      if (isRefusal(after)) throw new Error(`${after.detail}`);
      expect(after.picture.types).toBeUndefined();
      expect(after.picture.threads!.length).toBeGreaterThan(0);
      expect(after.picture.notes).toEqual([`of CPython ${version} only the stacks can be read`]);
    });

    /** As it would be of another patch release, with the collector on or off, and so many dropped objects. */
    const smellsOfPatch = async (patch: number, isOn: boolean, dropped: number) => {
      const { after } = await changedImage(
        python,
        ({ runtime, layout, memory }, write) => {
          const base = memory.regions.find(({ path }) => path === runtime.path)!;
          const symbol = loadedObject(memory, base.start - base.offset)!.symbol('Py_Version')!;
          const numbers = version.split('.').map(Number);
          write(symbol, ((3 << 24) | (numbers[1]! << 16) | (patch << 8) | 0xf0) >>> 0);
          write(runtime.interpreter + layout.interpreter.gcEnabled!, isOn ? 1 : 0);
        },
        ['cycles.py', String(dropped)],
      );
      if (isRefusal(after)) throw new Error(`${after.detail}`);
      expect(after.runtime.version.patch).toBe(patch);
      return (after.picture.smells ?? []).filter(({ id }) => id === 'incremental-collector');
    };

    test('garbage of 3.14.0 to 3.14.4 is told with its share; of others, and where it is little or wanted, it is not', async () => {
      for (const patch of [0, 4]) {
        const found = await smellsOfPatch(patch, true, 30_000);
        if (version !== '3.14') expect(found).toEqual([]);
        else {
          expect(found[0]?.says).toMatch(
            new RegExp(`, [4-9]\\d % of all objects, .* CPython 3\\.14\\.${patch} collects`),
          );
          expect(found[0]?.savesBytes).toBeGreaterThan(3e6);
        }
      }
      expect(await smellsOfPatch(5, true, 30_000)).toEqual([]);
      expect(await smellsOfPatch(2, false, 30_000)).toEqual([]);
      expect(await smellsOfPatch(2, true, 1000)).toEqual([]);
    });
  },
);
