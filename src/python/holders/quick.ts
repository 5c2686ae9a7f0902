import { unnamedHolders } from '../../model/holder-kinds.ts';
import type { Holder, HolderKind } from '../../model/report.ts';
import type { Bytes, Ms } from '../../model/units.ts';
import { Census } from '../heap/census.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import type { Frame, PythonThread } from '../interpreter/stacks.ts';
import { Describer } from '../objects/describe.ts';
import { namedEntries, partsOf, type Part } from '../objects/names.ts';
import { kinds, type TypeInfo } from '../objects/types.ts';
import { isPlausible } from '../process/memory.ts';

/** Smaller values are left out. */
const leastBytes = 1 << 20;
const maxFrames = 60;
/** Named values that are estimated, attributes among them. */
const maxNamed = 4000;
const maxShown = 40;
const maxOtherNames = 4;
/** Items of a container that are sampled, by depth: the first level decides the figure. */
const samples = [32, 6, 3, 2];
const maxAttributes = 64;
const maxAttributeDepth = 2;
/** More references than this are damage. */
const mostReferences = 1e6;

type Place = NonNullable<Part['place']>;

/**
 * The large values of locals and of the program's own globals within milliseconds, before everything is counted: buffers by their size,
 * containers by their length and samples of their items. All sizes are estimates. What is found by the deadline (`performance.now()`)
 * comes back, the largest first.
 */
export function quickHolders(
  python: Interpreter,
  threads: readonly PythonThread[],
  deadline: Ms,
): readonly Holder[] {
  const quick = new QuickLook(python, deadline);
  for (const interpreter of python.interpreters())
    for (const part of namedEntries(
      quick.census,
      python.moduleDict(interpreter, '__main__'),
      'global',
    ))
      if (!part.name.startsWith('__')) quick.consider(part, 'variable', null);
  for (const { frames } of threads)
    for (const frame of frames.slice(0, maxFrames)) {
      const place = { function: frame.code.name, file: frame.code.file, line: frame.line };
      for (const part of localsOf(python, frame)) quick.consider(part, 'variable', place);
      for (const part of beingBuilt(quick.census, frame))
        quick.consider(part, 'being-built', place);
    }
  return quick.holders();
}

/** Estimates the size of named values and keeps those that are large. */
class QuickLook {
  /** Counts nothing: it knows the types of single objects. */
  readonly census: Census;
  private readonly describe: Describer;
  private readonly deadline: Ms;
  /** By address. */
  private readonly found = new Map<number, Holder>();
  private named = 0;

  constructor(python: Interpreter, deadline: Ms) {
    this.census = new Census(python, { deadline });
    this.describe = new Describer(this.census);
    this.deadline = deadline;
  }

  holders(): readonly Holder[] {
    return [...this.found.values()]
      .sort((a, b) => b.retainedBytes - a.retainedBytes)
      .slice(0, maxShown);
  }

  /** Looks at a named value, and at its attributes where it is an instance of a class. `place`: null for a global. */
  consider(part: Part, kind: HolderKind, place: Place | null, prefix = '', depth = 0): void {
    if (this.named++ > maxNamed || performance.now() > this.deadline) return;
    const { address } = part;
    const type = this.describe.typeOf(address);
    if (type === null) return;
    const name = `${prefix}${part.name}`;
    const where = part.place ?? place;
    if (this.found.has(address)) {
      this.addName(address, name, where);
      return;
    }
    const isInstance = type.kind === kinds.generic && type.isHeap;
    if (isInstance && depth < maxAttributeDepth)
      for (const inner of partsOf(this.census, address, type).slice(0, 256))
        this.consider(inner, kind, where, `${name}.`, depth + 1);
    if (isInstance && !/^(pandas|polars|pyarrow|torch)\b/.test(type.name)) return;
    const bytes = Math.min(this.estimate(address, 0), this.census.memory.writableBytes);
    if (bytes < leastBytes) return;
    const [item] = this.describe.sample(address, 1);
    const inside = item === undefined ? '' : ` -> ${this.describe.label(item)}`;
    this.found.set(address, {
      name,
      kind,
      scope: part.scope,
      function: where?.function ?? null,
      file: where?.file ?? null,
      line: where?.line ?? null,
      path: `${name} -> ${this.describe.label(address)}${inside}`,
      type: type.name,
      ownBytes: this.describe.sizeOf(address),
      retainedBytes: Math.round(bytes),
      alsoHeldBy: [],
      estimate: true,
    });
  }

