// Bundles the command into the few files of dist/bundle/, which bin/coroner.js runs: Node takes longer to find and link two hundred
// modules than coroner takes to read a log of a megabyte, and `coroner run` makes its command wait for that.
// What is loaded lazily in the sources (a command, a renderer) stays a file of its own. Names are kept: a fault's stack shall be readable.
// The bundle is CommonJS, though the sources are not: Node 20 is at its first line a sixth sooner (its ESM loader, and the facades
// that it makes of its own modules, cost 20 ms of CPU).
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../', import.meta.url));

/** A module with all that is loaded along with it, not what it loads later. */
function loadedWith(id, chunking, seen = new Set()) {
  if (seen.has(id)) return seen;
  seen.add(id);
  for (const next of chunking.getModuleInfo(id)?.importedIds ?? [])
    loadedWith(next, chunking, seen);
  return seen;
}

/** What people wait for is one file each, and what two of them load another. The rest is cut as it comes. */
const awaited = {
  run: ['src/cli/run.ts'],
  diagnose: ['src/cli/diagnose.ts', 'src/cli/terminal-options.ts', 'src/render/terminal.ts'],
  'final-snapshot-worker': ['src/record/final-snapshot/final-snapshot-worker.ts'],
};
let parts;
function partOf(id, chunking) {
  parts ??= Object.entries({ main: ['src/cli/main.ts'], ...awaited }).map(([name, files]) => ({
    name,
    modules: new Set(files.flatMap((file) => [...loadedWith(root + file, chunking)])),
  }));
  const names = parts.filter(({ modules }) => modules.has(id)).map(({ name }) => name);
  // What main needs itself stays in its own file, which a command has loaded anyhow. The worker is no command.
  if (names.includes('main') && !names.includes('final-snapshot-worker')) return null;
  const [part, another] = names;
  if (another !== undefined) return 'shared';
  return part === 'run' || part === 'diagnose' ? part : null;
}

await build({
  root,
  configFile: false,
  publicDir: false,
  logLevel: 'warn',
  ssr: { noExternal: true },
  build: {
    ssr: true,
    target: 'node20',
    // As deep as src/cli/: what is found beside the package is found from both.
    outDir: 'dist/bundle',
    minify: false,
    // Of what is bundled in from others.
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      // A renderer that one command always needs is loaded late by another.
      checks: { ineffectiveDynamicImport: false },
      input: {
        main: `${root}src/cli/main.ts`,
        'final-snapshot-worker': `${root}src/record/final-snapshot/final-snapshot-worker.ts`,
      },
      output: {
        format: 'cjs',
        entryFileNames: '[name].js',
        chunkFileNames: '[name].js',
        // They are for who reads the sources.
        comments: { jsdoc: false },
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [{ debugName: 'parts', name: partOf }],
        },
      },
    },
  },
});
writeFileSync(`${root}dist/bundle/package.json`, '{ "type": "commonjs" }\n');
