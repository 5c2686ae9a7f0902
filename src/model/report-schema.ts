/**
 * The report as a schema: `npm run docs` writes docs/schema/report.schema.json from it (JSON Schema 2020-12). It says what coroner
 * writes; a reader should take every field for optional and every set of words for open (docs/report-format.md).
 */
import * as v from 'valibot';
import { causes, type Cause } from './causes.ts';
import type { Prose } from './prose.ts';
import type { Inspection, Report } from './report.ts';

const described = <const S extends v.GenericSchema>(schema: S, text: string) =>
  v.pipe(schema, v.description(text));
const text = v.string();
const bytes = described(v.number(), 'bytes');
const ms = described(v.number(), 'milliseconds');
const pid = v.pipe(v.number(), v.integer());
const optional = <const S extends v.GenericSchema>(schema: S) => v.exactOptional(schema);

const stackFrame = v.object({
  function: text,
  file: v.nullable(text),
  line: v.nullable(v.number()),
  text: optional(described(text, "the source line's text, where it was readable")),
});
const stack = described(v.array(stackFrame), 'innermost first');

const processRole = {
  pid: optional(pid),
  name: optional(text),
  uid: optional(v.number()),
  anonRssBytes: optional(bytes),
  fileRssBytes: optional(bytes),
  shmemRssBytes: optional(bytes),
  swapBytes: optional(bytes),
  totalVmBytes: optional(bytes),
  oomScoreAdj: optional(v.number()),
  cgroup: optional(text),
  command: optional(text),
};

const limitOwner = v.picklist([
  'host',
  'cgroup',
  'rlimit',
  'overcommit',
  'address-space',
  'map-count',
  'numa-node',
  'daemon',
  'orchestrator',
  'scheduler',
  'platform',
  'runtime',
  'gpu',
  'shm',
  'budget',
  'unknown',
]);

const limit = v.object({ owner: limitOwner, path: optional(text), bytes: v.nullable(bytes) });

const reason = v.object({
  says: text,
  source: described(text, 'id of the parser or reader: kernel-log, python-traceback, cgroup, …'),
  place: described(text, 'where it was read: kern.log:120-171, /sys/fs/cgroup/…'),
  quote: optional(described(text, 'the very text')),
  doubt: optional(
    described(
      v.picklist(['shared', 'quoted', 'folder']),
      'why the place may not mean what it seems to: others write to it too, somebody quotes it, its recorder did not write it',
    ),
  ),
});
const questionId = described(text, 'which question is open, whatever its words');
const adviceId = described(text, 'what kind of advice it is, whatever its words');
const cause = v.picklist(Object.keys(causes) as Cause[]);

const thread = v.object({
  id: v.number(),
  name: v.nullable(text),
  holdsGil: v.boolean(),
  collectingGarbage: optional(v.boolean()),
  subinterpreter: optional(v.number()),
  stack,
});

