import { unnamedHolders } from '../../model/holder-kinds.ts';
import type { Holder, HolderKind, HolderScope } from '../../model/report.ts';
import type { Bytes, Ms } from '../../model/units.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import { collectorHeads } from '../interpreter/runtime-state.ts';
import type { Frame, PythonThread } from '../interpreter/stacks.ts';
import { Describer } from '../objects/describe.ts';
import { namedEntries, partsOf, type Part } from '../objects/names.ts';
import { kinds, type TypeInfo } from '../objects/types.ts';
import { linkReader } from '../process/links.ts';
import { isPlausible } from '../process/memory.ts';
import { unnamedHolder } from './row.ts';
import { awaiting, awaitingFromC, placeOf, type Awaiting } from '../heap/awaiting.ts';
import { heldByC, isData } from './held-by-c.ts';
import { isOwnFile, OwnModules } from '../heap/own-modules.ts';
import { shareOfPools } from './pools.ts';
import { residentOf } from './resident-data.ts';
import { SampledWalk } from './sampled-walk.ts';
import { isOpaque } from './root-names.ts';

/** Smaller values are left out. */
const leastBytes = 1 << 20;
/** Calls at both ends of a stack that are looked at, and samples between. */
const endFrames = 60;
const sampledFrames = 120;
/** Names, those of attributes among them. */
const maxNames = 20_000;
const maxShown = 40;
const maxOtherNames = 4;
const maxAttributes = 256;
const maxDots = 5;
const maxSteps = 6;
/** A holder gives way to its attributes where these keep this much of it; what is not the program's own, to less. */
const explainedShare = 0.8;
const explainedShareOfOthers = 0.5;
/** What keeps this much of its parent is the way to most of the bytes. */
const mostShare = 0.5;

/** Less than this, and than this share of the process, needs no explanation. */
const leastUnexplained = 16 << 20;
const leastUnexplainedShare = 0.5;
/** A walk that found less of what it looked for says nothing of the rest. */
const leastFound = 0.2;
/** A collector begins at some thousands of new objects. */
const mostYoung = 20_000;

type Place = NonNullable<Part['place']>;

/** What a walk with samples found. */
export interface QuickPicture {
  /** The largest first. */
  readonly holders: readonly Holder[];
  /** How many objects there are below all names, and their bytes. */
  readonly objects: number;
  readonly bytes: Bytes;
  /** False: the time was over before everything was followed. */
  readonly isWhole: boolean;
}

interface Name {
  readonly name: string;
  readonly kind: HolderKind;
  readonly scope: HolderScope;
  readonly place: Place | null;
  /** The variable's own, not that of a library's call. */
  readonly isOwn: boolean;
  /** Address of the object whose attribute it is; 0: of none. */
  readonly of: number;
  readonly also: string[];
  /** The variable that is to receive it; null: it is no value under way, or nobody knows. */
  readonly awaited: Awaiting | null;
}

const beingBuiltName = unnamedHolders['being-built'];

/**
 * The large values of locals and of the program's own globals within milliseconds, before everything is counted: what a walk with samples
 * reaches from each name. All sizes are estimates. What is found by the deadline (`performance.now()`) comes back, the largest first.
 * `modules`: what an earlier snapshot of the process found of its modules.
 */
export function quickHolders(
  python: Interpreter,
  threads: readonly PythonThread[],
  deadline: Ms,
  modules: OwnModules = new OwnModules(),
): QuickPicture {
  const look = new QuickLook(python, deadline);
  for (const interpreter of python.interpreters())
    for (const { prefix, dict } of modules.of(python, interpreter))
      for (const part of namedEntries(look.walk, dict, 'global'))
        if (!/^__.*__$/.test(part.name)) look.root(part, nameOfPart(part, prefix));
  const ofMain = unexplainedOwner(python, threads.slice(0, 1));
  for (const thread of threads)
    for (const part of threadLocals(look.walk, thread))
      look.root(part, nameOfPart(part, 'threading.local().'));
  // What the program's own variables keep is told neither by the names that a library has for it, nor as a value on a stack.
  for (const isOwn of [true, false])
    for (const lookAt of [lookAtLocals, lookAtStack]) {
      // What a walk that is over cannot follow any more would stand for what it has not reached.
      if (!look.walk.isWhole) break;
      for (const { frames } of threads)
        for (const { index, standsFor } of someCalls(frames))
          if (isOwnFile(frames[index]!.code.file) === isOwn)
            lookAt({ look, python, frames, index, standsFor, ofMain });
      look.walk.run();
    }
  // What only C code holds comes last: whatever has a name has been found by then.
  for (const { frames, native } of look.walk.isWhole ? threads : []) {
    const held = new Set(heldByC(look.walk, native));
    if (held.size === 0 || frames.length === 0) continue;
    const awaited = awaitingFromC(python, frames) ?? ofMain;
    for (const address of held)
      look.root({ name: beingBuiltName, address, scope: 'stack' }, builtName(frames[0]!, awaited));
  }
  look.walk.run();
  look.walk.close();
  return look.picture(unexplainedOwner(python, threads));
}

