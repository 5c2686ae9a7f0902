import { expect, test } from 'vitest';
import { unnamedHolders } from '../model/holder-kinds.ts';
import { nothingKnown, type Allocation, type Holder, type Incident } from '../model/report.ts';
import { withFittingRemedies } from './remedies.ts';

const generic = {
  id: 'record-where-it-goes',
  title: 'See where the memory goes',
  detail: '',
  command: 'coroner run COMMAND',
};
const incident: Incident = {
  ...nothingKnown,
  outOfMemory: true,
  death: 'assassination',
  cause: 'kernel-cgroup-oom',
  confidence: 'certain',
  remedies: [{ id: 'raise-cgroup-limit', title: 'Give more', detail: '', command: null }, generic],
};
const allocation = (text: string, share = 0.8): Allocation => ({
  when: 'peak',
  file: '/srv/app/a.py',
  line: 7,
  function: 'load',
  bytes: 800 * 2 ** 20,
  share,
  plusMinus: 0,
  stack: [],
  text,
});
const holder = (path: string, retainedBytes = 900 * 2 ** 20): Holder => ({
  name: 'rows',
  scope: 'local',
  function: 'load',
  file: '/srv/app/a.py',
  line: 5,
  path,
  type: 'list',
  ownBytes: 1,
  retainedBytes,
  alsoHeldBy: [],
  estimate: false,
});
const remediesWith = (memory: Incident['memory']) =>
  withFittingRemedies({ ...incident, memory }).remedies;

test('nothing was seen inside: the remedies stay', () => {
  expect(remediesWith({})).toEqual(incident.remedies);
});

test('what Python itself takes is no line to hold less of', () => {
  const line = allocation('rows.append(row)');
  const sum = { ...line, file: null, line: null, function: '(start-up)', bytes: line.bytes * 2 };
  expect(remediesWith({ allocations: [sum, line] })).toEqual(remediesWith({ allocations: [line] }));
});

test.each([
  ['df = pd.read_csv(path)', 'usecols='],
  ['rows = cursor.fetchall()', 'server-side cursor'],
  ['data = f.read()', 'Read in pieces'],
  ['a = np.ones((n,))', 'float32'],
  ['m = torch.load(p)', 'mmap=True'],
])('the line %s gets its own advice', (text, advice) => {
  const [first, second, ...others] = remediesWith({ allocations: [allocation(text)] });
  expect(first?.title).toBe('Give more');
  expect(second?.detail).toContain(advice);
  expect(second?.detail).toContain('a.py:7 had allocated 800 MiB, 80 %');
  // It was recorded: no advice to record it.
  expect(others).toEqual([]);
});

test('the class of an attribute tells that it is a cache; a name like "memory" does not', () => {
  const pages: Holder = {
    ...holder('self.pages -> dict[str] -> str'),
    name: 'self.pages',
    scope: 'attribute',
    function: 'PageCache.get',
    type: 'dict',
  };
  expect(remediesWith({ holders: [pages] })[1]?.detail).toContain('Give the cache a bound');
  const other: Holder = { ...pages, name: 'memory', path: 'memory -> dict[str]', scope: 'local' };
  expect(remediesWith({ holders: [other] })[1]?.detail).not.toContain('cache');
});

test('a list of records: use each and let it go', () => {
  const [, second] = remediesWith({
    holders: [holder('rows -> list[9] -> dict')],
    peakRssBytes: 1000 * 2 ** 20,
  });
  expect(second).toMatchObject({
    title: 'Hold less in rows of load()',
    detail: expect.stringContaining('generator'),
  });
});

test('what is small explains nothing', () => {
  expect(
    remediesWith({
      allocations: [allocation('x', 0.1)],
      holders: [holder('rows -> list', 100)],
      peakRssBytes: 1000 * 2 ** 20,
    }),
  ).toEqual(incident.remedies.slice(0, 1));
});

test('smells: the two that save most, and only where it is worth it', () => {
  const smell = (id: string, savesBytes: number) => ({ id, holder: 'rows', savesBytes, says: 's' });
  const remedies = remediesWith({
    smells: [
      smell('a', 5 * 2 ** 20),
      smell('b', 100),
      smell('c', 9 * 2 ** 20),
      smell('d', 2 ** 20),
    ],
  });
  expect(remedies.slice(1).map(({ command }) => command)).toEqual([
    'coroner explain c',
    'coroner explain a',
  ]);
});

