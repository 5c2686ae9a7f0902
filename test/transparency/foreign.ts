/**
 * Situations of programs that the agent does not fit, or that are watched, shut in or given another allocator by something else. At hand,
 * beside what situations.ts says: $MADE, the folder of what `compilePrograms` made.
 */
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { cCompiler, command, root } from '../have.ts';
import { firstOnes, type Situation } from './situations.ts';

const run = '"${RUN[@]}"';

const source = (name: string) => new URL(`../programs/agent/${name}`, import.meta.url).pathname;
/** Name in $MADE to compiler, options and source. */
const made: Readonly<Record<string, readonly [string, readonly string[], string]>> = {
  gnu: ['cc', [], 'allocates.c'],
  static: ['cc', ['-static'], 'allocates.c'],
  musl: ['musl-gcc', [], 'allocates.c'],
  'musl-static': ['musl-gcc', ['-static'], 'allocates.c'],
  asan: ['cc', ['-fsanitize=address'], 'allocates.c'],
  tsan: ['cc', ['-fsanitize=thread'], 'allocates.c'],
  ubsan: ['cc', ['-fsanitize=undefined'], 'allocates.c'],
  launcher: ['cc', [], 'launcher.c'],
  'launcher-static': ['cc', ['-static'], 'launcher.c'],
  sandbox: ['cc', [], 'sandbox.c'],
  'in-its-memory': ['cc', [], 'in_its_memory.c'],
};

/** Compiles the programs into a folder. What cannot be compiled is missing there, and `needsMade` has said so. */
export function compilePrograms(folder: string): void {
  for (const [name, [compiler, flags, file]] of Object.entries(made))
    spawnSync(compiler, ['-O1', ...flags, '-o', `${folder}/${name}`, source(file)]);
}

const answers = new Map<string, string | null>();
/** Whether this machine can make one: asked of the compiler, once, with the smallest program. */
const needsMade = (name: string): string | null => {
  const known = answers.get(name);
  const answer = known === undefined ? canMake(name) : known;
  answers.set(name, answer);
  return answer;
};
const canMake = (name: string): string | null => {
  const [compiler = '', flags = []] = made[name] ?? [];
  const lacks = cCompiler() ?? command(compiler);
  if (lacks !== null || flags.length === 0) return lacks;
  const { status } = spawnSync(compiler, [...flags, '-x', 'c', '-o', '/dev/null', '-'], {
    input: 'int main(void) { return 0; }',
  });
  return status === 0 ? null : `needs ${compiler} ${flags.join(' ')}`;
};

const firstOf = (...lacks: readonly (string | null)[]) => lacks.find((one) => one !== null) ?? null;

/** How one program comes to start another. */
const starts: readonly (readonly [string, (program: string) => string, string | null])[] = [
  ['directly', (program) => `exec ${run} ${program} quiet`, null],
  ['by sh', (program) => `exec ${run} sh -c '${program} quiet; exit $?'`, null],
  [
    'by a static shell',
    (program) => `exec ${run} busybox sh -c '${program} quiet; exit $?'`,
    command('busybox'),
  ],
  [
    'by a static launcher',
    (program) => `exec ${run} $MADE/launcher-static execv ${program} quiet`,
    null,
  ],
  ['by execl', (program) => `exec ${run} $MADE/launcher execl ${program} quiet`, null],
  ['by execlp', (program) => `exec ${run} $MADE/launcher execlp ${program} quiet`, null],
  ['by xargs', (program) => `echo quiet | ${run} xargs ${program}; echo $?`, null],
  [
    'by Python',
    (program) =>
      `exec ${run} $PYTHON -c 'import subprocess, sys; sys.exit(subprocess.call([sys.argv[1], "quiet"]))' ${program}`,
    null,
  ],
];
const kinds = ['gnu', 'static', 'musl', 'musl-static', 'asan', 'tsan', 'ubsan'] as const;
const programs: readonly Situation[] = kinds.flatMap((kind) =>
  starts
    // A sanitizer's runtime insists on being first, and a launcher without hooks cannot know.
    .filter(([how]) => !(/asan|tsan/.test(kind) && how.includes('static')))
    .map(([how, script, needs]): Situation => ({
      name: `${kind}, started ${how}`,
      script: script(`$MADE/${kind}`),
      needs: firstOf(needs, needsMade(kind), needsMade('launcher-static')),
      ...(how === 'directly' || how === 'by a static shell' ? {} : { deep: true }),
    })),
);

