/** ELF and core files: bytes in, structures out. */
export { openCore, x86Registers } from './core.ts';
export type { CoreFile, CoreOptions, CoreProcess, CoreThread, SignalInfo } from './core.ts';
export { missingFileText, moduleBase, type MappedFile, type MissingFile } from './mapped-files.ts';
export { loadedObject, type LoadedObject } from './dynamic.ts';
export {
  readElf,
  readElfHeader,
  buildIdOf,
  type ElfFile,
  type ElfHeader,
  type Section,
} from './elf.ts';
export {
  regionAt,
  wordsOf,
  type MemoryReader,
  type MemoryRegion,
  type Words,
} from './memory-reader.ts';
export { readAtBytes, readBytes, type ElfProblem, type ReadAt } from './read-at.ts';
export { crashFacts, objectAt, type CrashFacts, type NativeStackFrame } from './crash.ts';
export { formatOperand, memoryOperands, type MemoryOperand } from './x86-operand.ts';