test('files held it: no line is to blame', () => {
  const memory = { allocations: [allocation('x')] };
  const { remedies } = withFittingRemedies({ ...incident, memory, culprit: { what: 'tmpfs' } });
  expect(remedies).toEqual(incident.remedies.slice(0, 1));
});

test('it was not memory: nothing is added or taken away', () => {
  const memory = { allocations: [allocation('x')] };
  const { remedies } = withFittingRemedies({ ...incident, memory, outOfMemory: false });
  expect(remedies).toEqual(incident.remedies);
});

test('cycles that wait for the collector are not "held in" anything: it is to run', () => {
  const { 'garbage-cycles': name } = unnamedHolders;
  const kind = 'garbage-cycles';
  const remedies = remediesWith({ holders: [{ ...holder(name), name, kind, scope: 'unknown' }] });
  const titles = remedies.map(({ title }) => title);
  expect(titles).toContain('Let the garbage collector run, or make no cycles');
  expect(remedies.find(({ id }) => id === 'hold-less-of-it')!.detail).toMatch(/gc\.collect\(\)/);
});

test.each(['c-code', 'no-name', 'imported-modules', 'being-built'] as const)(
  'nobody is advised to hold less in what has no name: %s',
  (kind) => {
    const name = unnamedHolders[kind];
    const remedies = remediesWith({ holders: [{ ...holder(name), name, kind, scope: 'unknown' }] });
    expect(remedies.map(({ id }) => id)).not.toContain('hold-less-of-it');
  },
);

test('where nobody had time to tell, it is not said to be garbage', () => {
  const { 'garbage-or-c-code': name } = unnamedHolders;
  const kind = 'garbage-or-c-code';
  const remedies = remediesWith({ holders: [{ ...holder(name), name, kind, scope: 'unknown' }] });
  const told = remedies.find(({ title }) => title === 'See whether gc.collect() frees it')!;
  expect(told.detail).toMatch(/or native code holds them/);
  expect(JSON.stringify(remedies)).not.toMatch(/Nothing refers to them/);
});

test('advice to record is known by its id, whatever it says and whatever its command', () => {
  const others = [
    { id: 'record-next-time', title: 'Other words', detail: '', command: 'other --command' },
    { id: 'find-the-witness', title: 'Record it', detail: '', command: 'coroner run COMMAND' },
  ];
  const recorded = { ...incident, remedies: [...incident.remedies.slice(0, 1), ...others] };
  const ids = (memory: Incident['memory']) =>
    withFittingRemedies({ ...recorded, memory }).remedies.map(({ id }) => id);
  expect(ids({})).toEqual(['raise-cgroup-limit', 'record-next-time', 'find-the-witness']);
  expect(ids({ failures: [] })).toEqual(['raise-cgroup-limit', 'find-the-witness']);
});

test.each([
  ['frames -> list[9] -> polars.dataframe.frame.DataFrame -> PyDataFrame', 'scan_parquet()'],
  ['tables -> list[9] -> pyarrow.lib.Table', 'iter_batches()'],
  ['losses -> list[9] -> torch.Tensor', '.detach()'],
  ['pictures -> dict[int] -> PIL.Image.Image -> ImagingCore', 'thumbnail()'],
  ['documents -> list[9] -> lxml.etree._Element', 'iterparse()'],
  ['session -> sqlalchemy.orm.session.Session', 'expunge_all()'],
  ['pages -> list[9] -> django.db.models.query.QuerySet', '.iterator('],
  ['products -> list[9] -> scipy.sparse._csr.csr_matrix', 'toarray()'],
  ['models -> dict[int] -> sklearn.neighbors.KNeighborsRegressor', 'joblib.dump()'],
  ['days -> dict[int] -> xarray.core.dataset.Dataset', 'open_dataset'],
  ['responses -> list[9] -> httpx.Response', 'client.stream()'],
  ['prices -> cachetools.TTLCache', 'getsizeof='],
])("what is kept of a library's objects is advised in its own words: %s", (path, words) => {
  for (const text of ['kept.append(one)', 'kept[key] = one']) {
    const remedies = remediesWith({ allocations: [allocation(text)], holders: [holder(path)] });
    expect(remedies.find(({ id }) => id === 'hold-less-of-it')?.detail).toContain(words);
  }
});
