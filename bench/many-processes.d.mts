/** What was written down of a run beside the ends of its processes. */
export interface Shape {
  readonly kernelLog?: boolean;
  readonly counter?: boolean;
  readonly cgroups?: boolean;
  readonly python?: boolean;
  readonly signal?: string;
}
export const shapes: Readonly<Record<string, Shape>>;
export function manyProcesses(count: number, shape?: Shape): Map<string, string>;
