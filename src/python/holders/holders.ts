import type { Holder, HolderScope } from '../../model/report.ts';
import type { Bytes } from '../../model/units.ts';
import { Describer } from '../objects/describe.ts';
import { dominatorsOf, type Dominators } from '../heap/dominators.ts';
import { namespace } from '../heap/census.ts';
import { stackName, type Heap } from '../heap/heap.ts';
import { isPlausible } from '../process/memory.ts';
import { namedEntries, partsOf, type Part } from '../objects/names.ts';
import { kinds, type TypeInfo } from '../objects/types.ts';

/** Who holds the memory, and where in the graph, for those who look deeper (smells). */
export interface Holders {
  readonly holders: readonly Holder[];
  /** Node of each holder of `holders`; 0: a group. */
  readonly nodes: readonly number[];
  readonly dominators: Dominators;
  readonly describe: Describer;
  /** The best name of a node, also of one that gives way to its parts as a holder; null: it has none. */
  readonly nameOf: (node: number) => string | null;
  /** Nodes that a node alone keeps, the largest first. */
  readonly childrenOf: (node: number, limit: number) => readonly number[];
}

interface Name {
  readonly name: string;
  readonly scope: HolderScope;
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number | null;
  /** The lower the better: what keeps it longest comes first. */
  readonly rank: number;
}

const ranks: Readonly<Record<HolderScope, number>> = {
  global: 0,
  attribute: 1,
  closure: 2,
  local: 3,
  stack: 4,
  native: 5,
  unknown: 6,
};

/** Instances of these belong to whoever has a name for them: their insides say nothing to a user. */
const opaqueModules =
  /^(pandas|numpy|polars|pyarrow|torch|scipy|sklearn|collections|functools|queue|_queue|io|_io|threading|weakref|re|asyncio|_asyncio|ctypes|decimal|datetime|matplotlib|PIL)\b/;

const maxHolders = 200;
/** What more names than this lead to is nobody's in particular. */
const mostLeads = 6;