const jail = `mkdir -p jail; for f in /bin/ls /bin/sh $(ldd /bin/ls /bin/sh | grep -o '/[^ :]*' | sort -u); do mkdir -p jail/$(dirname $f); cp -L $f jail/$f; done`;
/** A container's folder, with the jail as its root. Nothing of the environment comes in. */
const bundle = (
  command: string,
): string => `${jail}; mkdir -p jail/proc jail/dev jail/sys; runc spec; $PYTHON -c 'import json, shlex, sys
spec = json.load(open("config.json"))
spec["process"].update(terminal=False, args=shlex.split(sys.argv[1]))
spec["root"] = {"path": "jail"}
json.dump(spec, open("config.json", "w"))' '${command}'`;
const container = (): string | null =>
  firstOf(
    root(),
    command('runc'),
    existsSync('/sys/fs/cgroup/memory') || existsSync('/sys/fs/cgroup/cgroup.controllers')
      ? null
      : 'needs cgroups',
  );
const filtered = `$PYTHON -c 'import ctypes, os, struct, sys
code = struct.pack("HBBI", 6, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(buffer)))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])'`;
const userNamespaces = () =>
  spawnSync('unshare', ['-Ur', 'true']).status === 0 ? null : 'needs user namespaces';
const bubblewrap = () =>
  spawnSync('bwrap', ['--ro-bind', '/', '/', 'true']).status === 0 ? null : 'needs bwrap';
const onlyUsr =
  '--ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --proc /proc --dev /dev';
const shutIn: readonly Situation[] = [
  ...firstOnes(
    3,
    ['strict', 'filter', 'syscall', 'filter fork', 'syscall fork'].map((how) => ({
      name: `a sandbox of its own: ${how}`,
      script: `exec ${run} $MADE/sandbox ${how}`,
      needs: needsMade('sandbox'),
    })),
  ),
  {
    name: 'a filter before an exec',
    script: `exec ${run} ${filtered} sh -c 'ls / | wc -l; exit 3'`,
  },
  { name: 'a filter before run', script: `exec ${filtered} ${run} $PROBE status` },
  {
    name: 'chroot to where nothing is',
    script: `${jail}; ${run} chroot jail ls /; echo $?`,
    needs: root(),
  },
  {
    name: 'chroot and a shell',
    script: `${jail}; ${run} chroot jail sh -c 'ls /; ls /; exit 4'; echo $?`,
    needs: root(),
  },
  { name: 'chroot to the same', script: `exec ${run} chroot / $PROBE rest`, needs: root() },
  {
    name: 'pivot_root',
    script: `${jail}; mkdir -p jail/old; ${run} unshare -m sh -c 'mount --bind jail jail; cd jail; pivot_root . old; exec ls /'`,
    needs: firstOf(root(), command('pivot_root')),
  },
  { name: 'a mount namespace', script: `exec ${run} unshare -m $PROBE rest`, needs: root() },
  {
    name: 'a pid namespace',
    script: `exec ${run} unshare --fork --pid --mount-proc sh -c 'echo $$; exit 4'`,
    needs: root(),
  },
  { name: 'a user namespace', script: `exec ${run} unshare -Ur id -u`, needs: userNamespaces() },
  {
    name: 'all namespaces',
    script: `exec ${run} unshare -muinpf sh -c 'exit 4'`,
    needs: root(),
    deep: true,
  },
  { name: 'nsenter', script: `exec ${run} nsenter -t $$ -m $PROBE rest`, needs: root() },
  {
    name: 'bwrap, the same root',
    script: `exec ${run} bwrap --ro-bind / / --dev /dev sh -c 'ls / | wc -l; exit 4'`,
    needs: bubblewrap(),
  },
  {
    name: 'bwrap, a root with /usr alone',
    script: `exec ${run} bwrap ${onlyUsr} ls /`,
    needs: bubblewrap(),
  },
  {
    name: 'bwrap, nothing shared',
    script: `exec ${run} bwrap --unshare-all ${onlyUsr} sh -c 'ls /; exit 4'`,
    needs: bubblewrap(),
    deep: true,
  },
  ...[
    'setpriv --reuid 65534 --regid 65534 --clear-groups',
    'su nobody -s /bin/sh -c',
    'runuser -u nobody --',
  ].map((how) => ({
    name: `another user: ${how.split(' ')[0]}`,
    script: `exec ${run} ${how} ${how.startsWith('su ') ? "'id -u; exit 3'" : "sh -c 'id -u; exit 3'"}`,
    needs: firstOf(root(), command(how.split(' ')[0] ?? '')),
  })),
  {
    name: 'no capabilities',
    script: `exec ${run} setpriv --bounding-set=-all --inh-caps=-all sh -c 'exit 4'`,
    needs: root(),
    deep: true,
  },
  {
    name: 'a container by runc',
    script: `${bundle('sh -c "ls /; echo $$; env; exit 4"')}; ${run} runc --root $WORK/state run coroner-$$; echo $?`,
    needs: container(),
  },
  {
    name: 'a container by runc whose command is killed',
    script: `${bundle('sh -c "kill -9 $$"')}; ${run} runc --root $WORK/state run coroner-$$; echo $?`,
    needs: container(),
    deep: true,
  },
];

