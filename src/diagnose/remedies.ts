/** Remedies that fit what was seen inside the process: the line, the variable, the figure. Rules know the death, this knows its memory. */
import { heaviestHolder, heaviestLine } from '../model/memory-picture.ts';
import type { Allocation, Holder, Incident, MemoryPicture, Remedy } from '../model/report.ts';
import { sentence } from '../model/prose.ts';
import { isToRecord } from '../rules/shared/remedies.ts';
import { formatBytes, formatDuration } from '../model/units.ts';

/** A line or variable below this share of what was live is not why it died. */
const telling = 0.25;
/** A variable below this share may be innocent: something else held more. */
const tellingOfHolder = 0.4;
/** Nobody dies of less, unless the limit is as small: an interpreter's own start takes as much. */
const leastBytes = 8 * 2 ** 20;

export function withFittingRemedies(incident: Incident): Incident {
  if (incident.outOfMemory !== true) return incident;
  const [first, ...others] = wasRecorded(incident)
    ? incident.remedies.filter((advice) => !isToRecord(advice))
    : incident.remedies;
  const fitting = fits(incident)
    ? [...lineRemedy(incident.memory, leastOf(incident)), ...smellRemedies(incident.memory)]
    : [];
  return {
    ...incident,
    remedies: [...(first === undefined ? [] : [first]), ...fitting, ...others],
  };
}

const wasRecorded = ({ memory }: Incident): boolean =>
  [memory.allocations, memory.holders, memory.smells, memory.failures].some(
    (seen) => seen !== undefined,
  );

/** Whether what was live inside of the process is why it died. */
function fits(incident: Incident): boolean {
  const { culprit, variant, request } = incident;
  if (culprit?.what === 'tmpfs') return false;
  // The pages that came and went were those of files.
  if (variant === 'file-thrash') return false;
  // One request was too large: what was live before is not why.
  return request.bytes === null || request.bytes <= liveBytes(incident) * 4;
}

const leastOf = ({ limit }: Incident): number =>
  Math.min(leastBytes, (limit?.bytes ?? Infinity) / 10);

const liveBytes = ({ memory }: Incident): number =>
  Math.max(
    memory.peakRssBytes ?? 0,
    ...(memory.allocations ?? []).map(({ bytes }) => bytes),
    ...(memory.holders ?? []).map(({ retainedBytes }) => retainedBytes),
  );

function lineRemedy(memory: MemoryPicture, least: number): readonly Remedy[] {
  const allocation = heaviestLine(memory);
  const holder = heaviestHolder(memory);
  const heavyLine =
    allocation !== undefined &&
    allocation.share >= telling &&
    allocation.bytes >= Math.min(least, leastBytes)
      ? allocation
      : undefined;
  const live = Math.max(memory.peakRssBytes ?? 0, memory.accounted?.rssBytes ?? 0);
  const heavyHolder =
    holder !== undefined &&
    isAdvisable(holder) &&
    holder.retainedBytes >= Math.max(least, live * tellingOfHolder)
      ? holder
      : undefined;
  if (heavyLine === undefined && heavyHolder === undefined) return [];
  const hint = hintFor(heavyLine, heavyHolder);
  const facts = [
    heavyLine === undefined
      ? ''
      : `${placeOf(heavyLine)} had allocated ${formatBytes(heavyLine.bytes)}, ${Math.round(heavyLine.share * 100)} % of what was live at the ${heavyLine.when}.`,
    heavyHolder === undefined
      ? ''
      : `${nameOf(heavyHolder)} held ${heavyHolder.estimate ? 'about ' : ''}${formatBytes(heavyHolder.retainedBytes)}${memory.ageAtDeathMs === undefined ? '' : `, ${formatDuration(memory.ageAtDeathMs)} before the end`}.`,
  ];
  return [
    {
      id: 'hold-less-of-it',
      title:
        heavyHolder === undefined
          ? `Hold less of what ${placeOf(heavyLine)} allocates`
          : isGarbage(heavyHolder)
            ? 'Let the garbage collector run, or make no cycles'
            : isPerhapsGarbage(heavyHolder)
              ? 'See whether gc.collect() frees it'
              : `Hold less in ${nameOf(heavyHolder)}`,
      detail: [hint, ...facts].filter((part) => part !== '').join(' '),
      command: null,
    },
  ];
}

const placeOf = (place: Pick<Allocation, 'file' | 'line' | 'function'> | undefined): string =>
  place?.file == null
    ? (place?.function ?? 'a line without a name')
    : `${place.file.replace(/^.*\//, '')}${place.line === null ? '' : `:${place.line}`}`;

const nameOf = ({ name, scope, function: where }: Holder): string =>
  where !== null && scope !== 'global' ? `${name} of ${where}()` : name;

/** Of objects that refer to each other and that nothing else refers to. */
const isGarbage = ({ kind }: Holder): boolean => kind === 'garbage-cycles';
/** Nobody can hold less in what has no name in the program, unless it is garbage. */
const isAdvisable = (holder: Holder): boolean =>
  !holder.name.startsWith('(') || isGarbage(holder) || isPerhapsGarbage(holder);