/** Names the holders of the heap and what each alone keeps, by the dominator tree of its graph. */
export function holdersOf(heap: Heap, limit = 60): Holders {
  const { census } = heap;
  const { graph, types } = census;
  const dominators = dominatorsOf(graph);
  const { dominator, retained, order } = dominators;
  const describe = new Describer(census);
  const total = retained[0]!;
  const least = Math.max(64, Math.min(total * 0.001, 1 << 20));
  const names = new Map<number, Name[]>();
  const queue: number[] = [];
  let firstChild: { readonly head: Int32Array; readonly next: Int32Array } | undefined;

  const typeOf = (node: number): TypeInfo | null =>
    graph.type[node]! >= 0 && graph.address[node] !== 0 ? types.types[graph.type[node]!]! : null;

  /** Names of classes, whose attributes are holders while they themselves are code. */
  const classes = new Map<number, Name>();
  const addName = (node: number, name: Name) => {
    if (node === 0 || !dominators.isReached(node) || isModules(graph.address[node]!)) return;
    if (typeOf(node)?.kind === kinds.type) {
      if (!classes.has(node)) {
        classes.set(node, name);
        queue.push(node);
      }
      return;
    }
    const known = names.get(node);
    if (known === undefined) {
      names.set(node, [name]);
      queue.push(node);
    } else if (known.length < 64 && !known.some((other) => sameName(other, name))) known.push(name);
  };

  for (const { node, name, scope, frame, depth } of heap.names)
    addName(node, {
      name,
      scope,
      function: frame?.code.name ?? null,
      file: frame?.code.file ?? null,
      line: frame?.line ?? null,
      // Of several calls, the outermost keeps it longest.
      rank: ranks[scope] + (1 - Math.min(depth, 9999) / 10_000) * 0.5,
    });
  nameGlobals(heap, (node, name) => addName(node, name), retained, least);
  // Suspended calls, closures and kept frames have names inside, wherever they hang.
  for (let node = 1; node < graph.count; node++) {
    if (retained[node]! < least) continue;
    const type = typeOf(node);
    if (type === null) continue;
    if (type.kind !== kinds.generator && type.kind !== kinds.frame && type.kind !== kinds.function)
      continue;
    nameParts(partsOf(census, graph.address[node]!, type), '', null);
  }
  // Attributes of what has a name.
  for (let at = 0; at < queue.length && at < 20_000; at++) {
    const node = queue[at]!;
    const type = typeOf(node);
    if (type === null || retained[node]! < least) continue;
    if (type.kind !== kinds.generic && type.isExact && type.kind !== kinds.type) continue;
    if (opaqueModules.test(type.name)) continue;
    const best = classes.get(node) ?? bestOf(names.get(node)!);
    if (best.name.split('.').length > 5) continue;
    nameParts(partsOf(census, graph.address[node]!, type), `${best.name}.`, best);
  }

  function nameParts(parts: readonly Part[], prefix: string, of: Name | null): void {
    for (const { name, address, scope, place } of parts) {
      const node = graph.find(address);
      if (node === 0 || retained[node]! < least) continue;
      const type = typeOf(node);
      if (type?.kind === kinds.module || type?.kind === kinds.type || type?.kind === kinds.function)
        continue;
      addName(node, {
        name: `${place === undefined ? prefix : ''}${name}`,
        scope,
        function: place?.function ?? of?.function ?? null,
        file: place?.file ?? of?.file ?? null,
        line: place?.line ?? of?.line ?? null,
        rank: ranks[scope] + (of === null ? 0 : 0.3),
      });
    }
  }

  // The nearest named node above each node in the dominator tree.
  const nearest = new Int32Array(graph.count);
  const children = new Map<number, number[]>();
  const tops: number[] = [];
  for (const node of order) {
    if (node === 0) continue;
    const above = dominator[node]!;
    const named = names.has(above) ? above : nearest[above]!;
    nearest[node] = named;
    if (!names.has(node) || retained[node]! < least) continue;
    if (named === 0) tops.push(node);
    else {
      const list = children.get(named);
      if (list === undefined) children.set(named, [node]);
      else list.push(node);
    }
  }
  // A name whose parts have names that explain it gives way to them.
  const picked: number[] = [];
  const pick = (node: number, depth: number) => {
    const parts = children.get(node) ?? [];
    const explained = parts.reduce((sum, part) => sum + retained[part]!, 0);
    if (parts.length > 0 && explained >= 0.8 * retained[node]! && depth < 12)
      for (const part of parts) pick(part, depth + 1);
    else picked.push(node);
  };
  for (const top of tops) pick(top, 0);
  picked.sort((a, b) => retained[b]! - retained[a]!);

  const found: { readonly holder: Holder; readonly node: number }[] = [];
  for (const node of picked.slice(0, maxHolders))
    found.push({ node, holder: toHolder(node, names.get(node)!) });

  // What is under no picked name, by where it hangs.
  const isPicked = new Set(picked);
  const under = new Int32Array(graph.count);
  const residual = retained.slice();
  for (const node of order) {
    if (node === 0) continue;
    under[node] = isPicked.has(node) ? node : under[dominator[node]!]!;
    // Subtract from all above: order is by depth, trees are shallow.
    if (isPicked.has(node))
      for (let above = dominator[node]!; ; above = dominator[above]!) {
        residual[above]! -= retained[node]!;
        if (above === 0) break;
      }
  }
  for (const [i, { node, holder }] of found.entries()) {
    const inside = alsoInside(node).filter((name) => !holder.alsoHeldBy.includes(name));
    if (inside.length > 0)
      found[i] = { node, holder: { ...holder, alsoHeldBy: [...holder.alsoHeldBy, ...inside] } };
  }
  found.push(...sharedGroups());
  found.push(...leftovers());
  found.sort((a, b) => b.holder.retainedBytes - a.holder.retainedBytes);
  const shown = found.slice(0, limit);
  return {
    holders: shown.map(({ holder }) => holder),
    nodes: shown.map(({ node }) => node),
    dominators,
    describe,
    nameOf: (node) => (names.has(node) ? bestOf(names.get(node)!).name : null),
    childrenOf: (node, limit) => {
      firstChild ??= childLists();
      const found: number[] = [];
      for (
        let at = firstChild.head[node]!;
        at !== 0 && found.length < 10_000;
        at = firstChild.next[at]!
      )
        found.push(at);
      return found.sort((a, b) => retained[b]! - retained[a]!).slice(0, limit);
    },
  };

  function toHolder(node: number, all: readonly Name[]): Holder {
    const best = bestOf(all);
    const object = graph.address[node]!;
    return {
      name: best.name,
      scope: best.scope,
      function: best.function,
      file: best.file,
      line: best.line,
      path: [best.name, ...pathBelow(node)].join(' -> '),
      type: object === 0 ? 'objects' : (typeOf(node)?.name ?? '?'),
      ownBytes: object === 0 ? 0 : describe.sizeOf(object),
      retainedBytes: retained[node]!,
      alsoHeldBy: all
        .filter((name) => name !== best)
        .slice(0, 6)
        .map(nameWithPlace),
      estimate: graph.count >= maxReliableNodes || !census.isComplete,
    };
  }

  /** Types on the way to most of the bytes: the one child that keeps most, or what samples of many items are. */
  function pathBelow(node: number): readonly string[] {
    const path: string[] = [];
    let at = node;
    let object = graph.address[node]!;
    for (let depth = 0; depth < 6; depth++) {
      if (object === 0) break;
      path.push(describe.label(object));
      const type = describe.typeOf(object);
      if (type === null || type.isAtomic) break;
      const heaviest = at === 0 ? 0 : heaviestChild(at);
      if (heaviest !== 0 && retained[heaviest]! >= 0.5 * retained[at]!) {
        at = heaviest;
        object = graph.address[at]!;
        // An instance's dict is a detail.
        if (describe.typeOf(object)?.kind === kinds.dict && type.kind === kinds.generic) {
          const inner = heaviestChild(at);
          if (inner !== 0 && retained[inner]! >= 0.5 * retained[at]!) {
            at = inner;
            object = graph.address[at]!;
          }
        }
        continue;
      }
      const next = typicalItem(object);
      if (next !== 0) {
        object = next;
        at = graph.find(next);
        continue;
      }
      // One of many instances: which of its attributes weighs most.
      const attribute =
        type.kind === kinds.generic && type.isHeap ? heaviestPart(object, type) : null;
      if (attribute === null) break;
      path.push(`.${attribute.name}`);
      object = attribute.address;
      at = graph.find(object);
    }
    return path;
  }

  function heaviestPart(object: number, type: TypeInfo): Part | null {
    if (opaqueModules.test(type.name)) return null;
    let best: Part | null = null;
    let most = 0;
    for (const part of partsOf(census, object, type).slice(0, 64)) {
      const of = describe.typeOf(part.address);
      if (of === null || of.isSingleton || of.kind === kinds.type || of.kind === kinds.module)
        continue;
      const bytes = describe.sizeOf(part.address) + itemsOf(part.address);
      if (bytes > most) [best, most] = [part, bytes];
    }
    return best;
  }

  function heaviestChild(node: number): number {
    firstChild ??= childLists();
    let best = 0;
    let seen = 0;
    for (
      let at = firstChild.head[node]!;
      at !== 0 && seen < 100_000;
      at = firstChild.next[at]!, seen++
    )
      if (best === 0 || retained[at]! > retained[best]!) best = at;
    return best;
  }

  /** An item of the kind that holds most of the bytes among samples. */
  function typicalItem(object: number): number {
    const groups = new Map<string, { bytes: number; item: number }>();
    for (const item of describe.sample(object, 48)) {
      const type = describe.typeOf(item);
      if (type === null || type.isSingleton) continue;
      const node = graph.find(item);
      const bytes = Math.max(
        node === 0 ? 0 : retained[node]!,
        describe.sizeOf(item) + itemsOf(item),
      );
      const group = groups.get(type.name);
      if (group === undefined) groups.set(type.name, { bytes, item });
      else group.bytes += bytes;
    }
    let best: { bytes: number; item: number } | null = null;
    for (const group of groups.values())
      if (best === null || group.bytes > best.bytes) best = group;
    return best?.item ?? 0;
  }

  function itemsOf(object: number): Bytes {
    return describe.sample(object, 8).reduce((sum, item) => sum + describe.sizeOf(item), 0);
  }

  /** Functions, classes, modules and their names: they lead everywhere, and hold nothing in a user's sense. */
  function isCode(node: number): boolean {
    const kind = typeOf(node)?.kind;
    return (
      (graph.flags[node]! & namespace) !== 0 ||
      kind === kinds.module ||
      kind === kinds.type ||
      kind === kinds.function ||
      kind === kinds.code
    );
  }

  /** The picked or named node through which a reference from this one comes; 0: none. */
  function leadOf(from: number): number {
    if (isCode(from)) return 0;
    return under[from] !== 0 ? under[from]! : names.has(from) ? from : 0;
  }

  /**
   * Objects that several named holders share and none keeps alone: a dominator tree gives them to the root.
   * Grouped by who leads to them.
   */
  function sharedGroups(): readonly { holder: Holder; node: number }[] {
    const groups: { readonly leads: readonly number[]; bytes: Bytes; sample: number }[] = [];
    const byKey = new Map<string, number>();
    const groupOf = new Int32Array(graph.count).fill(-1);
    const { predecessors } = dominators;
    const isShared = (node: number) =>
      node !== 0 && under[node] === 0 && dominator[node] === 0 && graph.address[node] !== 0;
    // Twice: who leads to a node may come after it in this order.
    for (let pass = 0; pass < 2; pass++)
      for (const node of order) {
        if (!isShared(node) || names.has(node)) continue;
        const leads = new Set<number>();
        const end = Math.min(predecessors.start[node + 1]!, predecessors.start[node]! + 64);
        for (let at = predecessors.start[node]!; at < end && leads.size <= mostLeads; at++) {
          const from = predecessors.from[at]!;
          const lead = leadOf(from);
          if (lead !== 0) leads.add(lead);
          else if (groupOf[from]! >= 0 && !isCode(from))
            for (const other of groups[groupOf[from]!]!.leads) leads.add(other);
        }
        if (leads.size === 0 || leads.size > mostLeads) {
          groupOf[node] = -1;
          continue;
        }
        const list = [...leads].sort((a, b) => retained[b]! - retained[a]!);
        const key = list.join(',');
        let group = byKey.get(key);
        if (group === undefined) {
          group = groups.push({ leads: list, bytes: 0, sample: node }) - 1;
          byKey.set(key, group);
        }
        groupOf[node] = group;
      }
    for (const node of order)
      if (groupOf[node]! >= 0) {
        const group = groups[groupOf[node]!]!;
        group.bytes += residual[node]!;
        if (residual[node]! > residual[group.sample]!) group.sample = node;
      }
    const isKept = ({ bytes }: { readonly bytes: Bytes }) =>
      bytes >= Math.max(least, total * 0.005);
    for (const node of order)
      if (groupOf[node]! >= 0 && isKept(groups[groupOf[node]!]!)) residual[node] = 0;
    return groups.filter(isKept).map(({ bytes, leads, sample }) => {
      const [first, ...others] = leads.map((node) => bestOf(names.get(node)!));
      const label = describe.label(graph.address[sample]!);
      const together = others.length === 0 ? ['others'] : others.map(({ name }) => name);
      return {
        node: sample,
        holder: {
          ...placeOf(first!),
          name: first!.name,
          scope: first!.scope,
          path: `${[first!.name, ...together].join(' + ')} -> ${label}`,
          type: typeOf(sample)?.name ?? '?',
          ownBytes: describe.sizeOf(graph.address[sample]!),
          retainedBytes: bytes,
          alsoHeldBy: others.map(nameWithPlace),
          estimate: false,
        },
      };
    });
  }

  /** Other names of what a holder hangs on: `f` is an item of `frames`, so `f.columns` is freed with neither alone. */
  function alsoInside(node: number): readonly string[] {
    let top = node;
    while (dominator[top] !== 0) {
      top = dominator[top]!;
      if (isCode(top)) return [];
    }
    const { predecessors } = dominators;
    const found = new Set<number>();
    const end = Math.min(predecessors.start[top + 1]!, predecessors.start[top]! + 16);
    for (let at = predecessors.start[top]!; at < end; at++) {
      const lead = leadOf(predecessors.from[at]!);
      if (lead !== 0 && lead !== node && lead !== top) found.add(lead);
    }
    return [...found].slice(0, 3).map((lead) => nameWithPlace(bestOf(names.get(lead)!)));
  }

  /** Groups without a name: modules' code, what C code holds, garbage, and what hangs on none of them. */
  function leftovers(): readonly { holder: Holder; node: number }[] {
    const rows: { holder: Holder; node: number }[] = [];
    const add = (name: string, scope: HolderScope, type: string, bytes: Bytes, node: number) => {
      if (bytes >= Math.max(least, total * 0.002))
        rows.push({
          node,
          holder: {
            name,
            scope,
            function: null,
            file: null,
            line: null,
            path: name,
            type,
            ownBytes: 0,
            retainedBytes: bytes,
            alsoHeldBy: [],
            estimate: false,
          },
        });
    };
    const { heldByC, garbage, undecided } = heap.groups;
    if (garbage !== 0)
      add('(garbage cycles, not collected yet)', 'unknown', 'objects', residual[garbage]!, 0);
    if (undecided !== 0)
      add('(garbage cycles, or held by C code)', 'unknown', 'objects', residual[undecided]!, 0);
    let imported = 0;
    let other = 0;
    for (const node of order) {
      if (node === 0 || under[node] !== 0 || dominator[node] !== 0) continue;
      if (node === heldByC || node === garbage || node === undecided) continue;
      const bytes = residual[node]!;
      if (bytes <= 0) continue;
      if (bytes >= Math.max(least, total * 0.02) && graph.address[node] !== 0) {
        const object = graph.address[node]!;
        const type = typeOf(node);
        const isCode =
          type !== null &&
          (type.kind === kinds.module ||
            type.kind === kinds.type ||
            type.kind === kinds.function ||
            type.kind === kinds.code);
        if (!isCode && !isModules(object)) {
          const path = [unnamedPath(node), ...pathBelow(node)].join(' -> ');
          rows.push({
            node,
            holder: {
              name: '(no name)',
              scope: 'unknown',
              function: null,
              file: null,
              line: null,
              path,
              type: type?.name ?? '?',
              ownBytes: describe.sizeOf(object),
              retainedBytes: bytes,
              alsoHeldBy: [],
              estimate: false,
            },
          });
          continue;
        }
      }
      if (graph.address[node] !== 0) imported += bytes;
      else other += bytes;
    }
    add('(imported modules: code, classes, texts)', 'global', 'module', imported, 0);
    add(
      '(held by C code only)',
      'native',
      'objects',
      other + (heldByC === 0 ? 0 : residual[heldByC]!),
      0,
    );
    return rows;
  }

  function isModules(object: number): boolean {
    return census.python.interpreters().some((at) => census.python.modules(at) === object);
  }

  /** Types that lead to an unnamed node from where it was first seen. */
  function unnamedPath(node: number): string {
    const steps: string[] = [];
    for (let at = graph.parent[node]!; at !== 0 && steps.length < 4; at = graph.parent[at]!) {
      const known = names.get(at);
      if (known !== undefined) {
        steps.push(bestOf(known).name);
        break;
      }
      const type = typeOf(at);
      if (type !== null) steps.push(type.name);
    }
    return steps.reverse().join(' -> ') || '(no name)';
  }

  function childLists(): { readonly head: Int32Array; readonly next: Int32Array } {
    const head = new Int32Array(graph.count);
    const next = new Int32Array(graph.count);
    for (let i = order.length - 1; i > 0; i--) {
      const node = order[i]!;
      next[node] = head[dominator[node]!]!;
      head[dominator[node]!] = node;
    }
    return { head, next };
  }
}

