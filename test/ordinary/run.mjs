// node test/ordinary/run.mjs [--python PATH]... [--limit MIB]... [--how cgroup|memory-limit|ulimit]... [--passes N] [--programs FOLDER]
//                            [--write FILE] [--quiet] [NAME]...
//
// Does `coroner run` name the variable that held the memory, and the line that allocated it? Ordinary programs (docs/ordinary.md), which
// grow at full speed until something ends them: the kernel in a cgroup (root), coroner's own budget, or a small address space.
// An answer counts where it comes first: the first holder, the first line. A figure above the limit is a fault.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', multiple: true, default: ['python3'] },
    limit: { type: 'string', multiple: true, default: ['250'] },
    how: { type: 'string', multiple: true, default: ['cgroup'] },
    passes: { type: 'string', default: '1' },
    programs: { type: 'string', default: fileURLToPath(new URL('programs', import.meta.url)) },
    write: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});
const coroner = fileURLToPath(new URL('../../bin/coroner', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'coroner-ordinary-'));
process.once('exit', () => {
  removeGroup();
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/** A program and its truth, which stands in its first line and in marks behind the lines that allocate. */
function programOf(entry) {
  const path = join(values.programs, entry);
  const isPackage = !entry.endsWith('.py');
  const files = isPackage
    ? readdirSync(path).filter((name) => name.endsWith('.py'))
    : [basename(path)];
  const head = readFileSync(isPackage ? join(path, '__main__.py') : path, 'utf8').split('\n', 1)[0];
  const field = (name) => new RegExp(`\\b${name}: ([^|]+)`).exec(head)?.[1].trim();
  const lines = files.flatMap((file) =>
    readFileSync(isPackage ? join(path, file) : path, 'utf8')
      .split('\n')
      .flatMap((line, at) => (line.includes('# <- line') ? [{ file, line: at + 1 }] : [])),
  );
  return {
    name: entry.replace(/\.py$/, ''),
    path,
    files,
    lines,
    truth: field('truth').split(', '),
    needs: field('needs')?.split(', ') ?? [],
    limitMiB: field('limit') ?? null,
    // The line of a notebook's cell: the program only sends it.
    cell: field('cell') === undefined ? null : Number(field('cell')),
    about: head.replace(/^# /, '').split(/\. truth:/, 1)[0],
    anyLine: field('line') !== undefined,
    run: field('run') ?? null,
  };
}
const programs = readdirSync(values.programs)
  .filter((entry) => !entry.startsWith('__'))
  .map(programOf)
  .filter(({ name }) => positionals.length === 0 || positionals.includes(name));

function commandOf(python, { path, name, run }) {
  if (run === '-c') return [python, '-c', readFileSync(path, 'utf8')];
  if (run === '-m') return [python, '-m', name];
  return [python, ...(run === null ? [path] : run.replace('{path}', path).split(' '))];
}

const isV1 = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes');
const group = `/sys/fs/cgroup/${isV1 ? 'memory/' : ''}coroner-ordinary-${process.pid}`;
function makeGroup(bytes) {
  mkdirSync(group);
  writeFileSync(`${group}/${isV1 ? 'memory.limit_in_bytes' : 'memory.max'}`, String(bytes));
  const swap = `${group}/${isV1 ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max'}`;
  if (existsSync(swap)) writeFileSync(swap, isV1 ? String(bytes) : '0');
}
/** Ends what is left in it. The kernel takes the last process out of it in its own time. */
function removeGroup() {
  if (!existsSync(group)) return;
  for (const pid of readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean))
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  for (let i = 0; i < 50 && existsSync(group); i += 1)
    try {
      rmdirSync(group);
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
}

/** Of an address space: what an interpreter reserves before it has done anything, which is no memory. */
const reservedMiB = 150;

/** The incident that the run was about, and the stops that its snapshots cost. */
function record(how, limitMiB, command) {
  const json = join(scratch, 'report.json');
  const store = join(scratch, 'store');
  rmSync(json, { force: true });
  // A recorder that was ended by the timeout leaves a helper that may still write.
  rmSync(store, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  // Whatever is measured stays in a group: nothing may outgrow the machine, and what outlives its recorder is ended there.
  const grouped = how === 'cgroup' || process.getuid?.() === 0;
  if (grouped) makeGroup(Number(limitMiB) * 2 ** 20 * (how === 'cgroup' ? 1 : 4));
  const enter = grouped ? `echo $$ > ${group}/cgroup.procs; ` : '';
  const limit = how === 'ulimit' ? `ulimit -v ${(Number(limitMiB) + reservedMiB) * 1024}; ` : '';
  const options = how === 'memory-limit' ? ['--memory-limit', `${limitMiB}M`] : [];
  const words = ['sh', '-c', `${enter}${limit}exec "$@"`, 'sh', ...command];
  try {
    spawnSync(coroner, ['run', '-q', '--json', json, '-o', store, ...options, '--', ...words], {
      stdio: 'ignore',
      timeout: 120_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, PYTHONPATH: values.programs, PYTHONDONTWRITEBYTECODE: '1' },
    });
  } finally {
    if (grouped) removeGroup();
  }
  if (!existsSync(json)) return { incident: undefined, stops: null };
  const { incidents } = JSON.parse(readFileSync(json, 'utf8'));
  return {
    incident: incidents.find(({ outOfMemory }) => outOfMemory === true),
    stops: stopsIn(store),
  };
}
function stopsIn(store) {
  const looks = readdirSync(store, { recursive: true }).filter((name) =>
    /looks\/.+\.json$/.test(name),
  );
  const all = looks.map((name) => {
    try {
      return JSON.parse(readFileSync(join(store, name), 'utf8')).stops ?? null;
    } catch {
      return null;
    }
  });
  return all
    .filter((one) => one !== null)
    .reduce((most, one) => (most === null || one.sumMs > most.sumMs ? one : most), null);
}

/** Whether a path begins at the true variable or reaches into it: `cache`, `cache['x'] -> dict`, `cache.rows (being built)`. */
const beginsAt = (path, truth) => path.startsWith(truth) && !/^\w/.test(path.slice(truth.length));
function judge(program, { incident, stops }, limitBytes) {
  const memory = incident?.memory ?? {};
  const [holder] = memory.holders ?? [];
  // A program that ended itself after a refusal is told by what was live at its peak.
  const when = incident?.cause === 'kernel-cgroup-oom' ? ['death'] : ['death', 'refusal', 'peak'];
  const line = when
    .map((moment) => (memory.allocations ?? []).find((one) => one.when === moment))
    .find((one) => one !== undefined);
  const said = holder === undefined ? null : (holder.path ?? holder.name);
  const isOwn = (file) => file === '<string>' || program.files.includes(basename(file ?? ''));
  const isInCell = (one) =>
    program.cell !== null &&
    one.line === program.cell &&
    one.file?.includes('/ipykernel_') === true;
  const isMarked = (one) =>
    one.line === line.line && (line.file === '<string>' || basename(line.file ?? '') === one.file);
  return {
    died: incident !== undefined,
    cause: incident?.cause ?? null,
    variable: said !== null && program.truth.some((truth) => beginsAt(said, truth)),
    said,
    share: holder === undefined ? null : holder.retainedBytes / limitBytes,
    line:
      line !== undefined &&
      (isInCell(line) ||
        (program.anyLine ? isOwn(line.file) : program.lines.some((one) => isMarked(one)))),
    saidLine:
      line === undefined ? null : `${basename(line.file ?? line.function ?? '?')}:${line.line}`,
    above: (memory.holders ?? []).some(({ retainedBytes }) => retainedBytes > limitBytes * 1.05),
    bytes: holder?.retainedBytes ?? null,
    headline: incident?.headline ?? null,
    remedies: (incident?.remedies ?? []).map(({ title, detail }) => `${title}. ${detail}`),
    stops,
  };
}

const hasModule = new Map();
function lacks(python, module) {
  const key = `${python} ${module}`;
  if (!hasModule.has(key))
    hasModule.set(key, spawnSync(python, ['-c', `import ${module}`]).status === 0);
  return !hasModule.get(key);
}

const rows = [];
for (const python of values.python)
  for (const how of values.how)
    for (const limitMiB of values.limit) {
      const these = [];
      for (const program of programs) {
        const lacking = program.needs.find((module) => lacks(python, module));
        if (lacking !== undefined) {
          console.log(`${program.name}: skipped (needs ${lacking} for ${python})`);
          continue;
        }
        const givenMiB = Number(program.limitMiB ?? limitMiB);
        const limitBytes = (givenMiB + (how === 'ulimit' ? reservedMiB : 0)) * 2 ** 20;
        for (let pass = 0; pass < Number(values.passes); pass += 1) {
          const row = {
            program: program.name,
            about: program.about,
            truth: program.truth,
            lines: program.lines.map(({ line }) => line),
            cell: program.cell,
            python,
            how,
            limitMiB: givenMiB,
            ...judge(program, record(how, givenMiB, commandOf(python, program)), limitBytes),
          };
          these.push(row);
          if (!values.quiet || !row.variable || !row.line)
            console.log(
              `${row.variable ? 'ok ' : 'NO '} ${row.line ? 'ok ' : 'NO '} ${program.name.padEnd(20)} ${String(row.share === null ? '-' : `${Math.round(row.share * 100)} %`).padStart(6)}  ` +
                `${row.said ?? '(none)'}; ${row.saidLine ?? '(no line)'}${row.above ? '; ABOVE THE LIMIT' : ''}${row.died ? '' : '; NO DEATH TOLD'}`,
            );
        }
      }
      const count = (what) => these.filter((row) => row[what]).length;
      const shares = these.map(({ share }) => share ?? 0).toSorted((a, b) => a - b);
      const stopped = these.map(({ stops }) => stops?.sumMs ?? 0).toSorted((a, b) => a - b);
      console.log(
        `${python}, ${how}, ${limitMiB} MiB: of ${these.length} the variable first ${count('variable')}, the line first ${count('line')}, ` +
          `above the limit ${count('above')}; share of the first holder: median ${Math.round((shares[shares.length >> 1] ?? 0) * 100)} %; ` +
          `stopped: median ${stopped[stopped.length >> 1] ?? 0} ms, most ${stopped.at(-1) ?? 0} ms, ` +
          `longest ${Math.max(0, ...these.map(({ stops }) => stops?.longestMs ?? 0))} ms`,
      );
      rows.push(...these);
    }
if (values.write !== undefined) writeFileSync(values.write, `${JSON.stringify(rows, null, 1)}\n`);
