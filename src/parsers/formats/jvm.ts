/** The JVM (also under PySpark and JPype): its own heap is one thing, memory that the system refuses is another; hs_err files. */
import { defined } from '../../model/defined.ts';
import type { ProgramAbort } from '../../model/evidence.ts';
import { lineAt, readPhrases, wholeText, type Found, type Phrase } from '../text/lines.ts';
import type { Input, Parser } from '../parser.ts';
import { requestedBytes } from '../text/sizes.ts';

const id = 'jvm';

interface Wording {
  readonly literal: string;
  readonly pattern: RegExp;
  readonly resource: ProgramAbort['resource'];
  readonly variant?: string;
  readonly actualMeaning?: string;
  readonly raises?: boolean;
  readonly signal?: string;
}

const threads =
  'a limit of threads or processes was reached (ulimit -u, pids.max), or there was no room for another stack; the words of the JVM do not tell which';

const nativeCall = String.raw`\b(?:(?:anonymous )?mmap(?:64)?\(|ashmem_create_region|pthread_create|clone\()`;

const wordings: readonly Wording[] = [
  {
    literal: 'OutOfMemoryError',
    resource: 'memory',
    pattern:
      /java\.lang\.OutOfMemoryError: (?:Map failed|Out of swap space\?|\(?(?:malloc|mmap)\)? failed).{0,80}/,
  },
  {
    // A native call inside the error's words: the system refused it, not the heap's cap.
    literal: 'OutOfMemoryError',
    resource: 'memory',
    raises: true,
    pattern: new RegExp(
      String.raw`java\.lang\.OutOfMemoryError: .{0,120}?${nativeCall}.{0,120}?(?:Out of memory|Cannot allocate memory|Not enough space)`,
    ),
  },
  {
    literal: 'OutOfMemoryError',
    resource: 'threads',
    raises: true,
    actualMeaning: threads,
    pattern:
      /java\.lang\.OutOfMemoryError: (?:unable to create (?:new )?native thread|pthread_create .{0,40}failed).{0,80}/,
  },
  {
    literal: 'OutOfMemoryError',
    resource: 'language-heap',
    variant: 'jvm-heap',
    raises: true,
    pattern:
      /(?:java\.lang\.)?OutOfMemoryError: ?(?:Java heap space|GC overhead limit exceeded|Metaspace|PermGen space|Requested array size exceeds VM limit|Compressed class space|Direct buffer memory|Cannot reserve \d{1,16} bytes of direct buffer memory.{0,80}|Java heap.{0,40}|heap space|error while calling spill|UTF16 String size.{0,60}|Overflow: String length.{0,40}|Required (?:array )?(?:length|size).{0,40})/,
  },
  {
    literal: 'OutOfMemoryError',
    resource: 'language-heap',
    variant: 'jvm-heap',
    raises: true,
    pattern:
      // A native call that was refused for another reason (a permission, a number of mappings) says nothing of the heap.
      new RegExp(
        String.raw`(?:Terminating due to )?java\.lang\.OutOfMemoryError\b(?!: (?:unable|Map failed|Out of swap|.{0,120}${nativeCall}))`,
      ),
  },
  {
    literal: 'SparkOutOfMemoryError',
    resource: 'language-heap',
    variant: 'jvm-heap',
    raises: true,
    pattern: /SparkOutOfMemoryError.{0,120}/,
  },
  {
    literal: 'Could not reserve enough space',
    resource: 'memory',
    pattern: /Could not reserve enough space for (?:\d{1,12}KB )?object heap/,
  },
  {
    literal: 'Could not allocate metaspace',
    resource: 'memory',
    pattern: /Could not allocate metaspace: \d{1,19} bytes/,
  },
  {
    literal: 'os::commit_memory',
    resource: 'memory',
    pattern:
      /os::commit_memory\(0x[0-9a-f]{1,16}, \d{1,19}, \d\) failed; error='[^']{1,80}' \((?:errno|error)=\d{1,6}\)?/,
  },
  {
    literal: 'insufficient memory for the Java Runtime',
    resource: 'memory',
    span: 5,
    pattern:
      /There is insufficient memory for the Java Runtime Environment to continue\.(?: # Native memory allocation \(\w{1,20}\) failed to (?:map|allocate) \d{1,19} bytes)?/,
  } as Wording & { span: number },
  {
    literal: 'Native memory allocation',
    resource: 'memory',
    pattern:
      /Native memory allocation \(\w{1,20}\) failed to (?:map|allocate|commit|reserve) \d{1,19} bytes(?: for .{1,60})?/,
  },
  {
    literal: 'Out of Memory Error',
    resource: 'memory',
    pattern: /# {1,2}Out of Memory Error \([\w.]{1,40}:\d{1,6}\)/,
  },
  {
    literal: 'StackOverflowError',
    resource: 'stack',
    raises: true,
    actualMeaning: 'calls were nested too deeply: the stack (-Xss), not the memory',
    pattern: /java\.lang\.StackOverflowError/,
  },
];

export const jvm: Parser = {
  id,
  title: 'The JVM: its own heap limit, or memory that the system refused; hs_err files',
  literals: [...new Set(wordings.map(({ literal }) => literal))],
  parse,
};

function* parse(input: Input): Iterable<ProgramAbort> {
  let first: ProgramAbort | undefined;
  for (const fact of readPhrases<ProgramAbort>(input, id, wordings.map(phraseOf))) {
    // One failure is told three times: the warning, the banner, the hs_err file.
    if (fact.resource === 'memory') {
      const near = first !== undefined && (fact.origin.line ?? 0) - (first.origin.line ?? 0) <= 12;
      if (near) continue;
      first = fact;
    }
    yield fact;
  }
}

function phraseOf(wording: Wording): Phrase<ProgramAbort> {
  const { literal, pattern, resource, variant, actualMeaning, raises } = wording;
  return {
    literal,
    pattern,
    span: 6,
    make: (found) => {
      if (/^\s*(?:catch|throw|import|at) ?\(?|instanceof/.test(lineAt(found.input, found.index)))
        return undefined;
      const size =
        resource === 'memory'
          ? (requestedBytes(found.match[0]) ?? requestedBytes(nextTo(input(found), found.index)))
          : undefined;
      const pid = resource === 'memory' ? reportedPid(found) : undefined;
      return {
        kind: 'program-abort',
        origin: found.origin,
        reporter: 'jvm',
        ...defined({ pid }),
        ...(raises === true ? { raises } : { signal: 'SIGABRT' }),
        resource,
        message: found.match[0],
        stack: [],
        ...defined({ requestBytes: size, variant, actualMeaning }),
      };
    },
  };
}

/** `# /srv/app/hs_err_pid4711.log`, a few lines below: the report's name has the pid. */
function reportedPid({ input, index }: Found): number | undefined {
  for (let at = index; at <= index + 9 && at < input.lines.length; at += 1) {
    const match = /\bhs_err_pid(\d{1,9})\.log\b/.exec(input.lines[at]!.text.slice(0, 4096));
    if (match !== null) return Number(match[1]);
  }
  return undefined;
}

const input = ({ input }: { readonly input: Input }): Input => input;

/** The size stands on the next lines of the banner. */
const nextTo = (input: Input, index: number): string =>
  wholeText(input).length === 0
    ? ''
    : [0, 1, 2, 3].map((step) => lineAt(input, index + step)).join(' ');
