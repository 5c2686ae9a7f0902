/**
 * The bytes of an agent's file as tables: each section's entries by their place, and what they refer to (texts, Python
 * stacks, native frames). The file may end anywhere, and its numbers may be anything.
 */
import { header } from '../../../model/agent-header.ts';
import type { StackFrame } from '../../../model/report.ts';
import type { Ms } from '../../../model/units.ts';
import type { NativeFrame } from './facts.ts';

const sectionNames = [
  'stacks',
  'nodes',
  'frames',
  'codes',
  'text',
  'live',
  'failures',
  'history',
  'modules',
] as const;
export type SectionName = (typeof sectionNames)[number];
/** The least stride with which the fields below can be read. */
const leastStride: Readonly<Record<SectionName, number>> = {
  stacks: 120,
  nodes: 8,
  frames: 16,
  codes: 40,
  text: 1,
  live: 40,
  failures: 136,
  history: 32,
  modules: 32,
};
const mostStride = 4096;
const strideWithRefusals = 144;
const longestText = 4096;
const nativeDepth = 6;
/** More than the agent notes (MAX_PYTHON_DEPTH in agent/agent.h). */
const maxPythonDepth = 80;

interface Section {
  readonly offset: number;
  readonly stride: number;
  /** Entries that are there, of those that the header tells of. */
  readonly count: number;
}
interface Sections {
  readonly byName: Readonly<Record<SectionName, Section>>;
  readonly truncated: boolean;
}
interface Module {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  readonly path: string | null;
}

const utf8 = new TextDecoder('utf-8');

/** Where the sections lie, by the header; else the name of the first that contradicts itself. */
export function sectionsOf(
  view: DataView,
): { readonly sections: Sections } | { readonly contradicts: SectionName } {
  const byName = {} as Record<SectionName, Section>;
  let truncated = false;
  for (const [index, name] of sectionNames.entries()) {
    const at = header.sections + index * 16;
    const [offset, stride, capacity, used] = [0, 4, 8, 12].map((field) =>
      view.getUint32(at + field, true),
    ) as [number, number, number, number];
    if (stride < leastStride[name] || stride > mostStride || used > capacity)
      return { contradicts: name };
    const whole = Math.max(0, Math.min(used, Math.floor((view.byteLength - offset) / stride)));
    if (whole < used) truncated = true;
    byName[name] = { offset, stride, count: whole };
  }
  return { sections: { byName, truncated } };
}

export class AgentImage {
  readonly view: DataView;
  readonly #bytes: Uint8Array;
  /** Monotonic nanoseconds. */
  readonly startedNs: number;
  /** Sections hold fewer entries than the header tells of. */
  readonly truncated: boolean;
  readonly #sections: Readonly<Record<SectionName, Section>>;
  readonly #frames = new Map<number, StackFrame | null>();
  readonly #modules: readonly Module[];

  constructor(bytes: Uint8Array, { byName, truncated }: Sections) {
    this.#bytes = bytes;
    this.view = viewOf(bytes);
    this.startedNs = this.u64(header.startedMonotonic);
    this.truncated = truncated;
    this.#sections = byName;
    this.#modules = this.entries('modules', (place) => ({
      start: this.u64(place),
      end: this.u64(place + 8),
      offset: this.u64(place + 16),
      path: this.text(this.u32(place + 24)),
    }));
  }

  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }
  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
  i32(offset: number): number {
    return this.view.getInt32(offset, true);
  }
  u64(offset: number): number {
    return number64(this.view, offset);
  }
  i64(offset: number): number {
    return Number(this.view.getBigInt64(offset, true));
  }
  /** At a monotonic time in nanoseconds; 0: there was none. */
  sinceStartMs(ns: number): Ms {
    return ns === 0 ? 0 : Math.max(0, Math.round((ns - this.startedNs) / 1e6));
  }

  /** Whether stacks tell what was live when a request was refused. */
  get keepsRefusals(): boolean {
    return this.u64(header.failureCount) > 0 && this.stride('stacks') >= strideWithRefusals;
  }

  stride(name: SectionName): number {
    return this.#sections[name].stride;
  }
  /** Reads each entry of a section at its place in the file. */
  entries<Entry>(name: SectionName, read: (place: number) => Entry): Entry[] {
    const { offset, stride, count } = this.#sections[name];
    const found: Entry[] = [];
    for (let index = 0; index < count; index += 1) found.push(read(offset + stride * index));
    return found;
  }
  /** Where the entry of a reference lies: these count from 1. null: it refers to nothing that is there. */
  #placeOf(name: SectionName, reference: number): number | null {
    const { offset, stride, count } = this.#sections[name];
    return reference >= 1 && reference <= count ? offset + stride * (reference - 1) : null;
  }

  /** null: none, or not within the section. */
  text(offset: number): string | null {
    const { text } = this.#sections;
    if (offset === 0 || offset + 4 > text.count) return null;
    const start = text.offset + offset;
    const length = this.u32(start);
    if (length > longestText || offset + 4 + length > text.count) return null;
    return utf8.decode(this.#bytes.subarray(start + 4, start + 4 + length));
  }
  /** Of a field of the header that ends with a NUL or with its length. */
  zeroEnded(offset: number, length: number): string {
    const field = this.#bytes.subarray(offset, offset + length);
    const end = field.indexOf(0);
    return utf8.decode(end === -1 ? field : field.subarray(0, end));
  }

  /** Python frames, innermost first: each node refers to its frame and to the node of its caller. */
  pythonStack(innermost: number): StackFrame[] {
    const stack: StackFrame[] = [];
    let node = this.#placeOf('nodes', innermost);
    // Nodes are counted, not frames: those of a spoilt file may go round without a frame that is known.
    for (let depth = 0; node !== null && depth < maxPythonDepth; depth += 1) {
      const frame = this.#frame(this.u32(node + 4));
      if (frame) stack.push(frame);
      node = this.#placeOf('nodes', this.u32(node));
    }
    return stack;
  }
  #frame(reference: number): StackFrame | null {
    const known = this.#frames.get(reference);
    if (known !== undefined) return known;
    const place = this.#placeOf('frames', reference);
    const frame = place === null ? null : this.#frameAt(place);
    this.#frames.set(reference, frame);
    return frame;
  }
  #frameAt(place: number): StackFrame | null {
    const code = this.#placeOf('codes', this.u32(place));
    if (code === null) return null;
    const line = this.i32(place + 8);
    return {
      function: this.text(this.u32(code + 32)) ?? '?',
      file: this.text(this.u32(code + 28)),
      line: line > 0 ? line : null,
    };
  }

  /** The return addresses at `place`, by the module that each lies in. */
  nativeStack(place: number, count: number): NativeFrame[] {
    const stack: NativeFrame[] = [];
    for (let index = 0; index < Math.min(count, nativeDepth); index += 1) {
      const address = this.u64(place + index * 8);
      if (address !== 0) stack.push(this.#nativeFrame(address));
    }
    return stack;
  }
  #nativeFrame(address: number): NativeFrame {
    const module = this.#modules.findLast(({ start, end }) => address >= start && address < end);
    return module === undefined
      ? { module: null, fileOffset: address }
      : { module: module.path, fileOffset: address - module.start + module.offset };
  }
}

/** Sizes may be any 64-bit number; those beyond 2^53 lose their last digits, which nobody reads. */
export const number64 = (view: DataView, offset: number): number =>
  Number(view.getBigUint64(offset, true));

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
