/**
 * Situations in which a command must not notice `coroner run`. Each is a bash script that is run twice: with "${RUN[@]}" empty, and with it
 * being `coroner run ... --`. Exit status or signal, stdout and the command's stderr must be the same. To add one, add a line.
 *
 * At hand: $PROBE (probe.c, compiled), $PYPROBE (probe.py), $PYTHON, $WORK (an empty folder, the current one).
 */
export interface Situation {
  readonly name: string;
  readonly script: string;
  /** `files` (default): stdout and stderr are files; `pipes`: pipes. */
  readonly output?: 'files' | 'pipes';
  /** What it needs: a reason from test/have.ts, or null. */
  readonly needs?: string | null;
  /** Only with `npm run test:deep`. */
  readonly deep?: true;
  /** The two runs say different things of how it could not be started; the status is the same. */
  readonly wordsDiffer?: true;
  /** coroner says in a line of its own that nothing was recorded. */
  readonly unrecorded?: true;
}

/** Of a family the first ones are tried by `npm test` too. */
export const firstOnes = (quick: number, family: readonly Situation[]): readonly Situation[] =>
  family.map((situation, index) =>
    index < quick ? situation : { ...situation, deep: true as const },
  );

const run = '"${RUN[@]}"';

/** Prints the whole wait status, with the flag that a core was written: neither a shell nor Node tells all of it. */
const waitStatus = `$PYTHON -c 'import os, sys
print(os.waitpid(os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]), 0)[1])'`;

const descriptors: readonly Situation[] = [
  { name: 'nothing special', script: `exec ${run} $PROBE all` },
  { name: 'nothing special, pipes', script: `exec ${run} $PROBE all`, output: 'pipes' },
  ...[3, 4, 9, 10, 11, 15, 16, 17, 30, 63, 200, 255, 1000].map((fd) => ({
    name: `descriptor ${fd}`,
    script: `echo text > file; exec ${run} $PROBE fds ${fd}<file`,
    ...([3, 15, 255].includes(fd) ? {} : { deep: true as const }),
  })),
  {
    name: 'descriptors 3 to 15',
    script: `echo text > file; for n in {3..15}; do eval "exec $n<file"; done; exec ${run} $PROBE fds`,
  },
  {
    name: 'descriptors 3 to 40',
    script: `echo text > file; for n in {3..40}; do eval "exec $n<>file"; done; exec ${run} $PROBE fds`,
  },
  { name: 'a descriptor is read', script: `echo text > file; exec ${run} cat <&3 3<file` },
  {
    name: 'a descriptor is written',
    script: `${run} sh -c 'echo more >&7' 7>file; cat file`,
  },
  {
    name: 'offsets are shared',
    script: `printf 'one\\ntwo\\n' > file; exec 5<file; read -r line <&5; exec ${run} cat <&5`,
  },
  { name: 'process substitution', script: `exec ${run} cat <(echo one) <(echo two)` },
  {
    name: 'pass_fds',
    script: `exec $PYTHON -c 'import os, subprocess, sys
r, w = os.pipe(); os.write(w, b"through\\n"); os.close(w)
sys.exit(subprocess.call(sys.argv[1:] + ["cat", "/dev/fd/%d" % r], pass_fds=[r]))' ${run}`,
  },
  {
    name: 'a jobserver of make',
    script: `printf 'all: a b c d\\na b c d:\\n\\t@echo $@; sleep 0.1\\n' > inner
printf 'all:\\n\\t+@'"$([ \${#RUN[@]} = 0 ] || printf '%q ' "\${RUN[@]}")"' $(MAKE) -f inner all\\n' > outer
exec make --no-print-directory -j4 -f outer 2>&1 | sort`,
  },
  {
    name: 'LISTEN_FDS',
    script: `echo text > file; exec 3<file 4<file; export LISTEN_FDS=2 LISTEN_FDNAMES=a:b; exec ${run} $PROBE fds,environment`,
  },
  ...firstOnes(
    3,
    ['<&-', '>&-', '2>&-', '<&- >&-', '<&- 2>&-', '>&- 2>&-', '<&- >&- 2>&-'].map((closed) => ({
      name: `closed: ${closed}`,
      script: `export PROBE_FILE=$WORK/facts; (exec ${run} $PROBE all ${closed}); echo $?; cat facts`,
    })),
  ),
  {
    name: 'closed stdin, as Python sees it',
    script: `exec ${run} $PYTHON $PYPROBE <&-`,
  },
  {
    name: 'closed stdin and a descriptor 3',
    script: `echo text > file; export PROBE_FILE=$WORK/facts; ${run} $PROBE fds <&- 3<file; cat facts`,
  },
  {
    name: 'a non-blocking pipe as stdout',
    script: `$PYTHON -c 'import os, subprocess, sys
r, w = os.pipe(); os.set_blocking(w, False)
p = subprocess.Popen(sys.argv[1:], stdout=w); os.close(w)
print(os.read(r, 1 << 20).decode()); sys.exit(p.wait())' ${run} $PROBE fds`,
  },
  {
    name: 'stdout stays a blocking pipe',
    script: `${run} $PYTHON -c 'import os; print(os.get_blocking(1), os.get_blocking(2)); os.write(1, b"x" * 300000)' | (sleep 0.3; wc -c)`,
    output: 'pipes',
  },
  {
    name: 'a descriptor that is closed early ends its pipe',
    script: `mkfifo pipe; (cat pipe; echo ended; touch done) & ${run} bash -c 'echo text >&5; exec 5>&-; for i in {1..100}; do [ -e done ] && break; sleep 0.05; done; echo last' 5>pipe; wait`,
  },
  {
    name: 'a closed stdin ends its writer',
    script: `(yes; echo "$?" > ended) 2>&1 | ${run} bash -c 'read -r x; echo $x; exec <&-; for i in {1..100}; do [ -e ended ] && break; sleep 0.05; done; cat ended'`,
  },
  {
    name: 'the reader goes away',
    script: `${run} yes 2>/dev/null | head -1; echo \${PIPESTATUS[0]}`,
  },
  {
    name: 'stdin is a terminal of nobody',
    script: `exec ${run} cat </dev/null`,
  },
  { name: 'a large stdin', script: `head -c 3000000 /dev/zero | ${run} wc -c` },
];

