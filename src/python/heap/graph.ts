/**
 * Who refers to whom. Objects that several others may keep are nodes; an object that one node alone keeps and that has no name of its
 * own is counted into that node. The arrays grow: about 45 bytes a node, 8 bytes an edge.
 */
export class Graph {
  /** Number of nodes. Node 0 is the root of all. */
  count = 1;
  address = new Float64Array(1 << 14);
  type = new Int32Array(1 << 14);
  /** Bytes of the object itself and of those that are counted into it. */
  bytes = new Float64Array(1 << 14);
  /** Number of objects that are counted into the node, itself included. */
  objects = new Uint32Array(1 << 14);
  /** The node that was first seen to refer to it. */
  parent = new Uint32Array(1 << 14);
  /** `collapsing` and `namespace` of census.ts. */
  flags = new Uint8Array(1 << 14);
  private lastOwner = new Uint32Array(1 << 14);
  edgeCount = 0;
  edgeFrom = new Uint32Array(1 << 15);
  edgeTo = new Uint32Array(1 << 15);
  private table = new Int32Array(1 << 15);

  /** Makes a node. Address 0 and type -1: the node stands for a group, not for an object. */
  node(address: number, type: number, parent: number): number {
    const id = this.count++;
    if (id === this.address.length) this.grow();
    this.address[id] = address;
    this.type[id] = type;
    this.parent[id] = parent;
    if (address !== 0) this.enter(id, address);
    return id;
  }

  /** Node of an object; 0: it has none. */
  find(address: number): number {
    const { table } = this;
    const mask = table.length - 1;
    let slot = hash(address) & mask;
    for (;;) {
      const id = table[slot]!;
      if (id === 0 || this.address[id] === address) return id;
      slot = (slot + 1) & mask;
    }
  }

  /** Adds a reference. Only a repetition that follows at once is left out: other duplicates do no harm. */
  edge(from: number, to: number): void {
    if (this.lastOwner[to] === from + 1) return;
    this.lastOwner[to] = from + 1;
    const at = this.edgeCount++;
    if (at === this.edgeFrom.length) {
      this.edgeFrom = grown(this.edgeFrom, new Uint32Array(at * 2));
      this.edgeTo = grown(this.edgeTo, new Uint32Array(at * 2));
    }
    this.edgeFrom[at] = from;
    this.edgeTo[at] = to;
  }

  private enter(id: number, address: number): void {
    if (this.count * 2 > this.table.length) {
      this.table = new Int32Array(this.table.length * 2);
      for (let other = 1; other < id; other++)
        if (this.address[other] !== 0) this.place(other, this.address[other]!);
    }
    this.place(id, address);
  }

  private place(id: number, address: number): void {
    const mask = this.table.length - 1;
    let slot = hash(address) & mask;
    while (this.table[slot] !== 0) slot = (slot + 1) & mask;
    this.table[slot] = id;
  }

  private grow(): void {
    const size = this.address.length * 2;
    this.address = grown(this.address, new Float64Array(size));
    this.type = grown(this.type, new Int32Array(size));
    this.bytes = grown(this.bytes, new Float64Array(size));
    this.objects = grown(this.objects, new Uint32Array(size));
    this.parent = grown(this.parent, new Uint32Array(size));
    this.flags = grown(this.flags, new Uint8Array(size));
    this.lastOwner = grown(this.lastOwner, new Uint32Array(size));
  }
}

const hash = (address: number): number => Math.imul((address / 8) | 0, 0x9e37_79b1) >>> 7;

function grown<Array extends { set: (from: Array) => void }>(from: Array, to: Array): Array {
  to.set(from);
  return to;
}
