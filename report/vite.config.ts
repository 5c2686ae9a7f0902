import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';
import { viteSingleFile } from 'vite-plugin-singlefile';

/** The charts have no title, and the page has a legend of its own: uPlot's styles for its own are left out. */
const withoutUnusedStyles = (html: string): string =>
  html.replace(/<style[^>]*>[^<]*<\/style>/g, (style) =>
    style.replaceAll(/[^{}]*\.u-(?:title|legend|inline|series)\b[^{}]*\{[^{}]*\}/g, ''),
  );

/**
 * Content-Security-Policy by hashes: only the very script and style that were built may run, nothing is fetched.
 * Works on the written file, when script and style stand in it as the browser will hash them.
 */
const contentSecurityPolicy = (): Plugin => ({
  name: 'content-security-policy',
  writeBundle({ dir = '' }) {
    const path = join(dir, 'index.html');
    const html = withoutUnusedStyles(readFileSync(path, 'utf8'));
    const hashes = (pattern: RegExp): string =>
      [...html.matchAll(pattern)]
        .map(([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
        .join(' ');
    const policy = [
      "default-src 'none'",
      `script-src ${hashes(/<script type="module"[^>]*>([\s\S]*?)<\/script>/g)}`,
      `style-src ${hashes(/<style[^>]*>([\s\S]*?)<\/style>/g)}`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
    ].join('; ');
    writeFileSync(
      path,
      html.replace(
        '<meta name="coroner-policy" />',
        () => `<meta http-equiv="Content-Security-Policy" content="${policy}" />`,
      ),
    );
  },
});

/** The page is passed on alone: the licences of what is built into it go with it, as a comment. */
const licenses = (): Plugin => ({
  name: 'licenses',
  writeBundle({ dir = '' }) {
    const text = readFileSync(join(dir, licenseFile), 'utf8');
    const page = join(dir, 'index.html');
    // "--" may not stand in a comment.
    const comment = `<!--\n${text.replaceAll(/-(?=-)/g, '- ').trim()}\n-->`;
    writeFileSync(page, `${readFileSync(page, 'utf8').trimEnd()}\n${comment}\n`);
  },
});
const licenseFile = 'licenses.md';

export default defineConfig({
  plugins: [viteSingleFile({ removeViteModuleLoader: true }), contentSecurityPolicy(), licenses()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/report',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    license: { fileName: licenseFile },
  },
});