/** There was no time to see whether anything else refers to them. */
const isPerhapsGarbage = ({ kind }: Holder): boolean => kind === 'garbage-or-c-code';

interface Hint {
  /** Source text of the line. */
  readonly line?: RegExp;
  /** Path from the name to the bytes, and its types. */
  readonly path?: RegExp;
  readonly says: string;
}

const itemByItem: Hint = {
  says: 'Work on each item and let it go (a generator instead of a list), or in chunks that are written out.',
};

/** What a library itself offers, by the types on the path. Names as of polars 1, pyarrow 15, SQLAlchemy 2, Django 4 and later. */
const libraryHints: readonly Hint[] = [
  {
    path: /\bpolars\.|PyDataFrame|PySeries/,
    says: 'Keep the query and not its result: scan_parquet() or .lazy(), then .collect(engine="streaming") or sink_parquet().',
  },
  {
    path: /\bpyarrow\./,
    says: 'Use it batch by batch: dataset.to_batches(), ParquetFile.iter_batches() or csv.open_csv(), with the columns needed only.',
  },
  {
    path: /\btorch\.|Tensor\b/,
    says: 'Detach what is kept (loss.item(), .detach()), and run inference under torch.inference_mode().',
  },
  {
    path: /\bPIL\.|ImagingCore/,
    says: 'Close each picture once it is used (with Image.open(...) as picture), and shrink it in place with thumbnail() or while it is decoded with draft().',
  },
  {
    path: /\blxml\.etree/,
    says: 'One element keeps its whole document: keep texts instead, or read with etree.iterparse() and clear() each element.',
  },
  {
    path: /\bsqlalchemy\.|InstanceState/,
    says: 'Commit in batches and call session.expunge_all(); read with yield_per() instead of all().',
  },
  {
    path: /\bdjango\.db|QuerySet/,
    says: 'A QuerySet keeps its rows: .iterator(chunk_size=...) does not, and .values_list() or .only() makes them smaller.',
  },
  {
    path: /\bscipy\.sparse/,
    says: 'Keep it sparse (toarray() stores every zero), as float32, or as int32 indexes of a smaller block.',
  },
  {
    path: /\bsklearn\./,
    says: 'A fitted model may keep its training data: store it with joblib.dump(), bound a vocabulary with max_features=, or use HashingVectorizer.',
  },
  {
    path: /\bxarray\./,
    says: 'Open it in chunks (open_dataset(..., chunks="auto")), and write each part with to_zarr() or to_netcdf() before the next.',
  },
  {
    path: /\b(?:httpx|requests\.models|aiohttp\.client_reqrep)\./,
    says: 'Keep what is needed of a response, not the response; stream large bodies (client.stream(), iter_bytes()).',
  },
  {
    path: /\bcachetools\./,
    says: 'Bound the cache by bytes: maxsize= with getsizeof=sys.getsizeof (or a function of your own).',
  },
];

