import { openCore, x86Registers, type CoreFile } from '../../elf/index.ts';
import { filesElsewhere, type BinaryPlaces } from './binary-places.ts';
import type { Refusal } from './live-process.ts';
import { addressLimit, type MemorySource, type Region } from './memory.ts';
import { openFile } from './open-file.ts';

/** A core as a source of memory. */
export interface CoreSource extends MemorySource {
  readonly core: CoreFile;
}

/**
 * Opens an ELF core as the memory of the process that it was. Read-only pages of files are not dumped (coredump_filter 0x33):
 * names of builtin types come from the libraries on disk, where their build id is still the same.
 */
export function openCoreProcess(path: string, places: BinaryPlaces = {}): CoreSource | Refusal {
  const file = openFile(path);
  if (file === null) return { code: 'gone', status: 'absent', detail: `${path} cannot be opened` };
  const opened = openCore(file.readAt, file.size, {
    openFile,
    elsewhere: (mapped, isExecutable) => filesElsewhere(places, mapped, isExecutable),
  });
  if ('problem' in opened) {
    file.close();
    const { status, why } = opened.problem;
    return {
      code: 'unreadable',
      status: status === 'unsupported' ? 'unsupported' : 'malformed',
      detail: `${path}: ${why}`,
    };
  }
  return coreSource(opened.core, file.close);
}

/** The memory of a core that is open already; `close` is called when the source is closed. */
export function coreSource(core: CoreFile, close: () => void): CoreSource {
  const stackRegister = x86Registers.indexOf('rsp');
  return {
    kind: 'core',
    core,
    pid: core.process?.pid ?? null,
    regions: regionsOf(core),
    read: (address, into) => core.readMemory(address, into),
    threads: () =>
      core.threads.map(({ id, stackPointer, registers }) => ({
        tid: id,
        name: null,
        stackPointer: stackPointer || null,
        registers: [...registers].map(Number).filter((_, index) => index !== stackRegister),
      })),
    ...(core.process === null
      ? {}
      : { processName: core.process.name, commandLine: core.process.commandLine }),
    openFile: (path) => {
      const file = core.files.find((mapped) => mapped.path === path);
      const opened = file === undefined ? null : core.openMapped(file);
      // It stays open for what is read of it later.
      return opened === null ? null : { ...opened, close: () => {} };
    },
    missingFiles: () => core.missingFiles,
    isCurrent: () => true,
    ...(core.truncated === null
      ? {}
      : {
          missing: `the core was cut short: ${core.truncated.actualBytes} of ${core.truncated.expectedBytes} bytes are there`,
        }),
    close,
  };
}

/**
 * What could be read (not the terabytes that CUDA or a sanitizer only reserve), and between it what was mapped from files (code,
 * constants), which a dump may leave out.
 */
function regionsOf(core: CoreFile): readonly Region[] {
  const dumped = core.regions
    .filter(({ start, end, readable }) => readable && start < addressLimit && end > start)
    .map(({ start, end, writable, path, fileOffset }) => ({
      start,
      end,
      writable,
      shared: false,
      path: path ?? '',
      offset: fileOffset,
    }));
  const regions: Region[] = [...dumped];
  let next = 0;
  for (const { start, end, fileOffset, path } of core.files) {
    if (start >= addressLimit) continue;
    let at = start;
    while (next > 0 && dumped[next - 1]!.end > start) next -= 1;
    while (next < dumped.length && dumped[next]!.end <= start) next += 1;
    for (let i = next; at < end; i++) {
      const region = dumped[i];
      const gapEnd = Math.min(end, region?.start ?? end);
      if (gapEnd > at)
        regions.push({
          start: at,
          end: gapEnd,
          writable: false,
          shared: false,
          path,
          offset: fileOffset + (at - start),
        });
      if (region === undefined || region.start >= end) break;
      at = Math.max(at, region.end);
    }
  }
  return regions.sort((a, b) => a.start - b.start);
}
