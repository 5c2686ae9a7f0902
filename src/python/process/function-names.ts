import { firstIndexWhere } from '../../model/binary-search.ts';
import { readElf, type ReadAt } from '../../elf/index.ts';
import { openFile } from './open-file.ts';

interface Place {
  readonly module: string | null;
  /** Offset in the file. */
  readonly fileOffset: number;
}
interface Symbols {
  /** File offset of each function, ascending, with its size and name. */
  readonly functions: readonly {
    readonly offset: number;
    readonly bytes: number;
    readonly name: string;
  }[];
}

const mostModules = 64;
const mostSymbols = 400_000;
const largestTableBytes = 32 * 2 ** 20;
const symbolTable = 2;
const dynamicSymbols = 11;
const functionType = 2;
const latin1 = new TextDecoder('latin1');

/** Names of functions by place in a program or library on this machine. Each file is read once; null where it tells nothing. */
export function functionNames(): (place: Place) => string | null {
  const modules = new Map<string, Symbols | null>();
  return ({ module, fileOffset }) => {
    if (module === null || !module.startsWith('/')) return null;
    let symbols = modules.get(module);
    if (symbols === undefined) {
      symbols = modules.size < mostModules ? readSymbols(module) : null;
      modules.set(module, symbols);
    }
    return symbols === null ? null : nameAt(symbols, fileOffset);
  };
}

function nameAt({ functions }: Symbols, offset: number): string | null {
  const next = firstIndexWhere(functions.length, (index) => functions[index]!.offset > offset);
  const found = functions[next - 1];
  // A return address may stand right behind the last byte of a function that never returns.
  return found !== undefined && offset <= found.offset + found.bytes ? found.name : null;
}

function readSymbols(path: string): Symbols | null {
  const file = openFile(path);
  if (file === null) return null;
  try {
    const read = readElf(file.readAt, file.size);
    if ('problem' in read || read.elf.header.bits !== 64 || !read.elf.header.littleEndian)
      return null;
    const { elf } = read;
    const sections = elf.sections();
    const table =
      sections.find(({ type }) => type === symbolTable) ??
      sections.find(({ type }) => type === dynamicSymbols);
    const strings = table === undefined ? undefined : sections[table.link];
    if (table === undefined || strings === undefined) return null;
    const entries = bytesAt(file.readAt, table.offset, table.bytes);
    const text = bytesAt(file.readAt, strings.offset, strings.bytes);
    if (entries === null || text === null) return null;
    const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
    const functions: { offset: number; bytes: number; name: string }[] = [];
    for (let at = 0; at + 24 <= entries.length && functions.length < mostSymbols; at += 24) {
      if ((view.getUint8(at + 4) & 15) !== functionType) continue;
      const value = Number(view.getBigUint64(at + 8, true));
      const bytes = Number(view.getBigUint64(at + 16, true));
      const load = elf.programHeaders.find(
        ({ type, address, fileBytes }) =>
          type === 1 && value >= address && value < address + fileBytes,
      );
      if (load === undefined || bytes === 0) continue;
      const start = view.getUint32(at, true);
      const end = text.indexOf(0, start);
      if (start >= text.length || end === -1 || end - start > 512) continue;
      functions.push({
        offset: value - load.address + load.offset,
        bytes,
        name: latin1.decode(text.subarray(start, end)),
      });
    }
    return { functions: functions.sort((a, b) => a.offset - b.offset) };
  } finally {
    file.close();
  }
}

function bytesAt(readAt: ReadAt, offset: number, bytes: number): Uint8Array | null {
  if (bytes > largestTableBytes) return null;
  const into = new Uint8Array(bytes);
  return readAt(offset, into) === bytes ? into : null;
}