/** More nodes than this: shared objects were given to who was seen first. */
const maxReliableNodes = 2_500_000;

const sameName = (a: Name, b: Name): boolean =>
  a.name === b.name && a.function === b.function && a.file === b.file && a.scope === b.scope;

const bestOf = (names: readonly Name[]): Name =>
  names.reduce((best, name) => (name.rank < best.rank ? name : best));

const placeOf = ({ function: name, file, line }: Name) => ({ function: name, file, line });

function nameWithPlace({ name, function: call, file, line }: Name): string {
  const base = file?.replace(/^.*\//, '');
  if (call !== null)
    return `${name} in ${call}()${base === undefined ? '' : ` at ${base}:${line}`}`;
  return base === undefined ? name : `${name} in ${base}`;
}

/** Globals of every module, by the name of the module that has them. */
function nameGlobals(
  heap: Heap,
  addName: (node: number, name: Name) => void,
  retained: Float64Array,
  least: Bytes,
): void {
  const { census } = heap;
  const { python, memory, graph, types } = census;
  for (const interpreter of python.interpreters()) {
    for (const { name: moduleName, address } of namedEntries(
      census,
      python.modules(interpreter),
      'global',
    )) {
      if (types.of(address)?.kind !== kinds.module) continue;
      const dict = memory.word(address + 16);
      if (!isPlausible(dict)) continue;
      let file: string | null = null;
      python.eachEntry(
        dict,
        (key, value) => {
          const node = graph.find(value);
          if (node === 0 || retained[node]! < least) return;
          const type = types.of(value);
          if (type === null || type.kind === kinds.module || type.kind === kinds.function) return;
          const name = python.string(key, 128);
          if (name.startsWith('__') && name.endsWith('__')) return;
          file ??= moduleFile(heap, dict);
          addName(node, {
            name: moduleName === '__main__' ? name : `${moduleName}.${name}`,
            scope: 'global',
            function: null,
            file: file === '' ? null : file,
            line: null,
            // The user's own module speaks first: others most often imported the name from there.
            rank: ranks.global + (moduleName === '__main__' ? 0 : 0.2),
          });
        },
        200_000,
      );
    }
  }
}

function moduleFile({ census }: Heap, dict: number): string {
  const value = census.python.dictValue(dict, '__file__');
  return census.python.typeName(value) === 'str' ? census.python.string(value, 4096) : '';
}

export const isStackName = (name: string): boolean => name === stackName;
