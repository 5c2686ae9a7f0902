/** Memory limits that a text names: options, settings, prose. Evidence about a limit, never about a death. */
import { defined } from '../../model/defined.ts';
import type { StatedLimit } from '../../model/evidence.ts';
import type { LimitOwner } from '../../model/report.ts';
import type { Input, Parser } from '../parser.ts';
import { elsewhere, mentions, readPhrases, wholeText, type Phrase } from '../text/lines.ts';
import { quantityBytes, sizeBytes } from '../text/sizes.ts';

const id = 'stated-limits';
const maxProse = 65_536;

interface Wording {
  readonly of: string;
  readonly owner: LimitOwner;
  readonly path?: string;
  readonly literal: string;
  readonly pattern: RegExp;
  readonly size: (text: string, input: Input) => number | undefined;
  readonly prose?: boolean;
}

const kib = (text: string): number | undefined =>
  /^\d{1,16}$/.test(text) ? Number(text) * 1024 : undefined;
/** `512M` is 512 MiB to Docker and Compose, 512 MB to Kubernetes; `512Mi` only Kubernetes knows. */
const ofContainer = (text: string, input: Input): number | undefined =>
  /[KMGT]$/.test(text) && mentions(input, /^\s*deploy:|\bdocker\b|\bcompose\b/im)
    ? sizeBytes(text)
    : (quantityBytes(text) ?? sizeBytes(text));
const bytes = (text: string): number | undefined => sizeBytes(text);
const mebibytes = (text: string): number | undefined =>
  /^\d{1,9}$/.test(text) ? Number(text) * 1024 ** 2 : undefined;
/** Slurm counts in MiB where no unit is given. */
const slurm = (text: string): number | undefined =>
  sizeBytes(/[KMGT]$/i.test(text) ? text : `${text}M`);

/** `1gb`, `"512mb"` or a number of MiB: fly.toml's machines (`[[vm]]`), and nothing else that has a key of this name. */
const ofFly = (text: string, input: Input): number | undefined =>
  mentions(input, /^\s*\[\[?vm\]\]?/m) ? (mebibytes(text) ?? sizeBytes(text)) : undefined;
/** MiB, of a container or of a task (where it is a string). */
const ofEcs = (text: string, input: Input): number | undefined =>
  mentions(input, /containerDefinitions|taskDefinition|requiresCompatibilities|memoryReservation/)
    ? mebibytes(text)
    : undefined;
