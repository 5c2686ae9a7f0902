/** An object that goes on: its index, and how many of its like it stands for. */
interface Kept {
  readonly index: number;
  readonly times: number;
}

/** What the objects of one level of a walk refer to, before it is known which of it goes on. */
export class NextLevel {
  readonly address: number[] = [];
  /** The node that was first seen to refer to it. */
  readonly firstFrom: number[] = [];
  /** How many objects it stands for by that of its references which says most. */
  readonly most: number[] = [];
  private readonly weight: number[] = [];
  private readonly lastEdge: number[] = [];
  private readonly edgeFrom: number[] = [];
  private readonly edgeTimes: number[] = [];
  private readonly edgeBefore: number[] = [];
  private readonly indexes = new Map<number, number>();

  get count(): number {
    return this.address.length;
  }

  /** A reference from node `from` that stands for `times` of its like; `weight`: for so many in the whole. */
  add(address: number, from: number, times: number, weight: number): void {
    let index = this.indexes.get(address);
    if (index === undefined) {
      index = this.address.push(address) - 1;
      this.indexes.set(address, index);
      this.firstFrom.push(from);
      this.most.push(weight);
      this.weight.push(weight);
      this.lastEdge.push(-1);
    } else {
      this.weight[index]! += weight;
      this.most[index] = Math.max(this.most[index]!, weight);
    }
    this.edgeBefore.push(this.lastEdge[index]!);
    this.lastEdge[index] = this.edgeFrom.push(from) - 1;
    this.edgeTimes.push(times);
  }

  eachEdge(index: number, visit: (from: number, times: number) => void): void {
    for (let edge = this.lastEdge[index]!; edge >= 0; edge = this.edgeBefore[edge]!)
      visit(this.edgeFrom[edge]!, this.edgeTimes[edge]!);
  }

  /**
   * Which objects go on: those of `isKept`, `budget` of those that stand for themselves, and `budget` of those that stand for others,
   * the more likely the more they stand for.
   */
  sample(
    budget: number,
    isKept: (address: number) => boolean,
    random: () => number,
  ): readonly Kept[] {
    const kept: Kept[] = [];
    const single: number[] = [];
    const many: number[] = [];
    for (let index = 0; index < this.count; index++)
      if (isKept(this.address[index]!)) kept.push({ index, times: 1 });
      else (this.most[index]! > 1 ? many : single).push(index);
    for (const group of [single, many]) this.choose(group, budget, random, kept);
    return kept.sort((a, b) => a.index - b.index);
  }

  private choose(
    group: readonly number[],
    budget: number,
    random: () => number,
    kept: Kept[],
  ): void {
    if (group.length <= budget) {
      for (const index of group) kept.push({ index, times: 1 });
      return;
    }
    let sum = 0;
    for (const index of group) sum += this.weight[index]!;
    let above = 0;
    let stratum = 0;
    let target = random();
    for (const index of group) {
      const chance = (budget * this.weight[index]!) / sum;
      if (chance >= 1) {
        kept.push({ index, times: 1 });
        continue;
      }
      above += chance;
      if (above <= target) continue;
      kept.push({ index, times: 1 / chance });
      stratum += 1;
      target = stratum + random();
    }
  }
}
