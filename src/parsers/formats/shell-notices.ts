/** How shells, build tools and languages word the death of a child: `Killed`, `exit code 137`, `signal: 9` (section 2 of the catalogue). */
import type { DeathNotice } from '../../model/evidence.ts';
import type { Input, Parser } from '../parser.ts';
import { lineAt, wholeText, type Found } from '../text/lines.ts';
import { deniesMemory, readNotices, type NoticeWording } from '../text/notices.ts';

const id = 'shell-notices';

/** Who else is known to send SIGKILL, told in the very command. */
const senderInCommand = ({ passage, match }: Found): boolean =>
  /timeout (?:-s|--signal)[ =]?(?:KILL|9)|ulimit -t|kill(?:all)? -(?:9|KILL|s KILL)|pkill|os\.kill\(|signal\.SIGKILL\b/.test(
    passage.slice(match.index, match.index + match[0].length + 300),
  );

const wordings: readonly NoticeWording[] = [
  {
    by: 'shell',
    needle: 'Killed',
    signal: 'SIGKILL',
    otherReason: 'a command that sends SIGKILL itself',
    pattern:
      /(?:bash|sh|zsh|dash|ksh|\/[\w./-]{1,200}): line \d{1,6}: {1,3}(?<pid>\d{1,9}) Killed .{0,300}?(?:timeout (?:-s|--signal)[ =]?(?:KILL|9)|ulimit -t|os\.kill\(|kill -(?:9|KILL)).{0,60}/,
  },
  {
    by: 'shell',
    needle: 'Killed',
    signal: 'SIGKILL',
    unless: senderInCommand,
    pattern:
      /(?:[\w./@~-]{1,200}): line \d{1,6}: {1,3}(?<pid>\d{1,9}) Killed(?: (?:env |exec |nohup |\w{1,40}=\S{0,200} ){0,8}(?<name>[\w./~"'$][^\s]{0,79}))?/,
  },
  {
    by: 'shell',
    needle: 'Killed',
    signal: 'SIGKILL',
    unless: senderInCommand,
    pattern: /\[\d{1,4}\] ?[+-]? ?(?<pid>\d{2,9})? ?Killed(?:: 9)? (?<name>[^\s]{1,80})/,
  },
  {
    by: 'shell',
    needle: 'killed',
    signal: 'SIGKILL',
    unless: senderInCommand,
    pattern: /(?:zsh: |\[\d{1,4}\] ? ?[+-]? ?(?<pid>\d{1,9})? ?)killed (?<name>[^\s]{1,80})/,
  },
  {
    by: 'shell',
    needle: 'segmentation fault',
    signal: 'SIGSEGV',
    pattern:
      /(?:zsh: |\[\d{1,4}\] ? ?[+-]? ?(?<pid>\d{1,9})? ?)segmentation fault(?: \(core dumped\))? (?<name>[^\s]{1,80})/,
  },
  {
    by: 'shell',
    needle: 'Segmentation fault',
    signal: 'SIGSEGV',
    pattern:
      /: line \d{1,6}: {1,3}(?<pid>\d{1,9}) Segmentation fault {0,10}(?:\(core dumped\))?(?: (?:env |exec |nohup |\w{1,40}=\S{0,200} ){0,8}(?<name>[\w./~"'$][^\s]{0,79}))?/,
  },
  {
    by: 'shell',
    needle: 'Aborted',
    signal: 'SIGABRT',
    pattern:
      /: line \d{1,6}: {1,3}(?<pid>\d{1,9}) Aborted {0,10}(?:\(core dumped\))?(?: (?:env |exec |nohup |\w{1,40}=\S{0,200} ){0,8}(?<name>[\w./~"'$][^\s]{0,79}))?/,
  },
  {
    by: 'IDE',
    needle: 'interrupted by signal 11',
    signal: 'SIGSEGV',
    pattern: /exit code 139 \(interrupted by signal 11:? ?SIGSEGV\)/,
  },
  {
    by: 'Windows',
    needle: '0xC0000005',
    signal: 'SIGSEGV',
    pattern: /exit code -1073741819 \(0xC0000005\)/,
  },
  {
    by: 'dpkg',
    needle: 'was killed by signal (Killed)',
    signal: 'SIGKILL',
    pattern: /subprocess was killed by signal \(Killed\)/,
  },
  {
    by: 'git',
    needle: 'died of signal 9',
    signal: 'SIGKILL',
    pattern: /(?<name>[\w-]{1,40}) died of signal 9\b/,
  },
  {
    by: 'make',
    needle: 'Killed',
    signal: 'SIGKILL',
    pattern: /make(?:\[\d{1,3}\])?: \*{3} \[(?<name>.{1,120}?)\] Killed(?:: 9)?/,
  },
  {
    by: 'make',
    needle: 'Error 137',
    exitCode: 137,
    pattern: /make(?:\[\d{1,3}\])?: \*{3} \[(?<name>.{1,120}?)\] Error 137/,
  },
  {
    by: 'GCC',
    needle: 'Killed',
    signal: 'SIGKILL',
    pattern:
      /(?:[\w+.-]{1,40}: )?(?:fatal error: |internal compiler error: )Killed(?: signal terminated program| \(program)? (?<name>[\w+.-]{1,60})\)?/,
  },
  {
    by: 'GCC',
    needle: 'terminated with signal 9',
    signal: 'SIGKILL',
    pattern:
      /(?:collect2: )?(?:fatal )?(?:error: )?(?<name>ld|[\w+.-]{1,40}) terminated with signal 9 \[Killed\]/,
  },
  {
    by: 'clang',
    needle: 'failed due to signal',
    signal: 'SIGKILL',
    pattern:
      /(?<name>clang|[\w+.-]{1,40}): error: unable to execute command: Killed|clang.{0,60}failed due to signal/,
  },
  {
    by: 'clang',
    needle: 'unable to execute command',
    signal: 'SIGKILL',
    pattern: /error: unable to execute command: Killed/,
  },
  {
    by: 'cargo',
    needle: 'SIGKILL',
    signal: 'SIGKILL',
    pattern: /(?:process didn't exit successfully: .{0,300}?|\()\(?signal: 9, SIGKILL: kill\)/,
  },
  {
    by: 'Go',
    needle: 'signal: killed',
    signal: 'SIGKILL',
    unless: ({ passage }) => /Runtime(?:\.ExitError| exited)|RequestId/.test(passage),
    pattern: /(?:(?<name>[\w./-]{1,80}): )?signal: killed/,
  },
  {
    by: 'Python subprocess',
    needle: 'Signals.SIGKILL',
    signal: 'SIGKILL',
    pattern: /died with <Signals\.SIGKILL: 9>/,
  },
  {
    by: 'Python subprocess',
    needle: 'status -9',
    exitCode: -9,
    pattern: /returned non-zero exit status -9\b/,
  },
  {
    by: 'gdb',
    needle: 'Program received signal',
    pattern: /Program received signal (?<signal>SIG(?:SEGV|ABRT|BUS|ILL|FPE))/,
  },
  {
    by: 'gdb',
    needle: 'Program terminated with signal',
    pattern: /Program terminated with signal (?<signal>SIG(?:SEGV|ABRT|BUS|ILL|FPE|KILL)|\d{1,2})/,
  },
  {
    by: 'lldb',
    needle: 'stop reason = ',
    signal: 'SIGSEGV',
    pattern: /stop reason = (?:signal SIGSEGV|EXC_BAD_ACCESS)/,
  },
  {
    by: 'zig',
    needle: 'terminated with signal KILL',
    signal: 'SIGKILL',
    pattern: /terminated with signal KILL\b/,
  },
  {
    by: 'react-scripts',
    needle: 'exited too early',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /The build failed because the process exited too early\..{0,160}/,
  },
  {
    by: 'Gradle',
    needle: 'daemon disappeared unexpectedly',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /Gradle build daemon disappeared unexpectedly.{0,80}/,
  },
  {
    by: 'Bazel',
    needle: 'Server terminated abruptly',
    signal: 'SIGKILL',
    guessesMemory: true,
    pattern: /Server terminated abruptly \(error code: 14.{0,120}/,
  },
  {
    by: 'yarn',
    needle: 'with signal "SIGKILL"',
    signal: 'SIGKILL',
    pattern: /Command failed with signal "SIGKILL"/,
  },
  {
    by: 'node',
    needle: 'signal: SIGKILL',
    signal: 'SIGKILL',
    pattern: /exited with code: (?:null|\d{1,3}) and signal: SIGKILL/,
  },
  {
    by: 'exit status',
    needle: 'exit value 137',
    exitCode: 137,
    pattern: /(?:Process '(?<name>.{1,80}?)' )?finished with non-zero exit value 137/,
  },
  {
    by: 'time',
    needle: 'ommand terminated by signal 9',
    signal: 'SIGKILL',
    pattern: /[Cc]ommand terminated by signal 9/,
  },
  {
    by: 'npm',
    needle: 'SIGKILL',
    signal: 'SIGKILL',
    pattern:
      /(?:npm (?:ERR!|error) signal SIGKILL|Command was killed with SIGKILL \(Forced termination\).{0,80}|(?:exited with|exit) signal:? SIGKILL|ELIFECYCLE.{0,40}SIGKILL)/,
  },
  {
    by: 'exit status',
    needle: '137',
    exitCode: 137,
    pattern:
      /(?:[Ee]xit(?:ed)?(?: with)?(?: an?)?(?: non-zero)?(?: \(?(?:[Ss]tatus|[Cc]ode)\)?)? ?[:=(]? ?\(?|[eE]xitCode["']?[=:] ?|exit_code[=:] ?|returned a non-zero code: |returned (?:error )?(?:exit )?code ?|rc ?= ?|status:? |code:? |Exit(?:ed)? ?\(|ELIFECYCLE.{0,40}errno )137\b/,
    unless: ({ passage, match }) =>
      /OOMKilled|Exceeded|oom/.test(
        passage.slice(Math.max(0, match.index - 200), match.index + 200),
      ) && /"OOMKilled": ?true/.test(passage),
  },
  {
    by: 'wait status',
    needle: '35072',
    exitCode: 137,
    pattern: /(?:os\.system|system\(\)|->|returned|status).{0,40}\b35072\b/,
  },
  {
    by: 'exit status',
    needle: '-9',
    exitCode: -9,
    pattern:
      /(?:exit ?code|exitcode|return ?code|returncode|status code|exit status|exited with)[:= ]{1,3}(?:code )?\(?-9\b/i,
  },
  {
    by: 'multiprocessing',
    needle: 'exitcode=-SIGKILL',
    signal: 'SIGKILL',
    pattern: /<(?:\w{1,40}Process)\(.{0,120}exitcode=-SIGKILL/,
  },
];

export const shellNotices: Parser = {
  id,
  title: 'Deaths as shells, build tools and parents word them',
  needles: [
    // `137` and `-9` alone stand in every log
    ...new Set(wordings.map(({ needle }) => needle).filter((needle) => needle.length > 3)),
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
  if (!/Killed|killed|Segmentation fault|Bus error/.test(whole)) return;
  for (const [at, { number, text }] of input.lines.entries()) {
    if (text.length > 300) continue;
    const words = lineAt(input, at)
      .replace(/^[\s|`*#$-]+|[\s`*]+$/g, '')
      .replace(/^(?:\[[^\]]{1,60}\]|\d{4}-\d\d-\d\d[T ][\d:.,]+\S*)\s+/, '');
    const match =
      /^(?:(?<name>[\w./-]{1,60}): )?(?<how>Killed(?:: 9)?|Segmentation fault|Bus error)(?: ?\(core dumped\))?(?: {1,20}\S.{0,200})?$/.exec(
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
    const signal = { K: 'SIGKILL', S: 'SIGSEGV', B: 'SIGBUS' }[match.groups!['how']![0]!]!;
    if (signal === 'SIGKILL' && /line \d+:|\[\d+\]/.test(text) && /\d+ Killed/.test(text)) continue;
    yield {
      kind: 'death-notice',
      origin: { source: id, place: `${input.name}:${number}`, line: number, quote: text.trim() },
      by: 'shell',
      signal,
      ...(match.groups!['name'] === undefined ? {} : { name: match.groups!['name'] }),
      // `df` in the same text shows /dev/shm full (E9)
      ...(signal === 'SIGBUS' && /100% +\/dev\/shm|\/dev\/shm .{0,80}\b100%/.test(whole)
        ? { otherReason: 'shared memory' }
        : hintsNear(input)),
    };
  }
}

const hintsNear = (input: Input): { readonly hints?: readonly string[] } => {
  const whole = wholeText(input);
  return whole.length < 262_144 &&
    !deniesMemory(input) &&
    /\b(?:memory|RAM|OOM|内存|メモリ|메모리)\b/i.test(whole)
    ? { hints: ['the text speaks of memory'] }
    : {};
};
