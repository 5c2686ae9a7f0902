// node test/libraries/run.mjs [--write FILE] [--cache FOLDER] [--no-install] [NAME]...
//
// What `coroner run` says of programs that use real libraries. Each is killed in a cgroup (root), and judged as the ordinary ones are
// (test/ordinary/run.mjs). The libraries are installed by pip into environments in the cache, once; what cannot be had is skipped by name.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    write: { type: 'string' },
    cache: { type: 'string', default: join(homedir(), '.cache/coroner-libraries') },
    python: { type: 'string', default: 'python3' },
    'no-install': { type: 'boolean', default: false },
  },
});
const programs = fileURLToPath(new URL('programs', import.meta.url));
const judge = fileURLToPath(new URL('../ordinary/run.mjs', import.meta.url));

/** The environments that a program names with `venv:`, and what each of them holds. `system`: the machine's own Python. */
const environments = {
  data: 'numpy pandas pyarrow polars scipy scikit-learn lightgbm pillow opencv-python-headless joblib dask[array,dataframe] xarray',
  web: 'sqlalchemy aiohttp httpx pydantic django flask gunicorn celery uvloop gevent lxml orjson jinja2 networkx',
  run: 'pytest pytest-xdist ipykernel jupyter_client cachetools attrs',
  system: '',
};

/** The Python of an environment, which is made where there is none; null: it cannot be had. */
function pythonOf(name) {
  if (name === 'system') return existsSync('/usr/bin/python3') ? '/usr/bin/python3' : null;
  const folder = join(values.cache, name);
  const python = join(folder, 'bin/python');
  if (existsSync(python) || values['no-install']) return existsSync(python) ? python : null;
  mkdirSync(values.cache, { recursive: true });
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
  const made = spawnSync(values.python, ['-m', 'venv', folder], quiet);
  if (made.status !== 0) return null;
  // One that has no wheel here must not take the others with it.
  for (const library of environments[name].split(' '))
    spawnSync(python, ['-m', 'pip', 'install', '-q', library], quiet);
  return python;
}

/** Names and versions of the libraries that a program's first line says it needs. */
function versionsOf(python, modules) {
  const asks = `import importlib, importlib.metadata as m, sys
names = m.packages_distributions() if hasattr(m, 'packages_distributions') else {}
for one in sys.argv[1:]:
    dist = (names.get(one.split('.')[0]) or [one])[0]
    try: print(dist, m.version(dist))
    except Exception: print(one)`;
  const { stdout } = spawnSync(python, ['-c', asks, ...modules], { encoding: 'utf8' });
  return (stdout ?? '').trim().split('\n').join(', ');
}

const entries = readdirSync(programs)
  .filter((entry) => entry.endsWith('.py'))
  .map((entry) => {
    const [head] = readFileSync(join(programs, entry), 'utf8').split('\n', 1);
    const field = (name) => new RegExp(`\\b${name}: ([^|]+)`).exec(head)?.[1].trim();
    return {
      name: entry.slice(0, -3),
      venv: field('venv') ?? 'system',
      needs: field('needs').split(', '),
    };
  })
  .filter(({ name }) => positionals.length === 0 || positionals.includes(name));

const scratch = mkdtempSync(join(tmpdir(), 'coroner-libraries-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
const rows = [];
for (const venv of Object.keys(environments)) {
  const own = entries.filter((entry) => entry.venv === venv);
  if (own.length === 0) continue;
  const python = pythonOf(venv);
  if (python === null) {
    for (const { name } of own) console.log(`${name}: skipped (needs the environment ${venv})`);
    continue;
  }
  const written = join(scratch, `${venv}.json`);
  const { status } = spawnSync(
    process.execPath,
    [
      judge,
      '--python',
      python,
      '--limit',
      '300',
      '--programs',
      programs,
      '--write',
      written,
      ...own.map(({ name }) => name),
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (status !== 0) process.exitCode = 1;
  if (!existsSync(written)) continue;
  for (const row of JSON.parse(readFileSync(written, 'utf8'))) {
    const { needs } = own.find(({ name }) => name === row.program);
    const { python: _, stops: __, ...kept } = row;
    rows.push({ ...kept, versions: versionsOf(python, needs) });
  }
}
const right = (what) => rows.filter((row) => row[what]).length;
console.log(
  `of ${rows.length} programs the variable first ${right('variable')}, the line first ${right('line')}`,
);
if (values.write !== undefined) writeFileSync(values.write, `${JSON.stringify(rows, null, 1)}\n`);
