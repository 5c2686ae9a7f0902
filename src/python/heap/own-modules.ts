import type { Interpreter } from '../interpreter/interpreter.ts';
import { isPlausible } from '../process/memory.ts';

/** A module of the program: what stands in front of its names, and its dict. */
interface OwnModule {
  readonly prefix: string;
  readonly dict: number;
}

const maxModules = 20_000;

/** Whether a file is the program's: neither the standard library's, nor an installed package's, nor coroner's own hook. */
export const isOwnFile = (file: string): boolean =>
  !/^<frozen|^<__array_function|\/(site|dist)-packages\/|\/lib(64)?\/python\d(\.\d+)?\/|\/python-hook\/sitecustomize\.py$|^$/.test(
    file,
  );

/**
 * The program's own modules, kept from one snapshot of a process to the next. Finding them means reading the name of every imported
 * module, which takes longer than the rest of a snapshot where there are thousands, or where the machine is slow.
 */
export class OwnModules {
  /** By interpreter, with what `sys.modules` was and had then. */
  private readonly known = new Map<
    number,
    { readonly imported: string; readonly modules: readonly OwnModule[] }
  >();

  of(python: Interpreter, interpreter: number): readonly OwnModule[] {
    const imported = python.dictVersion(python.modules(interpreter));
    const known = this.known.get(interpreter);
    if (known?.imported === imported) return known.modules;
    const modules = ownModules(python, interpreter);
    this.known.set(interpreter, { imported, modules });
    return modules;
  }
}

/** `__main__`, then the modules whose package has a file of the program's own. */
function ownModules(python: Interpreter, interpreter: number): readonly OwnModule[] {
  const found: OwnModule[] = [];
  /** By the name of the package, up to its first dot. */
  const isOwn = new Map<string, boolean>();
  python.eachEntry(
    python.modules(interpreter),
    (key, module) => {
      const name = python.string(key, 200);
      const [top] = name.split('.');
      if (isOwn.get(top!) === false) return;
      // `md_dict` of PyModuleObject.
      const dict = python.memory.word(module + 16);
      if (!isPlausible(dict)) return;
      if (name === '__main__') {
        found.unshift({ prefix: '', dict });
        return;
      }
      if (!isOwn.has(top!)) isOwn.set(top!, isOwnModule(python, dict));
      if (isOwn.get(top!) === true) found.push({ prefix: `${name}.`, dict });
    },
    maxModules,
  );
  return found;
}

function isOwnModule(python: Interpreter, dict: number): boolean {
  const file = python.dictValue(dict, '__file__');
  // Built in, frozen, or a namespace of several folders.
  if (file === 0 || python.typeName(file) !== 'str') return false;
  const path = python.string(file, 1024);
  return path.startsWith('/') && isOwnFile(path);
}