export const memoryPicture = v.object({
  peakRssBytes: optional(bytes),
  peakIsLeast: optional(described(v.boolean(), 'it may have held more after its last reading')),
  lookedAt: optional(described(text, 'when the last look was taken, ISO 8601')),
  ageAtDeathMs: optional(ms),
  threads: optional(v.array(thread)),
  types: optional(v.array(v.object({ type: text, count: v.number(), bytes }))),
  holders: optional(
    v.array(
      v.object({
        name: text,
        kind: optional(
          described(
            v.picklist([
              'variable',
              'shared',
              'iterator',
              'thread-locals',
              'exception',
              'being-built',
              'being-sorted',
              'garbage-cycles',
              'garbage-or-c-code',
              'c-code',
              'imported-modules',
              'no-name',
            ]),
            'all but variable and shared have no name in the program; absent in older reports',
          ),
        ),
        scope: v.picklist([
          'local',
          'global',
          'attribute',
          'closure',
          'stack',
          'native',
          'unknown',
        ]),
        function: v.nullable(text),
        file: v.nullable(text),
        line: v.nullable(v.number()),
        path: described(
          text,
          'from the name to the bytes: chunks -> list[64] -> numpy.ndarray[float64]',
        ),
        type: text,
        ownBytes: bytes,
        retainedBytes: bytes,
        alsoHeldBy: v.array(text),
        estimate: v.boolean(),
      }),
    ),
  ),
  smells: optional(
    v.array(v.object({ id: text, holder: v.nullable(text), savesBytes: bytes, says: text })),
  ),
  allocations: optional(
    v.array(
      v.object({
        when: v.picklist(['peak', 'refusal', 'death']),
        file: v.nullable(text),
        line: v.nullable(v.number()),
        function: v.nullable(text),
        bytes,
        share: described(v.number(), 'of all that was live at that moment, 0 to 1'),
        plusMinus: described(v.number(), 'relative standard error, 0 where counted exactly'),
        stack,
        paths: optional(v.array(v.object({ bytes, stack }))),
        text: optional(text),
        growing: optional(v.literal(true)),
      }),
    ),
  ),
  growth: optional(
    v.array(
      v.object({
        atMs: ms,
        liveBytes: bytes,
        rssBytes: bytes,
        lines: v.array(
          v.object({
            file: v.nullable(text),
            line: v.nullable(v.number()),
            function: v.nullable(text),
            bytes,
          }),
        ),
      }),
    ),
  ),
  failures: optional(
    v.array(v.object({ bytes, errno: text, stack, caller: optional(text), pid: optional(pid) })),
  ),
  accounted: optional(
    v.object({
      rssBytes: bytes,
      pythonBytes: bytes,
      nativeBytes: bytes,
      unexplainedBytes: bytes,
      parts: optional(v.array(v.object({ what: text, bytes }))),
      untouchedBytes: optional(bytes),
    }),
  ),
  notes: optional(v.array(text)),
});

const incident = v.object({
  fingerprint: optional(
    described(text, 'the same for deaths of one cause, in one program, of one holder and place'),
  ),
  id: optional(described(text, 'of the process that died: boot, pid and start')),
  outOfMemory: described(v.nullable(v.boolean()), 'null: cannot be told from this evidence'),
  death: v.picklist(['slow', 'obvious', 'disguised', 'assassination', 'none']),
  cause,
  variant: optional(text),
  confidence: v.picklist(['certain', 'strong', 'likely', 'weak']),
  exception: optional(described(text, 'the type of the exception that ended it')),
  headline: described(text, 'one sentence, without a full stop'),
  commandEndedWell: optional(
    described(v.literal(true), 'the command of the recorded run exited with status 0'),
  ),
  at: described(v.nullable(text), 'ISO 8601; null where unknown'),
  atUptimeSeconds: optional(v.number()),
  victim: v.nullable(v.object(processRole)),
  trigger: described(v.nullable(v.object(processRole)), 'whose allocation failed'),
  culprit: described(
    v.nullable(
      v.object({
        ...processRole,
        what: v.picklist([
          'process',
          'processes',
          'tmpfs',
          'slab',
          'kernel',
          'page-cache',
          'hugetlb',
          'sockets',
          'unknown',
        ]),
        bytes: optional(bytes),
      }),
    ),
    'who or what held the memory',
  ),
  killer: v.nullable(v.object({ name: text, pid: optional(pid) })),
  limit: v.nullable(limit),
  request: v.object({
    bytes: described(v.nullable(bytes), 'what the failed allocation asked for'),
  }),
  because: v.array(reason),
  against: v.array(reason),
  ruledOut: v.array(v.object({ cause, variant: optional(text), because: text })),
  unknown: v.array(
    v.object({ id: optional(questionId), what: text, why: text, command: v.nullable(text) }),
  ),
  remedies: v.array(
    v.object({ id: optional(adviceId), title: text, detail: text, command: v.nullable(text) }),
  ),
  stack: described(v.array(stackFrame), 'innermost first: where it died or failed'),
  memory: memoryPicture,
  related: optional(
    v.array(
      v.object({
        pid,
        name: optional(text),
        relation: optional(described(text, 'killed-with-it, parent')),
        how: text,
      }),
    ),
  ),
  tasks: optional(
    v.array(
      v.object({
        pid,
        name: text,
        uid: optional(v.number()),
        totalVmBytes: optional(bytes),
        rssBytes: optional(bytes),
        anonRssBytes: optional(bytes),
        fileRssBytes: optional(bytes),
        shmemRssBytes: optional(bytes),
        swapBytes: optional(bytes),
        pageTablesBytes: optional(bytes),
        oomScoreAdj: optional(v.number()),
      }),
    ),
  ),
});

