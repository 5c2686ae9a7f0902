/** What was stored and is not as its schema says any more: cut down to what is. */
import { safeParse, type GenericSchema, type InferOutput } from 'valibot';

type Key = string | number;
interface Holder {
  [key: Key]: unknown;
}
const isHolder = (value: unknown): value is Holder => typeof value === 'object' && value !== null;

/** Each round takes out at least one value, and whoever lacks one that it needs goes in the next. */
const mostRounds = 50;

/**
 * Takes out of a value fresh from JSON.parse whatever its schema does not allow: a field, or all that cannot be without it. `fill` may put
 * back what is missing before each look. null: nothing of it is left.
 */
export function repaired<const S extends GenericSchema>(
  schema: S,
  value: unknown,
  fill: (value: Holder) => void = () => {},
): { readonly value: InferOutput<S>; readonly whole: boolean } | null {
  if (!isHolder(value)) return null;
  withoutInfinity(value);
  for (let round = 0; round < mostRounds; round += 1) {
    fill(value);
    const { issues } = safeParse(schema, value);
    if (issues === undefined) return { value: value as InferOutput<S>, whole: round === 0 };
    const holes = new Set<unknown[]>();
    for (const { path } of issues) {
      const keys = (path ?? []).map((item) => item.key as Key);
      if (!takeOut(value, keys, holes)) return null;
    }
    for (const list of holes) list.splice(0, list.length, ...list.filter((item) => item !== hole));
  }
  return null;
}

const hole = Symbol('taken out');

/** false: it is the whole value that does not fit. */
function takeOut(root: Holder, path: readonly Key[], holes: Set<unknown[]>): boolean {
  let depth = path.length;
  while (depth > 0) {
    let parent: unknown = root;
    for (const key of path.slice(0, depth - 1)) parent = isHolder(parent) ? parent[key] : undefined;
    // Gone already, with another issue.
    if (!isHolder(parent)) return true;
    const key = path[depth - 1]!;
    if (Array.isArray(parent)) {
      parent[key as number] = hole;
      holes.add(parent);
      return true;
    }
    if (Object.hasOwn(parent, key)) {
      delete parent[key];
      return true;
    }
    // It is missing: whatever needs it cannot be.
    depth -= 1;
  }
  return false;
}

/** JSON.parse makes Infinity of 1e999, and no schema minds. */
function withoutInfinity(value: Holder): void {
  for (const [key, own] of Object.entries(value)) {
    if (isHolder(own)) withoutInfinity(own);
    else if (own === Infinity || own === -Infinity) value[key] = undefined;
  }
}
