/** Objects whose references are still to be followed, each with its node; the one pushed last comes first. */
export class WorkStack {
  length = 0;
  /** Lower and upper half of the address, and the node. Entries from `length` on mean nothing. */
  low = new Int32Array(1 << 14);
  high = new Int32Array(1 << 14);
  node = new Int32Array(1 << 14);

  push(low: number, high: number, node: number): void {
    const at = this.length++;
    if (at === this.low.length) {
      this.low = doubled(this.low);
      this.high = doubled(this.high);
      this.node = doubled(this.node);
    }
    this.low[at] = low;
    this.high[at] = high;
    this.node[at] = node;
  }
}

function doubled(from: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}
