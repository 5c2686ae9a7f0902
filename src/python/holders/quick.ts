import type { Holder } from '../../model/report.ts';
import type { Bytes, Ms } from '../../model/units.ts';
import { Census } from '../heap/census.ts';
import { Describer } from '../objects/describe.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { isPlausible } from '../process/memory.ts';
import { namedEntries, partsOf, type Part } from '../objects/names.ts';
import { kinds } from '../objects/types.ts';
import type { Frame, PythonThread } from '../interpreter/stacks.ts';

const leastBytes = 1 << 20;
const maxFrames = 60;
const maxNamed = 4000;
/** Items looked at in a container, by depth: the first level decides the figure. */
const samples = [32, 6, 3, 2];

/**
 * The large values of locals and of the program's own globals within milliseconds, before everything is counted:
 * buffers by their size, containers by their length and samples of their items. Estimates, and called so.
 */
export function quickHolders(
  python: Interpreter,
  threads: readonly PythonThread[],
  deadline: Ms,
): readonly Holder[] {
  const census = new Census(python, { deadline });
  const describe = new Describer(census);
  const { memory, minor } = python;
  const found = new Map<number, Holder>();
  let named = 0;

  const references = (object: number): number => {
    const count = minor >= 12 ? memory.u32(object) : memory.word(object);
    return count === 0 ? Infinity : count;
  };
  const estimate = (object: number, depth: number): Bytes => {
    const type = describe.typeOf(object);
    if (type === null || type.isSingleton || !census.isAlive(object)) return 0;
    if (type.kind === kinds.module || type.kind === kinds.type || type.kind === kinds.function)
      return 0;
    const own = describe.sizeOf(object);
    if (type.isAtomic || depth >= samples.length || performance.now() > deadline) return own;
    const length = describe.length(object);
    if (length !== null && length > 0) {
      const items = describe.sample(object, samples[depth]!);
      if (items.length === 0) return own;
      // What many share is nobody's: a share of each.
      const sum = items.reduce(
        (total, item) => total + estimate(item, depth + 1) / Math.min(references(item), 1e6),
        0,
      );
      const used = type.kind === kinds.ndarray ? 0 : 1;
      return (
        own + (sum / items.length) * (used === 0 ? length : Math.min(length, memory.writableBytes))
      );
    }
    if (type.kind !== kinds.generic && type.isExact) return own;
    let total = own;
    for (const { address } of partsOf(census, object, type).slice(0, 64))
      total += estimate(address, depth + 1) / Math.min(references(address), 1e6);
    if (type.kind === kinds.generic && !type.isHeap) return total;
    return total;
  };

  const consider = (part: Part, prefix: string, place: Part['place'], depth: number) => {
    if (named++ > maxNamed || performance.now() > deadline) return;
    const { address, scope } = part;
    const type = describe.typeOf(address);
    if (type === null || type.isAtomic !== true) {
      if (type === null) return;
    }
    const name = `${prefix}${part.name}`;
    const known = found.get(address);
    const where = part.place ?? place;
    if (known !== undefined) {
      if (known.alsoHeldBy.length < 4 && known.name !== name)
        found.set(address, {
          ...known,
          alsoHeldBy: [
            ...known.alsoHeldBy,
            where === undefined ? name : `${name} in ${where.function}()`,
          ],
        });
      return;
    }
    const isInstance = type.kind === kinds.generic && type.isHeap;
    if (isInstance && depth < 2) {
      for (const inner of partsOf(census, address, type).slice(0, 256))
        consider(inner, `${name}.`, where, depth + 1);
    }
    if (isInstance && !/^(pandas|polars|pyarrow|torch)\b/.test(type.name)) return;
    const bytes = Math.min(estimate(address, 0), memory.writableBytes);
    if (bytes < leastBytes) return;
    const items = describe.sample(address, 1);
    const inside = items.length === 0 ? '' : ` -> ${describe.label(items[0]!)}`;
    found.set(address, {
      name,
      scope,
      function: where?.function ?? null,
      file: where?.file ?? null,
      line: where?.line ?? null,
      path: `${name} -> ${describe.label(address)}${inside}`,
      type: type.name,
      ownBytes: describe.sizeOf(address),
      retainedBytes: Math.round(bytes),
      alsoHeldBy: [],
      estimate: true,
    });
  };

  for (const interpreter of python.interpreters()) {
    const main = python.moduleDict(interpreter, '__main__');
    const file = python.dictValue(main, '__file__');
    const place = { function: '<module>', file: python.string(file), line: 0 };
    for (const part of namedEntries(census, main, 'global'))
      if (!part.name.startsWith('__')) consider(part, '', undefined, 0);
    void place;
  }
  for (const thread of threads)
    for (const frame of thread.frames.slice(0, maxFrames)) {
      const place = { function: frame.code.name, file: frame.code.file, line: frame.line };
      for (const part of frameParts(python, census, frame)) consider(part, '', place, 0);
    }
  return [...found.values()].sort((a, b) => b.retainedBytes - a.retainedBytes).slice(0, 40);
}

/** Locals, and containers on the evaluation stack. */
function frameParts(python: Interpreter, census: Census, frame: Frame): readonly Part[] {
  const { memory } = python;
  const { code, slots } = frame;
  const parts: Part[] = [];
  for (const [i, name] of code.names.entries()) {
    let address = memory.word(slots + 8 * i);
    if ((code.kinds[i]! & 0xc0) !== 0 && python.typeName(address) === 'cell')
      address = memory.word(address + 16);
    if (isPlausible(address)) parts.push({ name, address, scope: 'local' });
  }
  const stack = slots + 8 * code.names.length;
  for (let i = 0; i < Math.min(code.stackSize, 64); i++) {
    const address = memory.word(stack + 8 * i);
    if (!isPlausible(address) || !memory.isNearMapped(address)) continue;
    const type = census.types.of(address);
    if (
      type === null ||
      !census.isAlive(address) ||
      type.kind < kinds.bytes ||
      type.kind > kinds.bytearray
    )
      continue;
    parts.push({ name: '(being built)', address, scope: 'stack' });
  }
  return parts;
}
