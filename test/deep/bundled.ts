// Programs of test/deep in one file each, beside the build: what they find by their own place is found from there.
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** `fuzz-parsers` as `dist/fuzz-parsers.mjs`; its path. */
export async function bundled(name: string): Promise<string> {
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    ssr: { noExternal: true },
    build: {
      ssr: `test/deep/${name}.ts`,
      outDir: 'dist',
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      rollupOptions: { output: { entryFileNames: `${name}.mjs`, codeSplitting: false } },
    },
  });
  return `${root}dist/${name}.mjs`;
}
