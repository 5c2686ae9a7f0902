// Bundles the command into the few files of dist/bundle/, which bin/coroner.js runs: Node takes longer to find and link two hundred
// modules than coroner takes to read a log of a megabyte, and `coroner run` makes its command wait for that.
// What is loaded lazily in the sources (a command, a renderer) stays a file of its own. Names are kept: a fault's stack shall be readable.
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../', import.meta.url));
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
      input: {
        main: `${root}src/cli/main.ts`,
        'last-look-worker': `${root}src/record/last-look-worker.ts`,
      },
      output: { entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    },
  },
});