const signals: readonly Situation[] = [
  { name: 'nohup', script: `exec nohup ${run} $PROBE signals,fds </dev/null` },
  ...firstOnes(
    4,
    [
      ['HUP'],
      ['INT', 'QUIT'],
      ['TERM'],
      ['PIPE'],
      ['CHLD'],
      ['USR1', 'USR2', 'ALRM'],
      ['TSTP', 'TTIN', 'TTOU'],
      ['RTMIN+6', 'RTMAX'],
    ].map((ignored) => ({
      name: `ignored: ${ignored.join(' ')}`,
      script: `trap '' ${ignored.join(' ')}; exec ${run} $PROBE signals`,
    })),
  ),
  {
    name: 'every signal ignored',
    script: `for n in {1..31} {34..64}; do trap '' $n 2>/dev/null; done; exec ${run} $PROBE signals`,
  },
  {
    name: 'ignored by Python (restore_signals=False)',
    script: `exec $PYTHON -c 'import subprocess, sys
sys.exit(subprocess.call(sys.argv[1:], restore_signals=False))' ${run} $PROBE signals`,
  },
  ...firstOnes(
    2,
    ['{15, 17}', '{34, 40, 64}', '{2, 3, 20, 21, 22}', 'set(range(1, 65))'].map((mask) => ({
      name: `blocked: ${mask}`,
      script: `exec $PYTHON -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, ${mask}); os.execvp(sys.argv[1], sys.argv[1:])' ${run} $PROBE signals`,
    })),
  ),
  {
    name: 'ignored SIGCHLD, and the command waits',
    script: `trap '' CHLD; exec ${run} bash -c 'trap; true & wait; echo $?'`,
  },
  ...Array.from({ length: 64 }, (_, index) => index + 1)
    // What does not end a process, and the two that C libraries keep for themselves.
    .filter((number) => ![17, 18, 19, 20, 21, 22, 23, 28, 32, 33].includes(number))
    .map((number): Situation => ({
      name: `dies of signal ${number}`,
      script: `ulimit -c 0; ${waitStatus} ${run} bash -c 'kill -${number} $$'`,
      ...([9, 11, 40].includes(number) ? {} : { deep: true }),
    })),
  ...firstOnes(
    1,
    [32, 33].map((number) => ({
      name: `dies of signal ${number}`,
      script: `${waitStatus} ${run} $PYTHON -c 'import ctypes, os; ctypes.CDLL(None).kill(os.getpid(), ${number})'`,
    })),
  ),
  {
    name: 'TERM to who was started',
    script: `${run} bash -c 'trap "echo got; exit 5" TERM; echo ready > flag; while :; do sleep 0.05; done' & while [ ! -s flag ]; do sleep 0.02; done; kill -TERM $!; wait $!; echo $?`,
  },
  ...['HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'ALRM', 'WINCH', 'IO', 'RTMIN+5', 'RTMAX'].map(
    (name): Situation => ({
      name: `${name} to who was started`,
      script: `set -m; ${run} $PYTHON -c 'import signal, sys, time
wanted = signal.Signals[sys.argv[1]] if sys.argv[1].startswith("SIG") else int(sys.argv[1])
signal.signal(wanted, lambda n, f: (print("got", n), sys.exit(5)))
open("flag", "w").write("x")
time.sleep(20)' ${name.startsWith('RT') ? (name === 'RTMAX' ? 64 : 39) : `SIG${name}`} & while [ ! -s flag ]; do sleep 0.02; done; kill -${name === 'RTMIN+5' ? 39 : name === 'RTMAX' ? 64 : name} $!; wait $!; echo $?`,
      ...(['INT', 'RTMIN+5'].includes(name) ? {} : { deep: true }),
    }),
  ),
  {
    name: 'TERM to the whole group arrives once',
    script: `set -m; ${run} $PYTHON -c 'import signal, time
count = []
signal.signal(signal.SIGTERM, lambda n, f: count.append(n))
open("flag", "w").write("x")
end = time.time() + 0.6
while time.time() < end: time.sleep(0.05)
print(len(count))' & while [ ! -s flag ]; do sleep 0.02; done; kill -TERM -- -$!; wait $!; echo $?`,
  },
  {
    name: 'timeout',
    script: `${run} timeout 0.3 sleep 9; echo $?; timeout 1 ${run} sleep 9; echo $?`,
  },
  {
    name: 'an alarm set before',
    script: `exec perl -e 'use Time::HiRes "ualarm"; ualarm 700000; exec @ARGV' ${run} sleep 9`,
  },
];