  /** Another name of a value that was found before. */
  private addName(address: number, name: string, place: Place | null): void {
    const known = this.found.get(address)!;
    if (known.alsoHeldBy.length >= maxOtherNames || known.name === name) return;
    const told = place === null ? name : `${name} in ${place.function}()`;
    this.found.set(address, { ...known, alsoHeldBy: [...known.alsoHeldBy, told] });
  }

  private estimate(object: number, depth: number): Bytes {
    const { census, describe } = this;
    const type = describe.typeOf(object);
    if (type === null || type.isSingleton || !census.isAlive(object)) return 0;
    if (type.kind === kinds.module || type.kind === kinds.type || type.kind === kinds.function)
      return 0;
    const own = describe.sizeOf(object);
    if (type.isAtomic || depth >= samples.length || performance.now() > this.deadline) return own;
    const length = describe.length(object);
    if (length !== null && length > 0) return own + this.itemsBytes(object, type, length, depth);
    if (type.kind !== kinds.generic && type.isExact) return own;
    return partsOf(census, object, type)
      .slice(0, maxAttributes)
      .reduce((total, { address }) => total + this.share(address, depth + 1), own);
  }

  /** Bytes of all items of a container, by those of samples. */
  private itemsBytes(object: number, type: TypeInfo, length: number, depth: number): Bytes {
    const items = this.describe.sample(object, samples[depth]!);
    if (items.length === 0) return 0;
    const sum = items.reduce((total, item) => total + this.share(item, depth + 1), 0);
    // A damaged length must not exceed what is mapped; an array may be far longer than its memory that was touched.
    const { writableBytes } = this.census.memory;
    const count = type.kind === kinds.ndarray ? length : Math.min(length, writableBytes);
    return (sum / items.length) * count;
  }

  /** What many share is nobody's: each of those who refer to an object keeps a share of it. */
  private share(object: number, depth: number): Bytes {
    const references = this.census.python.references(object) || Infinity;
    return this.estimate(object, depth) / Math.min(references, mostReferences);
  }
}

/** Locals of a call, with the values of cells. */
function localsOf(python: Interpreter, { code, slots }: Frame): readonly Part[] {
  const { memory } = python;
  return code.names.flatMap((name, i): readonly Part[] => {
    let address = python.reference(memory.word(slots + 8 * i));
    // 0x40 and 0x80: CO_FAST_CELL and CO_FAST_FREE.
    if ((code.kinds[i]! & 0xc0) !== 0 && python.typeName(address) === 'cell')
      address = memory.word(address + 16);
    return isPlausible(address) ? [{ name, address, scope: 'local' }] : [];
  });
}

/** Containers on a call's evaluation stack. */
function beingBuilt(census: Census, { code, slots }: Frame): readonly Part[] {
  const { memory, python, types } = census;
  const stack = slots + 8 * code.names.length;
  const parts: Part[] = [];
  for (let i = 0; i < Math.min(code.stackSize, 64); i++) {
    const address = python.reference(memory.word(stack + 8 * i));
    if (!isPlausible(address) || !memory.isNearMapped(address)) continue;
    const type = types.of(address);
    if (type === null || !census.isAlive(address)) continue;
    if (type.kind >= kinds.bytes && type.kind <= kinds.bytearray)
      parts.push({ name: unnamedHolders['being-built'], address, scope: 'stack' });
  }
  return parts;
}