/** A library's own thread works for what the main thread waits for. */
const awaitingIn = (
  python: Interpreter,
  frames: readonly Frame[],
  index: number,
  ofMain: Awaiting | null,
): Awaiting | null =>
  awaiting(python, frames, index) ??
  (frames.some(({ code }) => isOwnFile(code.file)) ? null : ofMain);

/** A call that is looked at; `frames`: its thread's, innermost first. */
interface Call {
  readonly look: QuickLook;
  readonly python: Interpreter;
  readonly frames: readonly Frame[];
  readonly index: number;
  /** Of a deep recursion some calls are looked at, each for several. */
  readonly standsFor: number;
  readonly ofMain: Awaiting | null;
}

/** The outermost calls and the innermost ones, and samples of those between; the outermost first. */
function someCalls(
  frames: readonly Frame[],
): readonly { readonly index: number; readonly standsFor: number }[] {
  const { length } = frames;
  const between = Math.max(0, length - 2 * endFrames);
  const standsFor = Math.max(1, between / sampledFrames);
  const calls: { readonly index: number; readonly standsFor: number }[] = [];
  for (let index = length - 1; index >= Math.max(0, length - endFrames); index--)
    calls.push({ index, standsFor: 1 });
  for (let at = 0; at < between; at += standsFor)
    calls.push({ index: length - 1 - endFrames - Math.floor(at), standsFor });
  for (let index = Math.min(endFrames, length - endFrames) - 1; index >= 0; index--)
    calls.push({ index, standsFor: 1 });
  return calls;
}

function lookAtLocals({ look, python, frames, index, standsFor, ofMain }: Call): void {
  const frame = frames[index]!;
  const isOwn = isOwnFile(frame.code.file);
  // What a library works on will be the value of a variable of the program's.
  const awaited = isOwn ? null : awaitingIn(python, frames, index, ofMain);
  const place = placeOf(frame);
  for (const part of localsOf(python, frame)) {
    const { name, scope } = part;
    const known = { name, scope, place, isOwn, awaited, of: 0, also: [] };
    look.root(part, { kind: 'variable', ...known }, standsFor);
  }
}

/** What lies on a call's evaluation stack and no variable keeps. */
function lookAtStack({ look, python, frames, index, ofMain }: Call): void {
  const frame = frames[index]!;
  const built = beingBuilt(look.walk, frame).filter(({ address }) => look.walk.find(address) < 0);
  if (built.length === 0) return;
  const name = builtName(frame, awaitingIn(python, frames, index, ofMain));
  for (const part of built) look.root(part, name);
}

/** Attributes of every `threading.local` of a thread: its dict leads to a `_localdummy` for each, with the attributes' dict at 16. */
function threadLocals(walk: SampledWalk, { state }: PythonThread): readonly Part[] {
  const { memory, python, types } = walk;
  const dict = memory.word(state + python.layout.thread.dict);
  return namedEntries(walk, dict, 'attribute')
    .filter(({ address }) => types.of(address)?.rawName === '_thread._localdummy')
    .flatMap(({ address }) => namedEntries(walk, memory.word(address + 16), 'attribute'));
}

const builtName = (frame: Frame, awaited: Awaiting | null): Name => ({
  name: beingBuiltName,
  kind: 'being-built',
  scope: 'stack',
  place: placeOf(frame),
  isOwn: isOwnFile(frame.code.file),
  of: 0,
  also: [],
  awaited,
});

const nameOfPart = ({ name, scope }: Part, prefix: string): Name => ({
  name: `${prefix}${name}`,
  kind: 'variable',
  scope,
  place: null,
  isOwn: true,
  of: 0,
  also: [],
  awaited: null,
});