const watchedBy = (name: string, script: string, more: Partial<Situation> = {}): Situation => ({
  name: `watched: ${name}`,
  script,
  needs: command(name.split(' ')[0] ?? ''),
  ...more,
});
const watched: readonly Situation[] = [
  watchedBy('valgrind', `exec ${run} valgrind -q $MADE/gnu quiet`),
  watchedBy(
    'valgrind of a shell',
    `exec ${run} valgrind -q --trace-children=yes sh -c '$MADE/gnu quiet'`,
    { deep: true },
  ),
  ...[
    'massif --massif-out-file=/dev/null',
    'dhat --dhat-out-file=/dev/null',
    'drd',
    'helgrind',
    'callgrind --callgrind-out-file=/dev/null',
  ].map((tool) =>
    watchedBy(
      `valgrind --tool=${tool.split(' ')[0]}`,
      `exec ${run} valgrind -q --trace-children=yes --tool=${tool} sh -c '$MADE/gnu quiet; exec $MADE/gnu quiet'`,
      { deep: true },
    ),
  ),
  watchedBy('strace', `${run} strace -f -o trace sh -c 'ls / | wc -l; exit 4'; echo $?`),
  watchedBy('strace of run', `strace -f -o trace ${run} sh -c 'exit 4'; echo $?`, { deep: true }),
  watchedBy(
    'gdb',
    `exec ${run} gdb -nx -q -batch -ex run -ex 'print 7' --args $MADE/static quiet 2>&1 | grep -v '^\\[\\|^warning'`,
    { deep: true },
  ),
  watchedBy('setarch', `exec ${run} setarch -R $MADE/gnu quiet`),
  watchedBy('nohup', `exec ${run} nohup $MADE/gnu quiet`),
  watchedBy('stdbuf', `exec ${run} stdbuf -oL sh -c 'echo one; exit 4'`),
  watchedBy('flock', `exec ${run} flock lock sh -c 'exit 4'`),
  watchedBy('chrt', `exec ${run} chrt -b 0 $PROBE rest`, { deep: true }),
  watchedBy('zsh', `exec ${run} zsh -fc '$MADE/gnu quiet'`, { deep: true }),
  watchedBy('dash', `exec ${run} dash -c '$MADE/gnu quiet'`),
  watchedBy(
    'tmux',
    `export TMUX_TMPDIR=$WORK; touch seen; tmux -f /dev/null new -d -s one "bash -c '$(printf '%q ' "\${RUN[@]}") sh -c \\"tty >/dev/null && echo on >> seen; exit 4\\"; echo \\$? >> seen'"; until [ "$(wc -l < seen)" = 2 ]; do sleep 0.05; done; cat seen; tmux kill-server 2>/dev/null; true`,
  ),
  watchedBy(
    'script',
    `exec ${run} script -qec 'sh -c "tty >/dev/null && echo on; exit 4"' /dev/null </dev/null`,
  ),
  { name: 'run within run', script: `exec ${run} ${run} $PROBE fds,rest,signals` },
  {
    name: 'run within run within run',
    script: `exec ${run} ${run} ${run} sh -c 'echo out; exit 4'`,
    deep: true,
  },
  {
    name: 'run within a shell within run',
    script: `${run} bash -c '"$@"; echo $?' - ${run} sh -c 'exit 4'`,
    deep: true,
  },
];

