// Regenerates the layouts of CPython's structs from the headers of the CPythons at hand:
//   node scripts/offsets.mjs [--check]
// writes src/python/layouts/tables.ts (the reader from outside), the rows of agent/offsets.h (the witness's stack walk) and, of 3.13 and
// later, the entries of src/python/interpreter/opcodes.ts;
// --check: writes nothing, and ends with 1 where something differs from the headers.
// Interpreters are looked for under $PYENV_ROOT, ~/.pyenv, on PATH, and in the root folder of scripts/newest-pythons.mjs; a version that
// is not at hand keeps its table.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const tablesFile = path.join(root, 'src/python/layouts/tables.ts');
const headerFile = path.join(root, 'agent/offsets.h');
const opcodesFile = path.join(root, 'src/python/interpreter/opcodes.ts');
const source = path.join(root, 'scripts/offsets.c');

/** Candidate interpreters, the newest patch level of a minor version last. */
function interpreters() {
  const found = [];
  const pyenv = path.join(process.env.PYENV_ROOT ?? path.join(homedir(), '.pyenv'), 'versions');
  if (existsSync(pyenv))
    for (const name of readdirSync(pyenv).sort((a, b) =>
      a.localeCompare(b, 'en', { numeric: true }),
    ))
      found.push(path.join(pyenv, name, 'bin/python'));
  for (const folder of (process.env.PATH ?? '')
    .split(':')
    .filter((name) => !name.endsWith('/shims')))
    for (const minor of [6, 7, 8, 9, 10, 11, 12, 13])
      found.push(path.join(folder, `python3.${minor}`));
  return found.filter((file) => existsSync(file));
}

/** The headers of the CPythons in the root folder: version and include folder of each. */
function rootHeaders() {
  const include = path.join(
    process.env.CORONER_TEST_ROOT ?? '/var/cache/coroner-test/sid',
    'usr/include',
  );
  if (!existsSync(include)) return [];
  return readdirSync(include)
    .map((name) => /^python(3\.\d+)$/.exec(name))
    .filter((match) => match !== null)
    .map(([name, version]) => [version, path.join(include, name)]);
}

function layoutOf(interpreter, folder) {
  const [version, include] = execFileSync(
    interpreter,
    [
      '-c',
      'import sys, sysconfig; print("%d.%d" % sys.version_info[:2]); print(sysconfig.get_paths()["include"])',
    ],
    { encoding: 'utf8' },
  )
    .trim()
    .split('\n');
  return [version, layoutFrom(include, folder)];
}