/** The variable that waits for what the thread at work is making in C: the memory may be out of the walk's reach. */
function unexplainedOwner(python: Interpreter, threads: readonly PythonThread[]): Awaiting | null {
  const running = threads.find(({ holdsGil }) => holdsGil) ?? threads[0];
  return running === undefined ? null : awaitingFromC(python, running.frames);
}

/** Gives names to what a walk finds, and keeps those that are large. */
class QuickLook {
  readonly walk: SampledWalk;
  private readonly describe: Describer;
  /** By address. */
  private readonly names = new Map<number, Name>();

  constructor(python: Interpreter, deadline: Ms) {
    this.walk = new SampledWalk(python, deadline);
    this.describe = new Describer(this.walk);
    this.walk.onEnter = (node, type) => this.nameParts(node, type);
    this.walk.isNamed = (address) => this.names.has(address);
  }

  root({ address, ...part }: Part, name: Name, standsFor = 1): void {
    const { walk } = this;
    const type = walk.types.of(address);
    if (type === null || type.isSingleton) return;
    if (type.isAtomic && !this.isLarge(address, type)) return;
    if (isCodeType(type) && !this.mayHaveParts(type, address)) return;
    this.name(address, part.place === undefined ? name : { ...name, place: part.place });
    walk.addRoot(address, standsFor);
  }

  private isLarge(address: number, type: TypeInfo): boolean {
    return (type.kind === kinds.string || type.kind === kinds.bytes) && !type.isSingleton
      ? this.describe.sizeOf(address) >= leastBytes
      : false;
  }

  /** Classes of the program keep what their attributes are, functions what their closures are. */
  private mayHaveParts(type: TypeInfo, address: number): boolean {
    if (type.kind === kinds.function) return true;
    if (type.kind !== kinds.type) return false;
    const { memory, python, types } = this.walk;
    const own = types.indexOf(address);
    if (own < 0 || !types.types[own]!.isHeap) return false;
    const [top] = types.types[own]!.name.split('.');
    return !isLibrary(top!, python) && memory.region(address) !== null;
  }

  private name(address: number, name: Name): void {
    if (name.name === beingBuiltName && this.names.has(address)) return;
    const known = this.names.get(address);
    if (known === undefined) {
      if (this.names.size < maxNames) this.names.set(address, name);
      return;
    }
    if (known.kind === 'being-built') {
      // It lies on a stack only to be worked on.
      this.names.set(address, name);
      return;
    }
    if (!known.isOwn && name.isOwn) {
      this.names.set(address, { ...name, also: [told(known), ...known.also] });
      return;
    }
    const other = told(name);
    if (
      known.also.length < maxOtherNames &&
      known.name !== name.name &&
      !known.also.includes(other)
    )
      known.also.push(other);
  }

  /** Names for what an object that has a name refers to by names, and for the variables of a suspended call. */
  private nameParts(node: number, type: TypeInfo): void {
    const address = this.walk.address[node]!;
    const owner = this.names.get(address);
    const isCall =
      type.kind === kinds.generator || type.kind === kinds.frame || type.kind === kinds.function;
    if (!isCall && (owner === undefined || !hasAttributes(type))) return;
    if (owner !== undefined && !isCall && owner.name.split('.').length > maxDots) return;
    for (const part of partsOf(this.walk, address, type).slice(0, maxAttributes)) {
      const inner = this.walk.types.of(part.address);
      if (inner === null || inner.isSingleton || isCodeType(inner)) continue;
      if (inner.isAtomic && !this.isLarge(part.address, inner)) continue;
      // A link of a chain, a child of a tree: the first one has the name.
      if (inner.index === type.index && type.kind !== kinds.type) continue;
      const place = part.place ?? owner?.place ?? null;
      const isAttribute = part.place === undefined && owner !== undefined;
      this.name(part.address, {
        name: isAttribute ? `${owner.name}.${part.name}` : part.name,
        kind: isAttribute ? owner.kind : 'variable',
        scope: part.scope,
        place,
        isOwn: isAttribute ? owner.isOwn : place === null || isOwnFile(place.file),
        of: isAttribute ? address : 0,
        also: [],
        awaited: isAttribute ? owner.awaited : null,
      });
      // What a class refers to is not followed but for its attributes.
      if (type.kind === kinds.type) this.walk.visit(part.address);
    }
  }

