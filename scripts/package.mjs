// npm run package [-- wheel npm manual executable deb image]: what is shipped, into dist/packages/. Two builds of one commit are the same,
// byte for byte (SOURCE_DATE_EPOCH; else the time of the commit). What cannot be built here is left out and named at the end.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildBinaries, out, root } from './package/stage.mjs';

const kinds = {
  manual: async (parts) => (await import('./package/manual.mjs')).manual(parts),
  wheel: async (parts) => (await import('./package/wheel.mjs')).wheel(parts),
  npm: async (parts) => (await import('./package/npm.mjs')).npm(parts),
  executable: async (parts) => (await import('./package/executable.mjs')).executable(parts),
  deb: async (parts) => (await import('./package/deb.mjs')).deb(parts),
  image: async (parts) => (await import('./package/image.mjs')).image(parts),
};
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in kinds));
if (unknown.length > 0) {
  console.error(`package: ${unknown.join(', ')}: there are ${Object.keys(kinds).join(', ')}`);
  process.exit(64);
}
if (!existsSync(join(root, 'dist/bundle/main.js'))) {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
}
// Modes are part of what is packed: not those of whoever packs.
process.umask(0o022);
mkdirSync(out, { recursive: true });
const parts = buildBinaries();
const missing = [...parts.missing];
const made = [];
for (const [kind, make] of Object.entries(kinds)) {
  if (asked.length > 0 && !asked.includes(kind)) continue;
  try {
    const given = await make(parts);
    const {
      name,
      names = [name].flat(),
      missing: lacks = [],
    } = typeof given === 'string' ? { name: given } : given;
    made.push(...names);
    missing.push(...lacks);
  } catch (error) {
    missing.push(`${kind}: ${error.message}`);
  }
}
for (const name of made)
  console.log(`${(statSync(join(out, name)).size / 1e6).toFixed(2).padStart(8)} MB  ${name}`);
for (const name of missing) console.log(`left out: ${name}`);
process.exit(made.length === 0 ? 1 : 0);
