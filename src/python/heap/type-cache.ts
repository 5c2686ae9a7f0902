import type { TypeInfo, TypeTable } from '../objects/types.ts';

const mask = 8191;

/** Types by the two halves of their address: a lookup makes no double, which would be boxed. */
export class TypeCache {
  private readonly table: TypeTable;
  private readonly low = new Int32Array(mask + 1);
  private readonly high = new Int32Array(mask + 1);
  private readonly types: (TypeInfo | null)[] = Array.from({ length: mask + 1 }, () => null);

  constructor(table: TypeTable) {
    this.table = table;
  }

  /** The type at an address; it is read where it is seen for the first time. null: no type lies there. */
  at(low: number, high: number): TypeInfo | null {
    const place = (low >>> 4) & mask;
    if (this.low[place] === low && this.high[place] === high && low !== 0)
      return this.types[place]!;
    const index = this.table.indexOf((high >>> 0) * 4_294_967_296 + (low >>> 0));
    const type = index < 0 ? null : this.table.types[index]!;
    this.low[place] = low;
    this.high[place] = high;
    this.types[place] = type;
    return type;
  }
}