  /** `owner`: the variable that waits for what C code is making. */
  picture(owner: Awaiting | null): QuickPicture {
    const { walk } = this;
    const shares = walk.shares();
    const totals = this.totals(shares);
    const tree = this.nameTree(totals);
    const picked: number[] = [];
    for (const node of tree.tops) this.pick(node, tree.parts, totals, picked);
    const children = childrenOf(walk.parent);
    const holders = picked
      .sort((a, b) => totals[b]! - totals[a]! || a - b)
      .slice(0, maxShown)
      .map((node) => this.holder(node, totals, children));
    const explained = picked.reduce((sum, node) => sum + totals[node]!, 0);
    return {
      holders: together([
        ...(walk.isWhole ? holders : oneStructure(holders, this.classesOf(picked))),
        ...(walk.isWhole ? outOfReach(walk.python, owner, explained) : []),
      ]),
      isWhole: walk.isWhole,
      objects: walk.isWhole ? shares.reduce((sum, share) => sum + share, 0) : 0,
      bytes: walk.isWhole ? explained : 0,
    };
  }

  /** Names of the program's own classes among the types of these nodes. */
  private classesOf(nodes: readonly number[]): ReadonlySet<string> {
    const types = nodes.map((node) => this.walk.typeOf[node]!);
    return new Set(
      types.filter((type) => isInstance(type) && !isOpaque(type)).map(({ name }) => name),
    );
  }

  /** Bytes of each node and of what was found through it. */
  private totals(shares: Float64Array): Bytes[] {
    const { walk } = this;
    const totals = walk.ownBytes.map((bytes, node) => bytes * shares[node]!);
    const addUp = () => {
      for (let node = totals.length - 1; node >= 0; node--) {
        const parent = walk.parent[node]!;
        if (parent >= 0) totals[parent]! += totals[node]!;
      }
    };
    addUp();
    if (walk.isWhole) return totals;
    // What a walk that was broken off did not reach lies behind where it stood.
    const found = totals.reduce(
      (sum, bytes, node) => sum + (walk.parent[node]! < 0 ? bytes : 0),
      0,
    );
    const left = residentOf(walk.python) - found;
    const open = totals.length - walk.followed;
    // Of a walk that had hardly begun, nobody knows where it would have led.
    const isKnown = walk.isChain || found >= leastFound * (found + left);
    if (left <= 0 || open === 0 || !isKnown) return totals;
    const own = walk.ownBytes.map((bytes, node) => bytes * shares[node]!);
    for (let node = 0; node < totals.length; node++)
      totals[node] = own[node]! + (node >= walk.followed ? left / open : 0);
    addUp();
    return totals;
  }

  /** Named nodes that are large enough, each below the nearest one above. */
  private nameTree(totals: readonly Bytes[]): {
    readonly tops: readonly number[];
    readonly parts: ReadonlyMap<number, readonly number[]>;
  } {
    const { walk, names } = this;
    const above: number[] = [];
    const tops: number[] = [];
    const parts = new Map<number, number[]>();
    for (const [node, address] of walk.address.entries()) {
      const parent = walk.parent[node]!;
      above[node] = parent < 0 ? -1 : names.has(walk.address[parent]!) ? parent : above[parent]!;
      if (!names.has(address) || totals[node]! < leastBytes) continue;
      if (above[node]! < 0) tops.push(node);
      else {
        const list = parts.get(above[node]!);
        if (list === undefined) parts.set(above[node]!, [node]);
        else list.push(node);
      }
    }
    return { tops, parts };
  }

  /** A holder, or those of its parts that explain it. */
  private pick(
    node: number,
    parts: ReadonlyMap<number, readonly number[]>,
    totals: readonly Bytes[],
    picked: number[],
  ): void {
    const { walk, names } = this;
    const name = names.get(walk.address[node]!)!;
    const type = walk.typeOf[node]!;
    // What a library keeps, or a library's call, is told by what in the program is below it.
    const isOthers = !name.isOwn || (type.kind === kinds.generic && isOpaque(type));
    const below = (parts.get(node) ?? []).filter((part) => {
      const inner = names.get(walk.address[part]!)!;
      return inner.of === walk.address[node] || (isOthers && inner.isOwn) || isCodeType(type);
    });
    const explained = below.reduce((sum, part) => sum + totals[part]!, 0);
    const least = isOthers ? explainedShareOfOthers : explainedShare;
    const givesWay = isCodeType(type) || explained >= least * totals[node]!;
    if (below.length > 0 && givesWay)
      for (const part of below) this.pick(part, parts, totals, picked);
    else if (!isCodeType(type)) picked.push(node);
  }