const statuses: readonly Situation[] = [
  ...[
    0, 1, 2, 3, 63, 64, 70, 77, 99, 124, 125, 126, 127, 128, 129, 137, 139, 143, 200, 254, 255,
  ].map((code): Situation => ({
    name: `exit ${code}`,
    script: `exec ${run} sh -c 'exit ${code}'`,
    ...([0, 1, 137].includes(code) ? {} : { deep: true }),
  })),
  {
    name: 'its core is its own, and the status says that there is one',
    script: `ulimit -c unlimited; ${waitStatus} ${run} $PYTHON -c 'import os; os.abort()'; ls core* 2>/dev/null | wc -l; file core* | grep -o 'execfn: [^,]*'`,
  },
  { name: 'no such command', script: `exec ${run} no-such-command-at-all`, wordsDiffer: true },
  { name: 'no such path', script: `${run} ./nothing; echo $?`, wordsDiffer: true },
  { name: 'a folder', script: `${run} /; echo $?`, wordsDiffer: true },
  {
    name: 'not executable',
    script: `echo text > plain; ${run} ./plain; echo $?`,
    wordsDiffer: true,
  },
  {
    name: 'a missing interpreter',
    script: `printf '#!/no/such/interpreter\\n' > script; chmod +x script; ${run} ./script; [ $? -ge 126 ] && echo refused`,
    wordsDiffer: true,
  },
  {
    name: 'a script without a first line',
    script: `printf 'echo "$0" "$@"; exit 4\\n' > script; chmod +x script; ${run} ./script a 'b c'; echo $?`,
  },
  {
    name: 'a script with a first line',
    script: `printf '#!/bin/sh -e\\necho "$0" "$@"; exit 4\\n' > script; chmod +x script; ${run} ./script a 'b c'; echo $?`,
  },
  { name: 'an empty name', script: `${run} ''; echo $?`, wordsDiffer: true },
  {
    name: 'PATH in which nothing is',
    script: `PATH=/nowhere; exec ${run} $PROBE args`,
    unrecorded: true,
  },
  {
    name: 'the current folder is in PATH',
    script: `cp $PROBE here; PATH=$PATH::; exec ${run} here args`,
  },
];

