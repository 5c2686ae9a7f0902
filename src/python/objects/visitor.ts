import type { Bytes } from '../../model/units.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import type { Memory } from '../process/memory.ts';
import type { TypeTable } from './types.ts';

/** Where single objects are read. */
export interface ObjectReader {
  readonly memory: Memory;
  readonly python: Interpreter;
  readonly types: TypeTable;
}

/**
 * What the functions of this folder tell about an object while they compute its size: what it refers to and what memory it owns out of
 * line. `owner` and `node` are nodes of the visitor's graph. Addresses that point to no object are allowed everywhere: the visitor checks.
 */
export interface Visitor extends ObjectReader {
  /** One reference. */
  visit(address: number, owner: number): void;
  /** Every aligned word from `start` to `end` that points to an object, but the one at `skip`. */
  visitWords(start: number, end: number, owner: number, skip?: number): void;
  /** `count` pointers in a row. */
  visitArray(start: number, count: number, owner: number): void;
  /** `count` pointers, `stride` bytes from each other. */
  visitStrided(start: number, count: number, stride: number, owner: number): void;
  /** The keys and values of a dict's table of `count` entries of `width` bytes; the key lies `keyAt` bytes into an entry. */
  visitEntries(start: number, count: number, width: number, keyAt: number, owner: number): void;
  /** A reference whose target gets a node of its own. Returns the node; 0: it has none. */
  root(address: number, owner: number): number;
  /** The object of this node is a container of `count` items. */
  noteItems(node: number, count: number): void;
  /** The object of this node maps names to values. */
  markNamespace(node: number): void;
  /** Memory that the object owns out of line; its bytes are part of the object's size. */
  addBuffer(address: number, bytes: Bytes): void;
  /** Memory that the object maps outside of the heap; its bytes are not part of the object's size. */
  addExternal(bytes: Bytes): void;
  /** The object is a list whose items `list.sort()` has taken out for the time of the sort. */
  noteListBeingSorted(): void;
}
