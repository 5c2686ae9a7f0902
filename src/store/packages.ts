/** Installed packages whose code or types a report names, with their versions: read from the names of folders when the run has ended. */
import { readdirSync } from 'node:fs';
import { isSum } from '../model/memory-picture.ts';
import type { InstalledPackage, MemoryPicture, Report, StackFrame } from '../model/report.ts';

const mostFolders = 8;
const mostPackages = 20;
/** Where the name to import is not the name to install. */
const distributions: Readonly<Record<string, string>> = {
  sklearn: 'scikit_learn',
  cv2: 'opencv_python',
  pil: 'pillow',
  yaml: 'pyyaml',
  bs4: 'beautifulsoup4',
};

/** Of the report's pictures, those that held most first; only folders of absolute paths are listed. */
export function packagesOf(report: Report): readonly InstalledPackage[] {
  const pictures = [
    ...report.incidents.map(({ memory }) => memory),
    ...(report.run?.memory === undefined ? [] : [report.run.memory]),
  ];
  const files = new Set(pictures.flatMap(filesOf));
  const names = new Set([...[...files].flatMap(importedFrom), ...pictures.flatMap(namesOfTypes)]);
  if (names.size === 0) return [];
  const folders = [...new Set([...files].flatMap(foldersOf))].slice(0, mostFolders);
  const installed = new Map(folders.flatMap(installedIn));
  return [...names]
    .flatMap((name) => installed.get(distributions[name] ?? name) ?? [])
    .slice(0, mostPackages);
}

/** What Python itself loads at its start holds nothing of the program's. */
function filesOf({ allocations = [], holders = [] }: MemoryPicture): readonly string[] {
  const own = allocations.filter((allocation) => !isSum(allocation));
  const stacks: readonly (readonly Pick<StackFrame, 'file'>[])[] = [
    ...own.map(({ stack }) => stack),
    ...own.flatMap(({ paths = [] }) => paths.map(({ stack }) => stack)),
    [...own, ...holders],
  ];
  return stacks.flat().flatMap(({ file }) => (file?.startsWith('/') === true ? [file] : []));
}

const folderOfPackages = /^(.*\/(?:site-packages|dist-packages))\/([^/]+)/;

/** `numpy` of `/usr/lib/python3/dist-packages/numpy/core/numeric.py`. */
const importedFrom = (file: string): readonly string[] => {
  const name = folderOfPackages.exec(file)?.[2];
  return name === undefined ? [] : [alike(name.replace(/\..*$/, ''))];
};

/** `pandas` of `pandas.core.frame.DataFrame`. */
const namesOfTypes = ({ types = [] }: MemoryPicture): readonly string[] =>
  types.slice(0, 30).flatMap(({ type }) => {
    const name = /^([A-Za-z_]\w*)\./.exec(type)?.[1];
    return name === undefined ? [] : [alike(name)];
  });

const foldersOf = (file: string): readonly string[] => {
  const own = folderOfPackages.exec(file)?.[1];
  const library = /^(.*\/lib(?:64)?\/python\d[\d.]*)\//.exec(file)?.[1];
  return own !== undefined ? [own] : library !== undefined ? [`${library}/site-packages`] : [];
};

/** By the name that is alike. Nothing where the folder cannot be listed. */
function installedIn(folder: string): readonly (readonly [string, InstalledPackage])[] {
  try {
    return readdirSync(folder).flatMap((entry) => {
      const [, name, version] = /^([\w.]+)-([\w.+!]+)\.(?:dist-info|egg-info)$/.exec(entry) ?? [];
      return name === undefined || version === undefined
        ? []
        : [[alike(name), { name, version }] as const];
    });
  } catch {
    return [];
  }
}

const alike = (name: string): string => name.toLowerCase().replaceAll(/[-.]/g, '_');
