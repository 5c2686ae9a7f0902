/** How shells, build tools and languages word the death of a child: `Killed`, `exit code 137`, `signal: 9`. */
import { defined } from '../../model/defined.ts';
import type { DeathNotice } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { lineAt, wholeText, type Found } from '../text/lines.ts';
import { deniesMemory, hintFields, readNotices, type NoticeWording } from '../text/notices.ts';

const id = 'shell-notices';

/** Who else is known to send SIGKILL, told in the very command. */
const senderInCommand = ({ passage, match }: Found): boolean =>
  /timeout (?:-s|--signal)[ =]?(?:KILL|9)|ulimit -t|kill(?:all)? -(?:9|KILL|s KILL)|pkill|os\.kill\(|signal\.SIGKILL\b/.test(
    passage.slice(match.index, match.index + match[0].length + 300),
  );

/** Lines of one JSON object around its exit code. */
const objectLines = 20;

/** `"name": "api"` of the very JSON object that the exit code stands in: a container of a task, a step of a job. */
function nameInObject({ input, index, match }: Found, notice: DeathNotice): DeathNotice {
  if (notice.name !== undefined || !/^exit_?code["']|^exitCode/i.test(match[0])) return notice;
  const before = Array.from({ length: objectLines }, (_, back) =>
    lineAt(input, index - objectLines + back),
  ).join('\n');
  const after = Array.from({ length: objectLines }, (_, step) => lineAt(input, index + step)).join(
    '\n',
  );
  const text = `${before}\n${after}`;
  const at = text.indexOf(match[0], before.length);
  if (at === -1) return notice;
  let [from, to] = [at, at];
  for (let depth = 0; from > 0 && depth <= 0; from -= 1)
    depth += { '{': 1, '}': -1 }[text[from]!] ?? 0;
  for (let depth = 0; to < text.length && depth <= 0; to += 1)
    depth += { '}': 1, '{': -1 }[text[to]!] ?? 0;
  const own = text.slice(from + 1, to).replace(/(?!^)\{[^{}]{0,4000}\}/g, '');
  return { ...notice, ...defined({ name: /"name"\s?:\s?"([^"]{1,80})"/.exec(own)?.[1] }) };
}

const wordings: readonly NoticeWording[] = [
  {
    reporter: 'shell',
    literal: 'Killed',
    signal: 'SIGKILL',
    otherReason: 'a command that sends SIGKILL itself',
    pattern:
      /(?:bash|sh|zsh|dash|ksh|\/[\w./-]{1,200}): line \d{1,6}: {1,3}(?<pid>\d{1,9}) Killed .{0,300}?(?:timeout (?:-s|--signal)[ =]?(?:KILL|9)|ulimit -t|os\.kill\(|kill -(?:9|KILL)).{0,60}/,
  },
  {
    reporter: 'shell',
    literal: 'Killed',
    signal: 'SIGKILL',
    unless: senderInCommand,
    pattern:
      /(?:[\w./@~-]{1,200}): line \d{1,6}: {1,3}(?<pid>\d{1,9}) Killed(?: (?:env |exec |nohup |\w{1,40}=\S{0,200} ){0,8}(?<name>[\w./~"'$][^\s]{0,79}))?/,
  },
  {
    reporter: 'shell',
    literal: 'Killed',
    signal: 'SIGKILL',
    unless: senderInCommand,
    pattern: /\[\d{1,4}\] ?[+-]? ?(?<pid>\d{2,9})? ?Killed(?:: 9)? (?<name>[^\s]{1,80})/,
  },
  {
    reporter: 'shell',
    literal: 'killed',
    signal: 'SIGKILL',
    unless: senderInCommand,
    pattern: /(?:zsh: |\[\d{1,4}\] ? ?[+-]? ?(?<pid>\d{1,9})? ?)killed (?<name>[^\s]{1,80})/,
  },
  {
    reporter: 'shell',
    literal: 'segmentation fault',
    signal: 'SIGSEGV',
    pattern:
      /(?:zsh: |\[\d{1,4}\] ? ?[+-]? ?(?<pid>\d{1,9})? ?)segmentation fault(?: \(core dumped\))? (?<name>[^\s]{1,80})/,
  },
  {
    reporter: 'shell',
    literal: 'Segmentation fault',
    signal: 'SIGSEGV',
    pattern:
      /: line \d{1,6}: {1,3}(?<pid>\d{1,9}) Segmentation fault {0,10}(?:\(core dumped\))?(?: (?:env |exec |nohup |\w{1,40}=\S{0,200} ){0,8}(?<name>[\w./~"'$][^\s]{0,79}))?/,
  },
  {
    reporter: 'shell',
    literal: 'Aborted',
    signal: 'SIGABRT',
    pattern:
      /: line \d{1,6}: {1,3}(?<pid>\d{1,9}) Aborted {0,10}(?:\(core dumped\))?(?: (?:env |exec |nohup |\w{1,40}=\S{0,200} ){0,8}(?<name>[\w./~"'$][^\s]{0,79}))?/,
  },
  {
    reporter: 'shell',
    literal: 'abort',
    signal: 'SIGABRT',
    pattern:
      /(?:zsh: |\[\d{1,4}\] ? ?[+-]? ?(?<pid>\d{1,9}) {1,10})abort {1,10}(?:\(core dumped\) {1,10})?(?<name>[^\s]{1,80})/,
  },
  {
    reporter: 'shell',
    literal: 'bus error',
    signal: 'SIGBUS',
    pattern:
      /(?:zsh: |\[\d{1,4}\] ? ?[+-]? ?(?<pid>\d{1,9}) {1,10})bus error {1,10}(?:\(core dumped\) {1,10})?(?<name>[^\s]{1,80})/,
  },
  {
    reporter: 'shell',
    literal: 'Bus error',
    signal: 'SIGBUS',
    pattern:
      /: line \d{1,6}: {1,3}(?<pid>\d{1,9}) Bus error {0,10}(?:\(core dumped\))?(?: (?:env |exec |nohup |\w{1,40}=\S{0,200} ){0,8}(?<name>[\w./~"'$][^\s]{0,79}))?/,
  },
  {
    reporter: 'IDE',
    literal: 'interrupted by signal 11',
    signal: 'SIGSEGV',
    pattern: /exit code 139 \(interrupted by signal 11:? ?SIGSEGV\)/,
  },
  {
    reporter: 'Windows',
    literal: '0xC0000005',
    signal: 'SIGSEGV',
    pattern: /exit code -1073741819 \(0xC0000005\)/,
  },
  {
    reporter: 'dpkg',
    literal: 'was killed by signal (Killed)',
    signal: 'SIGKILL',
    pattern: /subprocess was killed by signal \(Killed\)/,
  },
  {
    reporter: 'git',
    literal: 'died of signal 9',
    signal: 'SIGKILL',
    pattern: /(?<name>[\w-]{1,40}) died of signal 9\b/,
  },
  {
    reporter: 'make',
    literal: 'Killed',
    signal: 'SIGKILL',
    pattern: /make(?:\[\d{1,3}\])?: \*{3} \[(?<name>.{1,120}?)\] Killed(?:: 9)?/,
  },
  {
    reporter: 'make',
    literal: 'Error 137',
    exitCode: 137,
    pattern: /make(?:\[\d{1,3}\])?: \*{3} \[(?<name>.{1,120}?)\] Error 137/,
  },
  {
    reporter: 'GCC',
    literal: 'Killed',
    signal: 'SIGKILL',
    pattern:
      /(?:[\w+.-]{1,40}: )?(?:fatal error: |internal compiler error: )Killed(?: signal terminated program| \(program)? (?<name>[\w+.-]{1,60})\)?/,
  },
  {
    reporter: 'GCC',
    literal: 'terminated with signal 9',
    signal: 'SIGKILL',
    pattern:
      /(?:collect2: )?(?:fatal )?(?:error: )?(?<name>ld|[\w+.-]{1,40}) terminated with signal 9 \[Killed\]/,
  },
  {
    reporter: 'clang',
    literal: 'failed due to signal',
    signal: 'SIGKILL',
    pattern:
      /(?<name>clang|[\w+.-]{1,40}): error: unable to execute command: Killed|clang.{0,60}failed due to signal/,
  },
  {
    reporter: 'clang',
    literal: 'unable to execute command',
    signal: 'SIGKILL',
    pattern: /error: unable to execute command: Killed/,
  },
  {
    reporter: 'cargo',
    literal: 'SIGKILL',
    signal: 'SIGKILL',
    pattern: /(?:process didn't exit successfully: .{0,300}?|\()\(?signal: 9, SIGKILL: kill\)/,
  },
  {
    reporter: 'Go',
    literal: 'signal: killed',
    signal: 'SIGKILL',
    unless: ({ passage }) => /Runtime(?:\.ExitError| exited)|RequestId/.test(passage),
    pattern: /(?:(?<name>[\w./-]{1,80}): )?signal: killed/,
  },
  {
    reporter: 'Python subprocess',
    literal: 'Signals.SIGKILL',
    signal: 'SIGKILL',
    pattern: /died with <Signals\.SIGKILL: 9>/,
  },
  {
    reporter: 'Python subprocess',
    literal: 'status -9',
    exitCode: -9,
    pattern: /returned non-zero exit status -9\b/,
  },
  {
    reporter: 'gdb',
    literal: 'Program received signal',
    pattern: /Program received signal (?<signal>SIG(?:SEGV|ABRT|BUS|ILL|FPE))/,
  },
  {
    reporter: 'gdb',
    literal: 'Program terminated with signal',
    pattern: /Program terminated with signal (?<signal>SIG(?:SEGV|ABRT|BUS|ILL|FPE|KILL)|\d{1,2})/,
  },
  {
    reporter: 'lldb',
    literal: 'stop reason = ',
    signal: 'SIGSEGV',
    pattern: /stop reason = (?:signal SIGSEGV|EXC_BAD_ACCESS)/,
  },
  {
    reporter: 'zig',
    literal: 'terminated with signal KILL',
    signal: 'SIGKILL',
    pattern: /terminated with signal KILL\b/,
  },
  {
    reporter: 'react-scripts',
    literal: 'exited too early',
    vanished: true,
    guessesMemory: true,
    pattern: /The build failed because the process exited too early\..{0,160}/,
  },
  {
    reporter: 'Gradle',
    literal: 'daemon disappeared unexpectedly',
    vanished: true,
    guessesMemory: true,
    pattern: /Gradle build daemon disappeared unexpectedly.{0,80}/,
  },
  {
    reporter: 'Bazel',
    literal: 'Server terminated abruptly',
    vanished: true,
    guessesMemory: true,
    pattern: /Server terminated abruptly \(error code: 14.{0,120}/,
  },
  {
    reporter: 'yarn',
    literal: 'with signal "SIGKILL"',
    signal: 'SIGKILL',
    pattern: /Command failed with signal "SIGKILL"/,
  },
  {
    reporter: 'node',
    literal: 'signal: SIGKILL',
    signal: 'SIGKILL',
    pattern: /exited with code: (?:null|\d{1,3}) and signal: SIGKILL/,
  },
  {
    reporter: 'exit status',
    literal: 'exit value 137',
    exitCode: 137,
    pattern: /(?:Process '(?<name>.{1,80}?)' )?finished with non-zero exit value 137/,
  },
  {
    reporter: 'time',
    literal: 'ommand terminated by signal 9',
    signal: 'SIGKILL',
    pattern: /[Cc]ommand terminated by signal 9/,
  },
  {
    reporter: 'npm',
    literal: 'SIGKILL',
    signal: 'SIGKILL',
    pattern:
      /(?:npm (?:ERR!|error) signal SIGKILL|Command was killed with SIGKILL \(Forced termination\).{0,80}|(?:exited with|exit) signal:? SIGKILL|ELIFECYCLE.{0,40}SIGKILL)/,
  },
  {
    reporter: 'exit status',
    literal: '137',
    exitCode: 137,
    pattern:
      /(?:[Ee]xit(?:ed)?(?: with)?(?: an?)?(?: non-zero)?(?: \(?(?:[Ss]tatus|[Cc]ode)\)?)? ?[:=(]? ?\(?|[eE]xitCode["']?[=:] ?|exit_code[=:] ?|returned a non-zero code: |returned (?:error )?(?:exit )?code ?|rc ?= ?|status:? |code:? |Exit(?:ed)? ?\(|ELIFECYCLE.{0,40}errno )137\b/,
    // Docker's own events are told with their containers.
    unless: ({ passage, match, input, index }) =>
      /\bcontainer die |"(?:status|Action)": ?"die"/.test(lineAt(input, index)) ||
      (/OOMKilled|Exceeded|oom/.test(
        passage.slice(Math.max(0, match.index - 200), match.index + 200),
      ) &&
        /"OOMKilled": ?true/.test(passage)),
    refine: nameInObject,
  },
  {
    reporter: 'wait status',
    literal: '35072',
    exitCode: 137,
    pattern: /(?:os\.system|system\(\)|->|returned|status).{0,40}\b35072\b/,
  },
  {
    reporter: 'exit status',
    literal: '-9',
    exitCode: -9,
    pattern:
      /(?:exit ?code|exitcode|return ?code|returncode|status code|exit status|exited with)[:= ]{1,3}(?:code )?\(?-9\b/i,
  },
  {
    reporter: 'multiprocessing',
    literal: 'exitcode=-SIGKILL',
    signal: 'SIGKILL',
    pattern: /<(?:\w{1,40}Process)\(.{0,120}exitcode=-SIGKILL/,
  },
];

export const shellNotices: Parser = {
  id,
  title: 'Deaths as shells, build tools and parents word them',
  literals: [
    // `137` and `-9` alone stand in every log
    ...new Set(wordings.map(({ literal }) => literal).filter((literal) => literal.length > 3)),
    ...['code', 'Code', 'status', 'Status'].flatMap((word) =>
      [' 137', ': 137', '=137', ' -9', ': -9', '=-9', '":137', '": 137'].map((end) => word + end),
    ),
    'exit 137',
    'exited with 137',
    // `kubectl describe` aligns its values
    'Exit Code: ',
    'xitCode": 137',
    'xitCode":137',
    'xitCode: 137',
    'xitCode=137',
    'Error 137',
    'errno 137',
    '(137)',
    '(-9)',
    'Segmentation fault',
    'Bus error',
    'Aborted (core dumped)',
    'Abort trap',
    'Illegal instruction',
    'Floating point exception',
  ],
  parse,
};

function* parse(input: Input): Iterable<DeathNotice> {
  const told =
    /(?:^|[$#>] ?)kill(?:all)? -(?:9|KILL|s KILL) |killed by (?:a|the) user|by hand with kill -9|kill -9 (?:\d{2,9}|by|from)\b/m.test(
      wholeText(input).slice(0, 262_144),
    );
  const facts = [...readNotices(input, id, wordings), ...alone(input)];
  for (const fact of facts.sort((a, b) => (a.origin.line ?? 0) - (b.origin.line ?? 0)))
    yield told && fact.signal === 'SIGKILL' && fact.otherReason === undefined
      ? { ...fact, otherReason: 'kill -9, named in the same text' }
      : fact;
}

/** `Killed`, `Segmentation fault (core dumped)` alone on a line: the shell's word on its last command. */
function* alone(input: Input): Iterable<DeathNotice> {
  const whole = wholeText(input);
  if (
    !/Killed|killed|Segmentation fault|Bus error|Abort|Illegal instr|Floating point e/.test(whole)
  )
    return;
  for (const [at, { number, text }] of input.lines.entries()) {
    if (text.length > 300) continue;
    const words = lineAt(input, at)
      .replace(/^[\s|`*#$-]+|[\s`*]+$/g, '')
      .replace(/^(?:\[[^\]]{1,60}\]|\d{4}-\d\d-\d\d[T ][\d:.,]+\S*)\s+/, '');
    const match =
      /^(?:(?<name>[\w./-]{1,60}): )?(?<how>Killed(?:: 9)?|Segmentation fault|Bus error|Aborted(?= {0,10}\(core dumped\))|Abort trap(?:: 6)?|Illegal instruction|Floating point exception)(?: {0,10}\(core dumped\))?(?: {1,20}\S.{0,200})?$/.exec(
        words,
      );
    if (match === null) continue;
    if (
      /^Killed\b/.test(match.groups!['how']!) &&
      /^Killed (?:process|\/)|Killed: \w{3}/.test(words)
    )
      continue;
    // "Killed" in a sentence is not a shell's word
    if (
      /^Killed .*\b(?:by|the|due|because|after|while|when)\b/.test(words) &&
      !/^Killed {2,}/.test(words)
    )
      continue;
    const signal = aloneSignals[match.groups!['how']![0]!]!;
    if (signal === 'SIGKILL' && /line \d+:|\[\d+\]/.test(text) && /\d+ Killed/.test(text)) continue;
    yield {
      kind: 'death-notice',
      origin: { source: id, place: `${input.name}:${number}`, line: number, quote: text.trim() },
      reporter: 'shell',
      signal,
      ...defined({ name: match.groups!['name'] }),
      // `df` in the same text shows /dev/shm full
      ...(signal === 'SIGBUS' && /100% +\/dev\/shm|\/dev\/shm .{0,80}\b100%/.test(whole)
        ? { otherReason: 'shared memory', resource: 'shm' as const }
        : hintsNear(input)),
    };
  }
}

/** By the first letter of the shell's word. */
const aloneSignals: Readonly<Record<string, string>> = {
  A: 'SIGABRT',
  B: 'SIGBUS',
  F: 'SIGFPE',
  I: 'SIGILL',
  K: 'SIGKILL',
  S: 'SIGSEGV',
};

const hintsNear = (input: Input): Pick<DeathNotice, 'hints' | 'hintIds'> => {
  const whole = wholeText(input);
  return whole.length < 262_144 &&
    !deniesMemory(input) &&
    /\b(?:memory|RAM|OOM|内存|メモリ|메모리)\b/i.test(whole)
    ? hintFields([{ id: 'memory-named', says: 'the text speaks of memory' }])
    : {};
};
