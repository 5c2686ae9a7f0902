import { isPlausible } from '../process/memory.ts';
import { namedEntries, partsOf, type Part } from '../objects/names.ts';
import { kinds, type TypeInfo } from '../objects/types.ts';
import type { HolderGraph } from './holder-graph.ts';
import { NameTable, ranks, type Name } from './names.ts';

/** Instances of these belong to whoever has a name for them: their attributes say nothing to a user. */
const opaqueModules =
  /^(pandas|numpy|polars|pyarrow|torch|scipy|sklearn|collections|functools|queue|_queue|io|_io|threading|weakref|re|asyncio|_asyncio|ctypes|decimal|datetime|matplotlib|PIL)\b/;

/** Whether the attributes of instances of this type say nothing to a user. */
export const isOpaque = (type: TypeInfo): boolean => opaqueModules.test(type.name);

/** Nodes whose attributes get names. */
const maxNamedNodes = 20_000;
/** `a.b.c.d.e.f` is the longest name. */
const maxDots = 5;
/** Entries of a module's dict. */
const maxGlobals = 200_000;
const maxDepth = 9999;

/** Names every node that a variable, an attribute or a call leads to, as far as the node keeps enough. */
export function nameNodes(held: HolderGraph): NameTable {
  const names = new NameTable(held);
  nameRoots(held, names);
  nameGlobals(held, names);
  nameSuspendedCalls(held, names);
  nameAttributes(held, names);
  return names;
}

/** Values of the calls that are under way. */
function nameRoots({ heap }: HolderGraph, names: NameTable): void {
  for (const { node, kind, name, scope, frame, depth } of heap.names)
    names.add(node, {
      kind,
      name,
      scope,
      function: frame?.code.name ?? null,
      file: frame?.code.file ?? null,
      line: frame?.line ?? null,
      // Of several calls, the outermost keeps it longest.
      rank: ranks[scope] + (1 - Math.min(depth, maxDepth) / (maxDepth + 1)) * 0.5,
    });
}

/** Globals of every module, by the name of the module that has them. */
function nameGlobals(held: HolderGraph, names: NameTable): void {
  const { census } = held;
  const { python, memory, types } = census;
  for (const interpreter of python.interpreters())
    for (const { name, address } of namedEntries(census, python.modules(interpreter), 'global')) {
      if (types.of(address)?.kind !== kinds.module) continue;
      // `md_dict` of PyModuleObject.
      const dict = memory.word(address + 16);
      if (isPlausible(dict)) nameModule(held, names, name, dict);
    }
}

function nameModule(held: HolderGraph, names: NameTable, moduleName: string, dict: number): void {
  const { python, types } = held.census;
  const isMain = moduleName === '__main__';
  let file: string | null = null;
  python.eachEntry(
    dict,
    (key, value) => {
      const node = held.graph.find(value);
      if (node === 0 || held.retained[node]! < held.leastBytes) return;
      const type = types.of(value);
      if (type === null || type.kind === kinds.module || type.kind === kinds.function) return;
      const name = python.string(key, 128);
      if (name.startsWith('__') && name.endsWith('__')) return;
      file ??= moduleFile(held, dict);
      names.add(node, {
        kind: 'variable',
        name: isMain ? name : `${moduleName}.${name}`,
        scope: 'global',
        function: null,
        file: file === '' ? null : file,
        line: null,
        // The user's own module speaks first: others most often imported the name from there.
        rank: ranks.global + (isMain ? 0 : 0.2),
      });
    },
    maxGlobals,
  );
}

/** `__file__` of a module; '': it has none. */
function moduleFile({ census }: HolderGraph, dict: number): string {
  const value = census.python.dictValue(dict, '__file__');
  return census.python.typeName(value) === 'str' ? census.python.string(value, 4096) : '';
}

/** Variables of suspended calls, closures and kept frames, wherever these hang. */
function nameSuspendedCalls(held: HolderGraph, names: NameTable): void {
  const { graph, retained, leastBytes, census } = held;
  for (let node = 1; node < graph.count; node++) {
    if (retained[node]! < leastBytes) continue;
    const type = held.typeOf(node);
    const hasVariables =
      type?.kind === kinds.generator || type?.kind === kinds.frame || type?.kind === kinds.function;
    if (hasVariables) nameParts(held, names, partsOf(census, graph.address[node]!, type), null);
  }
}

/** Attributes of what has a name, and theirs. */
function nameAttributes(held: HolderGraph, names: NameTable): void {
  const { graph, retained, leastBytes, census } = held;
  for (let at = 0; at < names.nodes.length && at < maxNamedNodes; at++) {
    const node = names.nodes[at]!;
    const type = held.typeOf(node);
    if (type === null || retained[node]! < leastBytes || isOpaque(type)) continue;
    // A list, a dict and their like have items, not attributes; only their subclasses have both.
    if (type.kind !== kinds.generic && type.isExact && type.kind !== kinds.type) continue;
    const owner = names.prefixOf(node);
    if (owner.name.split('.').length > maxDots) continue;
    nameParts(held, names, partsOf(census, graph.address[node]!, type), owner);
  }
}

/** Names the parts of an object. `owner`: the name of the object that has them; null: they are variables of a call. */
function nameParts(
  held: HolderGraph,
  names: NameTable,
  parts: readonly Part[],
  owner: Name | null,
): void {
  const { graph, retained, leastBytes } = held;
  for (const { name, address, scope, place } of parts) {
    const node = graph.find(address);
    if (node === 0 || retained[node]! < leastBytes) continue;
    const kind = held.typeOf(node)?.kind;
    if (kind === kinds.module || kind === kinds.type || kind === kinds.function) continue;
    const of = place === undefined ? owner : null;
    names.add(node, {
      kind: of?.kind ?? 'variable',
      name: of === null ? name : `${of.name}.${name}`,
      scope,
      function: place?.function ?? owner?.function ?? null,
      file: place?.file ?? owner?.file ?? null,
      line: place?.line ?? owner?.line ?? null,
      rank: ranks[scope] + (owner === null ? 0 : 0.3),
    });
  }
}
