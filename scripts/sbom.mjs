// Writes dist/sbom.cdx.json (CycloneDX 1.5): what of others is built into the package and the page, from the licences that the two
// builds gathered. Reproducible: no time, no random serial number.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';

const at = (path) => new URL(`../${path}`, import.meta.url);
const { name, version, license } = JSON.parse(readFileSync(at('package.json'), 'utf8'));

const found = new Map();
for (const [file, part] of [
  ['dist/bundle/licenses.md', 'command'],
  ['dist/report/licenses.md', 'page'],
]) {
  if (!existsSync(at(file))) continue;
  for (const [, pkg, packageVersion, id] of readFileSync(at(file), 'utf8').matchAll(
    /^## (\S+) - (\S+) \(([^)]+)\)$/gm,
  )) {
    const key = `${pkg}@${packageVersion}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { pkg, packageVersion, id, parts: [part] });
    else known.parts.push(part);
  }
}
const purl = (pkg, of) => `pkg:npm/${pkg.replace(/^@/, '%40')}@${of}`;
const components = [...found.values()]
  .sort((a, b) => (a.pkg < b.pkg ? -1 : 1))
  .map(({ pkg, packageVersion, id, parts }) => ({
    type: 'library',
    'bom-ref': purl(pkg, packageVersion),
    name: pkg,
    version: packageVersion,
    licenses: [{ license: { id } }],
    purl: purl(pkg, packageVersion),
    properties: parts.map((part) => ({ name: 'coroner:built-into', value: part })),
  }));
const root = purl(name, version);
const bom = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: {
    component: {
      type: 'application',
      'bom-ref': root,
      name,
      version,
      licenses: [{ license: { id: license } }],
      purl: root,
    },
  },
  components,
  dependencies: [{ ref: root, dependsOn: components.map((each) => each['bom-ref']) }],
};
// A name for exactly this content, in the form that the format asks for.
const digest = createHash('sha256').update(JSON.stringify(bom)).digest('hex');
bom.serialNumber = `urn:uuid:${digest.slice(0, 8)}-${digest.slice(8, 12)}-5${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
writeFileSync(at('dist/sbom.cdx.json'), `${JSON.stringify(bom, null, 2)}\n`);