const words: readonly Situation[] = [
  { name: 'empty arguments', script: `exec ${run} $PROBE args '' a '' ''` },
  {
    name: 'spaces, quotes, newlines',
    script: `exec ${run} $PROBE args 'a b' "it's" '"' $'x\\ny' '$HOME' '*' '\\'`,
  },
  {
    name: 'what looks like an option',
    script: `exec ${run} $PROBE args --json -q -- -o --help -V`,
  },
  { name: 'bytes that are no UTF-8', script: `exec ${run} $PROBE args $'\\xff\\xfe' $'caf\\xe9'` },
  {
    name: 'a variable that is no UTF-8',
    script: `export ODD=$'\\xff\\xe9'; exec ${run} $PROBE environment`,
  },
  {
    name: 'odd names of variables',
    script: `exec env 'a.b=1' 'c-d=2' '=e' ' f=3' ${run} $PROBE environment`,
  },
  {
    name: 'no environment but PATH',
    script: `exec env -i PATH="$PATH" HOME="$WORK" ${run} $PROBE environment`,
  },
  { name: 'no HOME', script: `exec env -u HOME ${run} $PROBE environment` },
  {
    name: 'a variable twice',
    script: `exec $PYTHON -c 'import ctypes, sys
libc = ctypes.CDLL(None)
argv = (ctypes.c_char_p * len(sys.argv))(*[w.encode() for w in sys.argv[1:]], None)
import os, shutil
env = [b"TWICE=1", b"TWICE=2", ("PATH=" + os.environ["PATH"]).encode(), ("HOME=" + os.environ["HOME"]).encode()]
libc.execve(shutil.which(sys.argv[1]).encode(), argv, (ctypes.c_char_p * (len(env) + 1))(*env, None))' ${run} $PROBE environment`,
  },
  {
    name: 'a stale PWD',
    script: `mkdir inner; export PWD=/nowhere; exec $PYTHON -c 'import os, sys; os.chdir("inner"); os.execvp(sys.argv[1], sys.argv[1:])' ${run} $PROBE environment,rest`,
  },
  { name: 'SHLVL stays', script: `export SHLVL=7; exec ${run} $PROBE environment` },
  {
    name: 'variables for Node',
    script: `export NODE_OPTIONS=--no-warnings UV_THREADPOOL_SIZE=1 NODE_ENV=test; exec ${run} $PROBE environment`,
  },
  {
    name: 'LD_LIBRARY_PATH',
    script: `export LD_LIBRARY_PATH=/nowhere; exec ${run} $PROBE environment`,
  },
  {
    name: 'arguments of 1.5 MB',
    script: `exec ${run} $PROBE args $(yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | head -15000) | md5sum`,
  },
  { name: 'argv[0] of a link', script: `ln -s $PROBE 'odd name'; exec ${run} './odd name' args` },
  { name: 'what Python sees', script: `exec ${run} $PYTHON $PYPROBE a '' b` },
];

const surroundings: readonly Situation[] = [
  ...firstOnes(
    8,
    [
      '-n 256',
      '-Sn 64',
      '-Sn 40',
      '-Sn 12',
      '-n 100',
      '-Sf 1',
      '-f 100000',
      '-Sv 4000000',
      '-Sv 1000000',
      '-Sv 500000',
      '-Sv 100000',
      '-St 100',
      '-c 0',
      '-Sc 0',
      '-s 1024',
      '-Ss 4096',
      '-Su 5000',
      '-l 64',
      '-d 4000000',
      '-Sd 300000',
    ].map((limit) => ({
      name: `ulimit ${limit}`,
      script: `ulimit ${limit}; exec ${run} $PROBE limits,fds`,
    })),
  ),
  ...firstOnes(
    2,
    ['-v 3000000', '-v 1500000', '-v 1000000', '-v 900000', '-v 800000', '-v 500000'].map(
      (limit) => ({
        name: `ulimit ${limit}, hard`,
        script: `ulimit ${limit}; exec ${run} sh -c 'echo started; ulimit -v; sleep 0.3; echo finished; exit 3'`,
      }),
    ),
  ),
  ...firstOnes(
    2,
    ['-v 200000', '-v 60000', '-n 40', '-n 20', '-n 10'].map((limit) => ({
      name: `ulimit ${limit}, hard`,
      script: `ulimit ${limit}; exec ${run} $PROBE limits,fds`,
      unrecorded: true as const,
    })),
  ),
  ...['-n 40', '-v 100000'].map((limit) => ({
    name: `ulimit ${limit}, and options before the command`,
    script: `ulimit ${limit}; [ \${#RUN[@]} = 0 ] || RUN=("\${RUN[@]:0:2}" -qo "$WORK/out" --json "$WORK/r.json" --at-limit kill); exec ${run} sh -c 'echo started; exit 3'`,
    unrecorded: true as const,
  })),
  {
    name: 'a MemoryError at a limit of 1,000,000 KiB',
    script: `ulimit -v 1000000; exec ${run} $PYTHON -c 'x = bytearray(2 << 30)'`,
  },
  ...firstOnes(
    1,
    ['000', '077', '002'].map((mask) => ({
      name: `umask ${mask}`,
      script: `umask ${mask}; exec ${run} $PROBE status`,
    })),
  ),
  { name: 'nice', script: `exec nice -n 7 ${run} $PROBE rest` },
  { name: 'ionice', script: `exec ionice -c 3 ${run} $PROBE rest` },
  { name: 'one CPU', script: `exec taskset -c 0 ${run} $PROBE status` },
  { name: 'no new privileges', script: `exec setpriv --no-new-privs ${run} $PROBE status,rest` },
  {
    name: 'death signal and subreaper',
    script: `exec $PYTHON -c 'import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execvp(sys.argv[1], sys.argv[1:])' ${run} $PROBE rest`,
  },
  {
    name: 'a folder that was removed',
    script: `mkdir gone; cd gone; rmdir ../gone; exec ${run} $PROBE rest`,
  },
  { name: 'the same group and session', script: `${run} $PROBE group $$; true` },
  {
    name: 'the same group, in the background',
    script: `set -m; ${run} $PROBE signals,rest & wait $!`,
  },
  {
    name: 'a new session',
    script: `setsid -w ${run} $PROBE group $$; true`,
  },
];