/** The most specific first. Names of functions and options as of pandas 2, numpy 2, PyTorch 2. */
const hints: readonly Hint[] = [
  {
    line: /\bread_(?:csv|table|fwf)\s*\(/,
    says: 'Read fewer columns and narrower ones: usecols=, dtype= (category for repeated text), or work through it with chunksize=.',
  },
  {
    line: /\bread_(?:parquet|feather|orc)\s*\(/,
    says: 'Read only the columns needed (columns=), or row group by row group with pyarrow.dataset.',
  },
  {
    line: /\bread_(?:sql|sql_query|sql_table)\s*\(/,
    says: 'Let the database do the work, or read with chunksize= and a server-side cursor (stream_results=True).',
  },
  {
    line: /\bread_(?:excel|json)\s*\(/,
    says: 'Convert it once to Parquet; JSON by lines can be read with lines=True, chunksize=.',
  },
  {
    line: /\bconcat\s*\(/,
    says: 'Concatenating needs both the pieces and the result: write the pieces out one by one, or build the result once from a generator.',
  },
  {
    line: /\.(?:merge|join)\s*\(/,
    says: 'A join can multiply rows: check that the keys are unique (validate=), and drop columns before it.',
  },
  {
    line: /\.astype\s*\(|\bget_dummies\s*\(/,
    says: 'A conversion holds both versions for a moment: convert column by column, to a narrower type.',
  },
  {
    line: /\.fetchall\s*\(/,
    says: 'Iterate over the cursor instead of fetchall(); use a server-side cursor, so that the client does not hold all rows.',
  },
  {
    line: /\.readlines\s*\(/,
    says: 'Iterate over the file instead of readlines(): for line in file.',
  },
  {
    line: /\.read\s*\(\s*\)/,
    says: 'Read in pieces: iterate over the file, or read(n) in a loop.',
  },
  {
    line: /\bjson\.loads?\s*\(/,
    says: 'Use each record and let it go (yield it) instead of keeping all; for one huge document a streaming parser (ijson).',
  },
  {
    line: /\bpickle\.loads?\s*\(/,
    says: 'A pickle is read whole: store it in pieces, or in a format that can be mapped (numpy.save with mmap_mode=, Parquet).',
  },
  {
    line: /\btorch\.load\s*\(/,
    says: 'torch.load(..., mmap=True, map_location="cpu") maps the file instead of copying it.',
  },
  {
    line: /\.(?:tolist|to_list|to_dict|iterrows|itertuples)\s*\(/,
    says: 'Python objects take 4 to 10 times the memory of an array: stay in numpy or pandas.',
  },
  {
    line: /\b(?:copy\.)?deepcopy\s*\(|\.copy\s*\(/,
    says: 'Is the copy needed? Work in place or on a view.',
  },
  {
    line: /\bnp\.(?:zeros|ones|empty|full|arange|random)\b|\bnumpy\.(?:zeros|ones|empty|full|arange|random)\b/,
    says: 'A narrower dtype: float32 halves it, int8 is an eighth; or work in blocks, or in a file with numpy.memmap.',
  },
  {
    path: /DataFrame|pandas/,
    says: 'Keep only the columns needed, as category, float32 or nullable integers; delete what has been used.',
  },
  {
    path: /ndarray|numpy/,
    says: 'A narrower dtype (float32 halves it), in-place operations (out=), or work in blocks.',
  },
  {
    path: /cache|memo(?!r)|lru/i,
    says: 'Give the cache a bound: functools.lru_cache(maxsize=...), cachetools.TTLCache, or clear it between runs.',
  },
  { path: /list\[|deque\[/, says: itemByItem.says },
  {
    path: /dict[[{]|set[[{]/,
    says: 'Does it have to keep every key? Aggregate while reading, or keep it on disk (sqlite3, shelve).',
  },
];

function hintFor(line: Allocation | undefined, holder: Holder | undefined): string {
  if (holder !== undefined && isGarbage(holder))
    return 'Nothing refers to them but themselves, and only the collector frees them: is it switched off (gc.disable(), gc.freeze()), or is its threshold high? gc.collect() frees them now; a weakref in place of one of the links makes no cycle.';
  if (holder !== undefined && isPerhapsGarbage(holder))
    return 'No name of the program leads to them: they are cycles that wait for the collector (gc.disable(), a high threshold), or native code holds them. What gc.collect() does not free is the latter.';
  const text = line?.text ?? '';
  // The class often says what its attribute does not: `self.pages` of PageCache.get().
  const ofClass =
    holder?.scope === 'attribute' ? /^(.*)\.[^.]*$/.exec(holder.function ?? '')?.[1] : undefined;
  const path =
    holder === undefined ? '' : `${holder.name} ${holder.path} ${holder.type} ${ofClass ?? ''}`;
  const byPath = (all: readonly Hint[]) =>
    all.find(({ path: pattern }) => path !== '' && pattern?.test(path) === true);
  const found =
    hints.find(({ line: pattern }) => pattern?.test(text) === true) ??
    byPath(libraryHints) ??
    (/\.(?:append|extend)\s*\(/.test(text) ? itemByItem : byPath(hints));
  return found?.says ?? 'Free it earlier, keep it in pieces, or do not keep it at all.';
}

/** What to do about each smell, in a few words; its sentence and its page say more. */
const cheaper: Readonly<Record<string, string>> = {
  'dicts-of-one-shape': 'A class with __slots__ instead of dicts',
  'duplicate-arrays': 'One copy of arrays that are equal',
  'equal-strings': 'One copy of strings that are equal',
  'fork-copies': 'No private copies after a fork',
  'incremental-collector': 'CPython 3.14.5 or later',
  'integers-as-floats': 'A narrower dtype',
  'object-columns': 'A typed column instead of objects',
  'over-allocated': 'Trim containers with much unused room',
  'pinned-frames': 'Let go of a kept exception',
  'pinning-views': 'A copy of the part instead of a view',
  'small-tuples': 'Columns instead of small tuples',
  'tiny-arrays': 'One array instead of many tiny ones',
  'unbounded-cache': 'A bound for the cache',
};

/** Savings below this are not worth a sentence beside a death. */
const leastSavingBytes = 2 ** 20;

const smellRemedies = ({ smells = [] }: MemoryPicture): readonly Remedy[] =>
  smells
    .filter(({ savesBytes }) => savesBytes >= leastSavingBytes)
    .toSorted((a, b) => b.savesBytes - a.savesBytes)
    .slice(0, 2)
    .map(({ id, savesBytes, says }) => ({
      id: `save-${id}`,
      title: `${cheaper[id] ?? 'Hold it more cheaply'}: saves ${formatBytes(savesBytes)}`,
      detail: sentence(says),
      command: `coroner explain ${id}`,
    }));
