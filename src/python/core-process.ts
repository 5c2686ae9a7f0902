import { openCore, x86Registers, type CoreFile } from '../elf/index.ts';
import type { Refusal } from './live-process.ts';
import { addressLimit, type MemorySource } from './memory.ts';
import { openFile } from './symbol-file.ts';

export interface CoreSource extends MemorySource {
  readonly core: CoreFile;
}

/**
 * Opens an ELF core as the memory of the process that it was. Read-only pages of files are not dumped (coredump_filter 0x33):
 * names of builtin types come from the libraries on disk, where their build id is still the same.
 */
export function openCoreProcess(path: string): CoreSource | Refusal {
  const file = openFile(path);
  if (file === null) return { status: 'absent', detail: `${path} cannot be opened` };
  const opened = openCore(file.readAt, file.size, { openFile });
  if ('problem' in opened) {
    file.close();
    const { status, why } = opened.problem;
    return {
      status: status === 'unsupported' ? 'unsupported' : 'malformed',
      detail: `${path}: ${why}`,
    };
  }
  return coreSource(opened.core, file.close);
}

/** A core that is open already. */
export function coreSource(core: CoreFile, close: () => void): CoreSource {
  const stackRegister = x86Registers.indexOf('rsp');
  return {
    kind: 'core',
    core,
    pid: core.process?.pid ?? null,
    regions: core.regions
      .filter(({ start, end }) => start < addressLimit && end > start)
      .map(({ start, end, writable, path: mapped, fileOffset }) => ({
        start,
        end,
        writable,
        shared: false,
        path: mapped ?? '',
        offset: fileOffset,
      })),
    read: (address, into) => core.readMemory(address, into),
    threads: () =>
      core.threads.map(({ id, stackPointer, registers }) => ({
        tid: id,
        name: null,
        stackPointer: stackPointer || null,
        registers: [...registers].map(Number).filter((_, index) => index !== stackRegister),
      })),
    filePath: (mapped) => mapped,
    close,
  };
}