const terminal = (script: string) =>
  `cat > inner <<'END'
${script}
END
printf 'RUN=(%s)\\n' "$(printf '%q ' "\${RUN[@]}")" > start; [ \${#RUN[@]} = 0 ] && echo 'RUN=()' > start; cat inner >> start
script -qec 'bash start' /dev/null </dev/null | tr -d '\\r'`;
const terminals: readonly Situation[] = [
  { name: 'on a terminal', script: terminal(`${run} $PROBE group $$; ${run} $PROBE fds`) },
  { name: 'on a terminal: Python', script: terminal(`${run} $PYTHON $PYPROBE`) },
  {
    name: 'a terminal stays as the command left it',
    script: terminal(`${run} stty -echo -icanon rows 40 cols 99; stty -a`),
  },
  {
    name: 'a terminal hangs up on a session leader',
    script: `$PYTHON -c 'import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
while not os.path.exists("flag"): time.sleep(0.02)
os.close(fd)
for i in range(200):
    if os.path.exists("hung"): break
    time.sleep(0.02)
print(os.path.exists("hung"))
os.waitpid(pid, 0)' ${run} bash -c 'trap "echo x > hung; exit 5" HUP; echo x > flag; for i in {1..100}; do sleep 0.05; done'`,
  },
  {
    name: 'Ctrl-C on a terminal arrives once',
    script: `$PYTHON -c 'import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
while not os.path.exists("flag"): time.sleep(0.02)
os.write(fd, b"\\x03")
print(os.waitpid(pid, 0)[1]); print(open("count").read())' ${run} $PYTHON -c 'import signal, time
count = []
signal.signal(signal.SIGINT, lambda n, f: count.append(n))
open("flag", "w").write("x")
end = time.time() + 0.6
while time.time() < end: time.sleep(0.05)
open("count", "w").write(str(len(count)))'`,
  },
  {
    name: 'Ctrl-Z stops all, and it goes on',
    script: `$PYTHON -c 'import os, pty, sys, time, signal
pid, fd = pty.fork()
if pid == 0:
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.execvp(sys.argv[1], sys.argv[1:])
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try: os.setpgid(child, child)
    except OSError: pass
    os.tcsetpgrp(0, child)
    status = os.waitpid(child, os.WUNTRACED)[1]
    open("stopped", "w").write("%s %s" % (os.WIFSTOPPED(status), os.WSTOPSIG(status)))
    os.killpg(child, signal.SIGCONT)
    os._exit(os.WEXITSTATUS(os.waitpid(child, 0)[1]))
while not os.path.exists("flag"): time.sleep(0.02)
os.write(fd, b"\\x1a")
print(os.WEXITSTATUS(os.waitpid(pid, 0)[1])); print(open("stopped").read())' ${run} bash -c 'echo x > flag; sleep 1; exit 6'`,
  },
];

export const situations: readonly Situation[] = [
  ...descriptors,
  ...signals,
  ...statuses,
  ...words,
  ...surroundings,
  ...terminals,
];