function layoutFrom(include, folder) {
  const program = path.join(folder, 'offsets');
  // Debian's pyconfig.h asks for the one of the machine's kind, which lies beside.
  const beside = path.join(
    path.dirname(include),
    `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
  );
  const folders = [
    include,
    `${include}/internal`,
    path.join(beside, path.basename(include)),
    path.dirname(include),
  ];
  const flags = folders.slice(0, 2).map((name) => `-I${name}`);
  if (existsSync(folders[2])) flags.push('-idirafter', beside, '-idirafter', folders[3]);
  execFileSync('cc', ['-w', ...flags, source, '-o', program], { stdio: 'pipe' });
  return JSON.parse(execFileSync(program, { encoding: 'utf8' }));
}

/** What the script knows of each version; the agent needs more than the tables hold. */
const layouts = new Map();
const agentFacts = new Map();
const opcodes = new Map();
const learn = (version, { agent, opcodeNumbers, opcodeBases, opcodeCaches, ...layout }) => {
  if (layouts.has(version)) return;
  layouts.set(version, layout);
  agentFacts.set(version, agent);
  if (opcodeNumbers !== undefined)
    opcodes.set(version, { numbers: opcodeNumbers, bases: opcodeBases, caches: opcodeCaches });
};
const folder = mkdtempSync(path.join(tmpdir(), 'coroner-offsets-'));
try {
  for (const interpreter of interpreters()) {
    try {
      learn(...layoutOf(interpreter, folder));
    } catch (error) {
      process.stderr.write(`${interpreter}: left out (${String(error.message).split('\n')[0]})\n`);
    }
  }
  for (const [version, include] of rootHeaders())
    if (!layouts.has(version)) learn(version, layoutFrom(include, folder));
} finally {
  rmSync(folder, { recursive: true });
}
const atHand = [...layouts.keys()];
if (existsSync(tablesFile)) {
  const [, object] = /= (\{.*\});\s*$/s.exec(readFileSync(tablesFile, 'utf8')) ?? [];
  for (const [version, layout] of Object.entries(Function(`return ${object ?? '{}'}`)()))
    if (!layouts.has(version)) layouts.set(version, layout);
}
const versions = [...layouts.keys()].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

const key = (name) => (/^\w+$/.test(name) && !/^\d/.test(name) ? name : `'${name}'`);
const group = (fields) =>
  `{ ${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ')} }`;
const tables = `// Generated by scripts/offsets.mjs from the headers of each CPython (x86-64 and every LP64 ABI, release
// builds with the GIL). Do not edit.
import type { Layout } from './layout.ts';

/** Offsets in bytes of the structs' fields, by version. */
export const layouts: Readonly<Record<string, Layout>> = {
${versions
  .map(
    (version) =>
      `  '${version}': {\n${Object.entries(layouts.get(version))
        .map(([name, fields]) => `    ${key(name)}: ${group(fields)},`)
        .join('\n')}\n  },`,
  )
  .join('\n')}
};
`;

/** A row of the witness's own table (agent/offsets.h). */
function agentRow(version, layout, agent) {
  const [major, minor] = version.split('.').map(Number);
  const { thread, frame, frameObject, code, string } = layout;
  const isSlots = frame !== undefined;
  const isBefore = (other) => major < 3 || minor < other;
  const lines = isBefore(0)
    ? 'LINES_LNOTAB_27'
    : isBefore(10)
      ? 'LINES_LNOTAB'
      : isBefore(11)
        ? 'LINES_310'
        : 'LINES_311';
  const cells = [
    `0x${major.toString(16).padStart(2, '0')}${minor.toString(16).padStart(2, '0')}`,
    thread.pthread,
    thread.currentFrame ?? thread.cframe ?? thread.frame,
    thread.cframeCurrentFrame ?? -1,
    isSlots ? frame.previous : frameObject.back,
    isSlots ? frame.code : frameObject.code,
    isSlots ? frame.instruction : frameObject.lasti,
    isSlots ? 0 : minor === 10 ? 2 : 1,
    isSlots ? frame.owner : 0,
    code.filename,
    code.name,
    code.firstLine,
    code.lineTable,
    code.bytecode ?? 0,
    // Python 2's str: a hash and a state lie before its text.
    string?.asciiSize ?? 36,
    string?.compactSize ?? 36,
    agent.buildTuple,
    agent.buildMap,
    agent.buildConstKeyMap ?? 0,
    agent.debugState ?? 0,
    agent.debugFrame ?? 0,
    agent.debugCode ?? 0,
    lines,
  ];
  return `    {${cells.join(', ')}},`;
}

/** The table of agent/offsets.h; a version that is not at hand keeps its row. */
function agentTable(content) {
  const rows = new Map(
    content
      .split('\n')
      .map((line) => [/^ *\{(0x[0-9a-f]{4}), .*\},$/.exec(line)?.[1], line])
      .filter(([version]) => version !== undefined),
  );
  for (const version of atHand) {
    const row = agentRow(version, layouts.get(version), agentFacts.get(version));
    rows.set(row.slice(5, 11), row);
  }
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  return content.replace(/(?:^ *\{0x[0-9a-f]{4}, .*\n)+/m, `${sorted.join('\n')}\n`);
}

/** The instructions of each role, as `Role` in opcodes.ts has them; specialised ones go with what they were made from. */
const roles = {
  endFor: ['END_FOR'],
  iterate: ['FOR_ITER', 'GET_ITER', 'BEFORE_WITH', 'LOAD_SPECIAL', 'UNPACK_EX', 'UNPACK_SEQUENCE'],
  end: [
    'POP_ITER',
    'POP_TOP',
    'STORE_SUBSCR',
    'POP_JUMP_IF_FALSE',
    'POP_JUMP_IF_TRUE',
    'RAISE_VARARGS',
    'YIELD_VALUE',
  ],
  return: ['RETURN_VALUE', 'RETURN_CONST'],
  call: [
    'BINARY_OP',
    'BINARY_SLICE',
    'BINARY_SUBSCR',
    'BUILD_STRING',
    'CALL',
    'CALL_FUNCTION_EX',
    'CALL_INTRINSIC_1',
    'CALL_INTRINSIC_2',
    'CALL_KW',
    'DICT_MERGE',
    'DICT_UPDATE',
    'IMPORT_NAME',
    'LIST_EXTEND',
    'SET_UPDATE',
  ],
  extend: ['EXTENDED_ARG'],
  loadDeref: ['LOAD_DEREF'],
  loadFast: ['LOAD_FAST', 'LOAD_FAST_BORROW', 'LOAD_FAST_CHECK'],
  loadGlobal: ['LOAD_GLOBAL'],
  loadName: ['LOAD_NAME'],
  storeAttribute: ['STORE_ATTR'],
  storeDeref: ['STORE_DEREF'],
  storeFast: ['STORE_FAST'],
  storeFastAndLoad: ['STORE_FAST_LOAD_FAST'],
  storeFastTwice: ['STORE_FAST_STORE_FAST'],
  storeGlobal: ['STORE_GLOBAL'],
  storeName: ['STORE_NAME'],
  swap: ['SWAP'],
};

/** `1 3-5` */
function ranges(numbers) {
  const found = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = found.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');
}

/** An entry of the tables in opcodes.ts. */
function opcodeEntry(version, { numbers, bases, caches }) {
  const names = Object.keys(numbers);
  const line = (key, all) => `      ${key}: '${ranges(all.map((name) => numbers[name]))}',`;
  const lengths = [...new Set(Object.values(caches))].filter((length) => length > 0);
  return [
    `  ${version.slice(2)}: {`,
    '    roles: {',
    ...Object.entries(roles).map(([role, wanted]) => {
      const own = new Set(wanted.map((name) => numbers[name]));
      return line(
        role,
        names.filter((name) => own.has(bases[name]) || own.has(numbers[name])),
      );
    }),
    '    },',
    '    caches: {',
    ...lengths
      .toSorted((a, b) => a - b)
      .map((length) =>
        line(
          length,
          names.filter((name) => caches[name] === length),
        ),
      ),
    '    },',
    '  },\n',
  ].join('\n');
}

/** The tables of opcodes.ts; a version that is not at hand keeps its entry. */
function opcodeTables(content) {
  const start = content.indexOf('= {\n', content.indexOf('const tables')) + '= {\n'.length;
  const end = content.indexOf('\n};', start) + 1;
  const entries = new Map(
    [...content.slice(start, end).matchAll(/^ {2}(\d+): \{\n[\s\S]*?^ {2}\},\n/gm)].map(
      ([entry, minor]) => [Number(minor), entry],
    ),
  );
  for (const [version, facts] of opcodes)
    entries.set(Number(version.slice(2)), opcodeEntry(version, facts));
  const sorted = [...entries].sort(([a], [b]) => a - b).map(([, entry]) => entry);
  return content.slice(0, start) + sorted.join('') + content.slice(end);
}

// Only numbers decide, not how the formatter breaks lines.
const bare = (content) => content.replaceAll(/[\s,]/g, '');
const header = readFileSync(headerFile, 'utf8');
for (const [file, content] of [
  [tablesFile, tables],
  [headerFile, agentTable(header)],
  [opcodesFile, opcodeTables(readFileSync(opcodesFile, 'utf8'))],
]) {
  if (!process.argv.includes('--check')) writeFileSync(file, content);
  else if (bare(readFileSync(file, 'utf8')) !== bare(content)) {
    process.exitCode = 1;
    process.stderr.write(`${path.relative(root, file)} differs from the headers\n`);
  }
}
process.stdout.write(`CPythons with headers at hand: ${atHand.join(', ') || 'none'}\n`);