const machineFacts = v.object({
  kernel: optional(text),
  architecture: optional(text),
  cpus: optional(v.number()),
  totalBytes: optional(bytes),
  swapTotalBytes: optional(bytes),
  overcommitMode: optional(v.number()),
  commitLimitBytes: optional(bytes),
  maxMapCount: optional(v.number()),
  pageSizeBytes: optional(bytes),
});

const runAccount = v.object({
  state: described(
    v.picklist(['ended', 'running', 'cut-short']),
    'cut-short: the recorder was ended before the command',
  ),
  command: v.array(text),
  startedAt: described(text, 'ISO 8601; empty where no clock could say'),
  durationMs: v.nullable(ms),
  exitCode: v.nullable(v.number()),
  signal: v.nullable(text),
  peak: v.nullable(
    v.object({
      bytes,
      of: described(
        v.picklist(['process', 'processes']),
        "the kernel's high-water mark of one process, or all of the run together, as sampled",
      ),
      isLeast: optional(described(v.boolean(), 'it may have held more after its last reading')),
      pid: optional(pid),
      name: optional(text),
      atMs: optional(ms),
      processes: v.number(),
      cgroup: optional(v.object({ path: text, bytes })),
    }),
  ),
  enough: described(
    v.nullable(v.object({ bytes, marginShare: v.number(), now: v.nullable(limit) })),
    'the limit that would be enough for the same work',
  ),
  growth: described(
    v.nullable(
      v.object({
        bytesPerHour: v.number(),
        fromMs: ms,
        grewBytes: bytes,
        reachesLimitInMs: v.nullable(ms),
      }),
    ),
    'it grew to its end and gave nothing back',
  ),
  reclaim: v.object({
    of: v.nullable(v.picklist(['cgroup', 'machine'])),
    fullMs: optional(ms),
    someMs: optional(ms),
    limitHits: optional(v.number()),
    majorFaults: optional(v.number()),
    swapBytes: optional(bytes),
  }),
  cost: v.object({
    cpuMs: optional(ms),
    recorderBytes: optional(bytes),
    samples: optional(v.number()),
    stops: v.number(),
    stoppedMs: ms,
  }),
  environment: v.object({
    machine: optional(machineFacts),
    python: optional(text),
    coroner: optional(text),
    limits: v.array(limit),
    packages: optional(v.array(v.object({ name: text, version: text }))),
  }),
  memory: optional(memoryPicture),
});

export const reportSchema = v.object({
  format: v.literal('coroner/1'),
  incidents: described(v.array(incident), 'in the order in which they happened'),
  sources: v.array(
    v.object({
      id: text,
      place: text,
      status: v.picklist(['read', 'absent', 'denied', 'malformed', 'truncated']),
      detail: optional(text),
      command: optional(described(text, 'what to type to read it after all')),
    }),
  ),
  run: optional(
    described(runAccount, 'where a run was recorded: what it took, and what would be enough'),
  ),
  rulesNotRun: optional(
    v.array(
      v.object({
        rule: text,
        missing: v.array(text),
        fault: optional(described(text, 'what went wrong in coroner itself while it judged')),
      }),
    ),
  ),
});

export const inspectionSchema = v.object({
  format: v.literal('coroner/1'),
  process: v.object({
    pid: v.nullable(pid),
    name: v.nullable(text),
    command: v.nullable(text),
    python: v.nullable(text),
    place: text,
  }),
  threads: v.array(thread),
  memory: memoryPicture,
});

/** Fails to compile where schema and model have grown apart, in either direction. */
type Same<A, B> = [DeepReadonly<A>] extends [DeepReadonly<B>]
  ? [DeepReadonly<B>] extends [DeepReadonly<A>]
    ? true
    : ['the model has what the schema lacks', B]
  : ['the schema has what the model lacks', A];
/** JSON has no sentences of its own kind: they are strings there. */
type DeepReadonly<T> = [Prose] extends [T]
  ? string
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;
const same: [
  Same<v.InferOutput<typeof reportSchema>, Report>,
  Same<v.InferOutput<typeof inspectionSchema>, Inspection>,
] = [true, true];
void same;