const allocators = [
  ['jemalloc', 'libjemalloc.so.2'],
  ['tcmalloc', 'libtcmalloc_minimal.so.4'],
  ['mimalloc', 'libmimalloc.so.2'],
] as const;
const libraryFolders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64'];
const work = `import threading
def work():
    kept = [bytearray(n * 1000) for n in range(300)]
    for n in range(300): kept[n] += b"x" * 5000
threads = [threading.Thread(target=work) for n in range(4)]
[one.start() for one in threads]; [one.join() for one in threads]; print(sum(range(1000)))`;
const allocating: readonly Situation[] = [
  ...allocators.flatMap(([name, file]) => {
    const needs = libraryFolders.some((folder) => existsSync(`${folder}/${file}`))
      ? null
      : `needs ${file}`;
    return [
      {
        name: `${name}: C`,
        script: `export LD_PRELOAD=${file}; exec ${run} $MADE/gnu quiet`,
        needs,
      },
      {
        name: `${name}: Python`,
        script: `export LD_PRELOAD=${file}; exec ${run} $PYTHON -c '${work}'`,
        needs,
      },
      {
        name: `${name}: set by the command`,
        script: `exec ${run} env LD_PRELOAD=${file} $PYTHON -c '${work}'`,
        needs,
        deep: true as const,
      },
      {
        name: `${name}: in a shell`,
        script: `export LD_PRELOAD=${file}; exec ${run} sh -c '$MADE/gnu quiet; exit $?'`,
        needs,
        deep: true as const,
      },
    ];
  }),
  ...[
    'MALLOC_PERTURB_=165',
    'MALLOC_ARENA_MAX=1',
    'GLIBC_TUNABLES=glibc.malloc.tcache_count=0',
    'PYTHONMALLOC=malloc',
    'PYTHONMALLOC=debug',
    'PYTHONMALLOC=pymalloc_debug',
    'PYTHONTRACEMALLOC=5',
    'PYTHONDEVMODE=1',
    'PYTHONFAULTHANDLER=1',
    'PYTHONOPTIMIZE=2',
    'PYTHONUNBUFFERED=1',
    'LD_BIND_NOW=1',
    'MALLOC_TRIM_THRESHOLD_=0',
    'PYTHONASYNCIODEBUG=1',
  ].map((setting, index) => ({
    name: `Python with ${setting}`,
    script: `export ${setting}; exec ${run} $PYTHON -c '${work}'`,
    ...(index < 2 ? {} : { deep: true as const }),
  })),
  ...['-I', '-E', '-S', '-s', '-X dev', '-B', '-O', '-u'].map((option, index) => ({
    name: `Python ${option}`,
    script: `exec ${run} $PYTHON ${option} -c 'import sys; print(sys.flags.isolated, sys.flags.no_site, sys.flags.dev_mode); sys.exit(3)'`,
    ...(index < 1 ? {} : { deep: true as const }),
  })),
];

export const foreignSituations: readonly Situation[] = [
  ...programs,
  ...shutIn,
  ...watched,
  ...allocating,
];