/** For each CPU: what the job gets is known where it is known how many it asked for, on one node. */
const ofSlurmCpu = (text: string, input: Input): number | undefined => {
  const count = (pattern: RegExp): number => Number(elsewhere(input, pattern)?.[1] ?? 1);
  const tasks = count(/(?:--ntasks(?:-per-node)?[= ]|#SBATCH -n ?|\s-n )(\d{1,6})\b/);
  const nodes = count(/(?:--nodes[= ]|#SBATCH -N ?|\s-N )(\d{1,6})\b/);
  const each = slurm(text);
  if (each === undefined || (nodes > 1 && tasks > 1)) return undefined;
  return each * tasks * count(/(?:--cpus-per-task[= ]|#SBATCH -c ?|\s-c )(\d{1,6})\b/);
};
/** dask counts in powers of 1000 where it says GB: `dask.utils.parse_bytes`. */
const ofDask = (text: string, input: Input): number | undefined =>
  mentions(input, /\bdask\b|LocalCluster|distributed\.(?:nanny|worker)/)
    ? sizeBytes(text, 'decimal')
    : undefined;

const wordings: readonly Wording[] = [
  // `ulimit -n 100 -u 35 -d 200000`: bash takes several options in one call
  {
    of: 'RLIMIT_AS',
    owner: 'rlimit',
    path: 'RLIMIT_AS',
    literal: 'ulimit',
    pattern: /ulimit (?:-[A-Za-z]+ \w{1,20} ){0,8}-S?H?v (?<size>\d{1,16})/,
    size: kib,
  },
  // both in KiB: bash(1), dash(1)
  {
    of: 'RLIMIT_DATA',
    owner: 'rlimit',
    path: 'RLIMIT_DATA',
    literal: 'ulimit',
    pattern: /ulimit (?:-[A-Za-z]+ \w{1,20} ){0,8}-S?H?d (?<size>\d{1,16})/,
    size: kib,
  },
  {
    of: 'RLIMIT_AS',
    owner: 'rlimit',
    path: 'RLIMIT_AS',
    literal: 'address space',
    pattern: /Max address space {1,20}(?<size>\d{1,20}) {1,20}\S{1,20} {1,20}bytes/,
    size: bytes,
  },
  {
    of: 'RLIMIT_DATA',
    owner: 'rlimit',
    path: 'RLIMIT_DATA',
    literal: 'data size',
    pattern: /Max data size {1,20}(?<size>\d{1,20}) {1,20}\S{1,20} {1,20}bytes/,
    size: bytes,
  },
  {
    of: 'RLIMIT_AS',
    owner: 'rlimit',
    path: 'RLIMIT_AS',
    literal: 'virtual memory',
    pattern: /virtual memory \(kbytes, -v\) (?<size>\d{1,16})\b/,
    size: kib,
  },
  {
    of: 'RLIMIT_AS',
    owner: 'rlimit',
    path: 'RLIMIT_AS',
    literal: 'RLIMIT_AS',
    pattern: /setrlimit\((?:resource\.)?RLIMIT_AS, ?\((?<size>\d{6,19})\b/,
    size: bytes,
  },
  {
    of: 'RLIMIT_AS',
    owner: 'rlimit',
    path: 'RLIMIT_AS',
    literal: 'LimitAS',
    pattern: /LimitAS=(?<size>\d[\w.]{0,16})/,
    size: bytes,
  },
  // Containers
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'mem_limit',
    pattern: /mem_limit["']?[:=]? {0,3}["']?(?<size>\d[\d.]{0,12} ?[bkmgBKMG]?i?b?)\b/,
    size: bytes,
  },
  // Before docker's option of the same name.
  {
    of: 'platform',
    owner: 'platform',
    path: 'Cloud Run',
    literal: 'gcloud',
    pattern:
      /gcloud (?:beta |alpha )?run (?:deploy|jobs|services|worker-pools)\b.{0,400}?--memory[= ]["']?(?<size>\d[\d.]{0,12}(?:[KMG]i?)?)\b/,
    size: (text) => quantityBytes(text),
  },
  {
    of: 'worker',
    owner: 'daemon',
    path: 'dask nanny',
    literal: 'memory_limit',
    pattern: /\bmemory_limit=["'](?<size>\d[\d.]{0,12} ?[KMGT]i?B)["']/,
    size: ofDask,
  },
  {
    of: 'worker',
    owner: 'daemon',
    path: 'dask nanny',
    literal: '--memory-limit',
    pattern:
      /\bdask[ -]worker\b.{0,300}?--memory-limit[= ]["']?(?<size>\d[\d.]{0,12} ?[KMGT]i?B)\b/,
    size: ofDask,
  },
  {
    of: 'platform',
    owner: 'platform',
    path: 'fly.toml [[vm]]',
    literal: 'memory',
    pattern: /(?:^|\s)memory(?:_mb)? = ["']?(?<size>\d{1,6} ?(?:[MmGg][Bb])?)(?=["']|\s|$)/,
    size: ofFly,
  },
  {
    of: 'container',
    owner: 'cgroup',
    path: 'ECS',
    literal: '"memory"',
    pattern: /"memory": {0,4}"?(?<size>\d{2,7})"?(?=[\s,}]|$)/,
    size: ofEcs,
  },
  // Soft: the container may have more while the host has it, and is not killed for it.
  {
    of: 'reservation',
    owner: 'cgroup',
    path: 'ECS',
    literal: '"memoryReservation"',
    pattern: /"memoryReservation": {0,4}"?(?<size>\d{2,7})"?(?=[\s,}]|$)/,
    size: ofEcs,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: '--memory',
    pattern: /--memory[= ]["']?(?<size>\d[\d.]{0,12}[bkmgBKMG]?i?)\b/,
    size: bytes,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: ' -m',
    pattern: /(?:docker|podman|nerdctl) run .{0,400}?-m[= ]?(?<size>\d[\d.]{0,12}[bkmgBKMG])\b/,
    size: bytes,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'memory',
    pattern:
      /limits: ?\{? ?(?:cpus?: ?["']?[\w.]{1,12}["']?,? ){0,1}memory: ?["']?(?<size>\d[\d.]{0,12}[KMGT]i?[bB]?)["']?/,
    size: ofContainer,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'memory',
    pattern:
      /\b[Ll]imits?["']?: {0,4}.{0,60}\bmemory["']?[:=] {0,20}["']?(?<size>\d[\d.]{0,12}[KMGT]i?[bB]?)\b/,
    size: ofContainer,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'limits.memory',
    pattern: /\blimits\.memory["'`]{0,2} ?[:=]{1,2} ?["'`]?(?<size>\d[\d.]{0,12}[KMGT]i?[bB]?)\b/,
    size: ofContainer,
  },
  {
    of: 'function',
    owner: 'platform',
    literal: 'MemorySize',
    pattern: /\bMemorySize["']?[:=] {0,3}["']?(?<size>\d{3,5})\b/,
    size: mebibytes,
  },
  {
    of: 'unit',
    owner: 'cgroup',
    literal: 'Memory: ',
    pattern: /\bMemory: [\d.]{1,12}[KMGT]? \((?:[^)]{0,60} )?max: (?<size>\d[\d.]{0,12}[KMGT])\b/,
    size: bytes,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'cap',
    pattern: /\b(?:memory |declared )?cap(?: of|:)? (?<size>\d[\d.]{0,8} ?[MG])(?:i?B)?\b/,
    size: bytes,
    prose: true,
  },
  // Prose: a size and a word for limit, both in one sentence
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'i',
    pattern:
      /(?:\b(?:memory )?limit(?:ed)?\b|限制|メモリ制限|제한|лимит|límite|limite|Limit)[^\d\n.;]{0,30}?(?<size>\d[\d.]{0,8} ?(?:[KMGT]i?B?|[KMGT]i))\b/,
    size: proseSize,
    prose: true,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'limit',
    pattern:
      /(?<size>\d[\d.]{0,8} ?(?:[MGT]i?B|[MGT]i|[MG]))\b(?: memory| RAM| container| of memory)?[ -](?:memory |RAM |container |cgroup )?limit\b/,
    size: proseSize,
    prose: true,
  },
  // Units
  {
    of: 'unit',
    owner: 'cgroup',
    literal: 'MemoryMax',
    pattern: /\bMemoryMax ?[=:]? ?(?<size>\d[\d.]{0,16}[KMGT]?)\b/,
    size: bytes,
  },
  {
    of: 'unit',
    owner: 'cgroup',
    literal: 'MemoryMax',
    pattern: /(?<size>\d[\d.]{0,12}[KMGT])i?B? MemoryMax/,
    size: bytes,
  },
  {
    of: 'unit',
    owner: 'cgroup',
    literal: 'MemoryLimit',
    pattern: /\bMemoryLimit ?= ?(?<size>\d[\d.]{0,16}[KMGT]?)\b/,
    size: bytes,
  },
  {
    of: 'high',
    owner: 'cgroup',
    path: 'memory.high',
    literal: 'MemoryHigh',
    pattern: /\bMemoryHigh ?[=:]? ?(?<size>\d[\d.]{0,16}[KMGT]?)\b/,
    size: bytes,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'memory.max',
    pattern: /(?:^|\s|\/)memory\.max["']?(?: ?[:=] ?| {1,12})(?<size>\d{5,19})\b/,
    size: bytes,
  },
  {
    of: 'container',
    owner: 'cgroup',
    literal: 'memory.limit_in_bytes',
    pattern: /memory\.limit_in_bytes["']?(?: ?[:=] ?| {1,12})(?<size>\d{5,15})\b/,
    size: bytes,
  },
  // Jobs
  {
    of: 'job',
    owner: 'scheduler',
    literal: '--mem',
    pattern: /(?:#SBATCH|srun|sbatch|salloc)\b.{0,300}?--mem(?:=| )(?<size>\d{1,9}[KMGT]?)[Bb]?\b/,
    size: slurm,
  },
  {
    of: 'job',
    owner: 'scheduler',
    literal: '--mem-per-cpu',
    pattern:
      /(?:#SBATCH|srun|sbatch|salloc)\b.{0,300}?--mem-per-cpu(?:=| )(?<size>\d{1,9}[KMGT]?)[Bb]?\b/,
    size: ofSlurmCpu,
  },
  {
    of: 'job',
    owner: 'scheduler',
    literal: 'mem=',
    pattern: /(?:#PBS -l|qsub).{0,200}?\b(?:p?v?mem)=(?<size>\d{1,9}[kmgKMG]b?)\b/,
    size: bytes,
  },
  {
    of: 'job',
    owner: 'scheduler',
    literal: 'h_vmem',
    pattern: /h_vmem=(?<size>\d[\d.]{0,9}[KMGkmg])\b/,
    size: bytes,
  },
];

/** In prose a bare `G` or `M` may be anything: a unit of bytes is wanted. */
function proseSize(text: string): number | undefined {
  return /[KMGT](?:i?B|i)$/.test(text.trim()) ? sizeBytes(text) : undefined;
}

export const statedLimits: Parser = {
  id,
  title: 'Memory limits that a text names',
  literals: [],
  parse: (input) =>
    readPhrases<StatedLimit>(
      input,
      id,
      // Sentences are read in what a person pastes, not in logs of megabytes.
      (wholeText(input).length > maxProse
        ? wordings.filter(({ prose }) => prose !== true)
        : wordings
      ).map(({ of, owner, path, literal, pattern, size }): Phrase<StatedLimit> => ({
        literal,
        pattern,
        span: 3,
        make: ({ origin, groups, input }) => {
          const value = groups['size'] === undefined ? undefined : size(groups['size'], input);
          return value === undefined || value <= 0
            ? undefined
            : {
                kind: 'stated-limit',
                origin,
                of,
                limit: { owner, ...defined({ path }), bytes: value },
              };
        },
      })),
    ),
};