  private holder(
    node: number,
    totals: readonly Bytes[],
    children: (node: number) => readonly number[],
  ): Holder {
    const address = this.walk.address[node]!;
    const { awaited, ...known } = this.names.get(address)!;
    const { name, scope, place, also } =
      awaited === null ? known : { ...known, name: awaited.name, place: awaited.place };
    const start = awaited === null ? name : `${name} (being built)`;
    return {
      name,
      kind: awaited === null ? known.kind : 'being-built',
      scope,
      function: place?.function ?? null,
      file: place?.file ?? null,
      line: place?.line ?? null,
      path: [start, ...this.pathBelow(node, totals, children)].join(' -> '),
      type: this.walk.typeOf[node]!.name,
      ownBytes: this.describe.sizeOf(address),
      retainedBytes: Math.round(Math.min(totals[node]!, this.walk.memory.writableBytes)),
      alsoHeldBy: also,
      estimate: true,
    };
  }

  /** Labels of the objects on the way from a node to most of its bytes, its own first. */
  private pathBelow(
    from: number,
    totals: readonly Bytes[],
    children: (node: number) => readonly number[],
  ): readonly string[] {
    const { walk, describe } = this;
    const path: string[] = [];
    // A chain or a tree is told once.
    const seen = new Set<string>();
    for (let node = from, steps = 0; steps < maxSteps; steps++) {
      const address = walk.address[node]!;
      const type = walk.typeOf[node]!;
      if (steps === 0 || type.kind !== kinds.dict || !isInstance(walk.typeOf[walk.parent[node]!]!))
        path.push(describe.label(address));
      const child = heaviest(walk.typeOf, totals, children(node), totals[node]! * mostShare);
      if (child < 0) break;
      const attribute = isInstance(type)
        ? this.attributeTo(address, type, child, totals, children)
        : null;
      const step = `${type.index}.${attribute ?? ''}`;
      if (attribute !== null && seen.has(step)) break;
      seen.add(step);
      if (attribute !== null) path.push(`.${attribute}`);
      node = child;
    }
    return path;
  }

  /** The attribute of an instance through which a node is reached, at once or by the instance's dict. */
  private attributeTo(
    object: number,
    type: TypeInfo,
    child: number,
    totals: readonly Bytes[],
    children: (node: number) => readonly number[],
  ): string | null {
    if (isOpaque(type)) return null;
    const { walk } = this;
    const targets = new Set([walk.address[child]!]);
    const below = walk.typeOf[child]!.kind === kinds.dict ? children(child) : [];
    const inner = heaviest(walk.typeOf, totals, below, 1);
    if (inner >= 0) targets.add(walk.address[inner]!);
    const part = partsOf(walk, object, type).find(({ address }) => targets.has(address));
    return part?.name ?? null;
  }
}

/** Names for places in a chain or a tree that was not followed to its end are those of one structure: the largest has it. */
function oneStructure(
  holders: readonly Holder[],
  ofClasses: ReadonlySet<string>,
): readonly Holder[] {
  const found: Holder[] = [];
  for (const holder of holders) {
    const at = found.findIndex(({ type }) => type === holder.type && ofClasses.has(type));
    if (at < 0) found.push(holder);
    else
      found[at] = {
        ...found[at]!,
        retainedBytes: found[at]!.retainedBytes + holder.retainedBytes,
        alsoHeldBy: [...found[at]!.alsoHeldBy, holder.name].slice(0, maxOtherNames),
      };
  }
  return found;
}

/** Values that the same variable waits for are one, and what a variable of a recursion keeps in all of its calls. */
function together(holders: readonly Holder[]): readonly Holder[] {
  const found: Holder[] = [];
  for (const holder of holders) {
    const at = found.findIndex(
      ({ kind, scope, name, function: call, file, line }) =>
        (kind === 'being-built' || (kind === 'variable' && scope === 'local')) &&
        holder.kind === kind &&
        holder.name === name &&
        holder.function === call &&
        holder.file === file &&
        holder.line === line,
    );
    if (at < 0 || holder.name === beingBuiltName) found.push(holder);
    else
      found[at] = {
        ...found[at]!,
        retainedBytes: found[at]!.retainedBytes + holder.retainedBytes,
      };
  }
  return found.sort((a, b) => b.retainedBytes - a.retainedBytes);
}

/**
 * What no name leads to, where that is most of what the process holds: garbage that nothing collects, else the memory of C code in a call
 * for which a variable waits.
 */
function outOfReach(
  python: Interpreter,
  owner: Awaiting | null,
  explained: Bytes,
): readonly Holder[] {
  const resident = residentOf(python);
  const left = Math.round(resident - explained);
  if (left < leastUnexplained || left < resident * leastUnexplainedShare) return [];
  if (isCollectorOff(python))
    return [
      {
        ...unnamedHolder('garbage-or-c-code', {
          scope: 'unknown',
          type: 'objects',
          retainedBytes: left,
        }),
        estimate: true,
      },
    ];
  // Small objects that nobody reached are no memory of C code: who has them is not known.
  if (owner === null || (shareOfPools(python.memory) ?? 0) > 0.5) return [];
  const { name, place } = owner;
  return [
    {
      name,
      kind: 'being-built',
      scope: 'stack',
      function: place.function,
      file: place.file,
      line: place.line,
      path: `${name} (being built) -> memory of C code`,
      type: '?',
      ownBytes: 0,
      retainedBytes: left,
      alsoHeldBy: [],
      estimate: true,
    },
  ];
}

/** Whether the youngest generation has become far larger than a collector at work lets it: garbage stays. */
function isCollectorOff(python: Interpreter): boolean {
  const [youngest] = collectorHeads(python);
  if (youngest === undefined) return false;
  const next = linkReader(python.memory);
  let count = 0;
  for (let at = next(youngest); at !== youngest && isPlausible(at); at = next(at - (at % 8)))
    if (++count > mostYoung) return true;
  return false;
}

const told = ({ name, place }: Name): string =>
  place === null ? name : `${name} in ${place.function}()`;

const isCodeType = ({ kind }: TypeInfo): boolean =>
  kind === kinds.module || kind === kinds.type || kind === kinds.function || kind === kinds.code;

const isInstance = (type: TypeInfo): boolean => type.kind === kinds.generic && type.isHeap;

/** Instances of the program's own classes, and classes themselves. */
const hasAttributes = (type: TypeInfo): boolean =>
  type.kind === kinds.type || (!isOpaque(type) && (isInstance(type) || !type.isExact));

const isLibrary = (top: string, { isPython2 }: Interpreter): boolean =>
  isPython2 || /^(builtins|pandas|numpy|collections|typing|abc|enum|dataclasses)$/.test(top);

/** Of several children of one type the heaviest, for the type that keeps most; -1: none keeps `least`. */
function heaviest(
  typeOf: readonly TypeInfo[],
  totals: readonly Bytes[],
  children: readonly number[],
  least: Bytes,
): number {
  const groups = new Map<number, { bytes: Bytes; best: number }>();
  for (const child of children) {
    const group = groups.get(typeOf[child]!.index);
    if (group === undefined)
      groups.set(typeOf[child]!.index, { bytes: totals[child]!, best: child });
    else {
      group.bytes += totals[child]!;
      if (totals[child]! > totals[group.best]!) group.best = child;
    }
  }
  let best = -1;
  let most = Math.max(1, least);
  for (const group of groups.values())
    if (group.bytes >= most) [best, most] = [group.best, group.bytes];
  return best;
}

/** Nodes by the one through which they were found. */
function childrenOf(parent: readonly number[]): (node: number) => readonly number[] {
  const lists = new Map<number, number[]>();
  for (const [node, above] of parent.entries()) {
    const list = lists.get(above);
    if (list === undefined) lists.set(above, [node]);
    else list.push(node);
  }
  return (node) => lists.get(node) ?? [];
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
function beingBuilt(walk: SampledWalk, { code, slots }: Frame): readonly Part[] {
  const { memory, python } = walk;
  const stack = slots + 8 * code.names.length;
  return Array.from({ length: Math.min(code.stackSize, 64) }, (_, i) =>
    python.reference(memory.word(stack + 8 * i)),
  )
    .filter((address) => isData(walk, address))
    .map((address) => ({ name: beingBuiltName, address, scope: 'stack' }));
}
