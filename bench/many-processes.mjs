/**
 * Incident folders of runs with many short processes, as the texts of their files. `shape` says how the processes ended and what else
 * was written down: every shape goes through other parts of the verdict.
 */
export const shapes = {
  'exits and kills': {},
  'kills that the kernel log names': { kernelLog: true },
  'kills that a cgroup counted': { counter: true },
  'a cgroup for each process': { cgroups: true, counter: true },
  'a MemoryError in each process': { python: true },
  'a crash in each process': { signal: 'SIGSEGV' },
};

const startedAt = '2026-01-01T00:00:00.000Z';
const startedUptimeSeconds = 1000;
const firstPid = 1001;
/** A new process every two milliseconds, each of which lives for five. */
const everyMs = 2;
const livedMs = 5;

const ndjson = (lines) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

/** `count` processes below one shell; every tenth ends by `signal`, the others by an exit status. Returns texts by file name. */
export function manyProcesses(count, { kernelLog, counter, cgroups, python, signal } = {}) {
  const events = [cgroup(0, '/work')];
  const samples = [];
  const texts = new Map();
  const kernel = [];
  events.push(seen(firstPid - 1, 'sh', 'command', '/work'));
  for (let index = 0; index < count; index += 1) {
    const pid = firstPid + index;
    const atMs = 10 + index * everyMs;
    const path = cgroups ? `/work/${index}` : '/work';
    if (cgroups) events.push(cgroup(index + 1, path, atMs));
    events.push({ ...seen(pid, `worker${index % 50}`, 'descendant', path), atMs });
    const how = signal ?? (index % 10 === 0 ? 'SIGKILL' : null);
    events.push({
      what: 'process-gone',
      atMs: atMs + livedMs,
      pid,
      exitCode: how === null ? index % 3 : null,
      signal: how,
      seenAs: 'zombie',
      parentState: 'alive',
    });
    samples.push(sample(atMs + 1, pid, index, cgroups ? index + 1 : 0, counter));
    if (how === 'SIGKILL' && kernelLog) {
      events.push({
        what: 'kill',
        atMs: atMs + livedMs,
        pid,
        text: `the kernel killed it (${pid})`,
      });
      kernel.push(killLine(atMs, pid, index));
    }
    if (python) texts.set(`python/${pid}.ndjson`, memoryError(atMs));
  }
  const endMs = 20 + everyMs * count;
  events.push({
    what: 'process-gone',
    atMs: endMs,
    pid: firstPid - 1,
    exitCode: 1,
    signal: null,
    seenAs: 'wait',
  });
  texts.set('incident.json', JSON.stringify(start));
  texts.set('events.ndjson', ndjson(events));
  texts.set('samples.ndjson', ndjson(samples));
  if (kernel.length > 0) texts.set('kernel.log', kernel.join(''));
  const endedAt = new Date(Date.parse(startedAt) + endMs).toISOString();
  texts.set('end.json', JSON.stringify({ endedAt, durationMs: endMs, exitCode: 1, signal: null }));
  return texts;
}

const start = {
  format: 'coroner-incident/1',
  id: '20260101-000000-abcdef',
  version: '0',
  command: ['sh', 'many.sh'],
  cwd: '/srv',
  startedAt,
  startedUptimeSeconds,
  bootId: 'b0',
  machine: { totalBytes: 2 ** 34, pageSizeBytes: 4096 },
  recorderPid: 100,
  uid: 0,
  initialPidNamespace: true,
  options: {},
};

const cgroup = (id, path, atMs = 0) => ({
  what: 'cgroup',
  atMs,
  id,
  version: 2,
  path,
  folder: `/sys/fs/cgroup${path}`,
  level: 0,
  parent: id === 0 ? null : 0,
  limitBytes: 2 ** 30,
});

const seen = (pid, name, role, path) => ({
  what: 'process',
  atMs: 1,
  pid,
  parentPid: role === 'command' ? 100 : firstPid - 1,
  name,
  command: name,
  role,
  cgroup: path,
});

const sample = (atMs, pid, index, cgroupId, counter) => ({
  atMs,
  processes: [
    {
      pid,
      state: 'R',
      rssBytes: 2e6 + index,
      vmBytes: 5e6,
      majorFaults: 0,
      userMs: 1,
      systemMs: 1,
      threads: 1,
    },
    {
      pid: firstPid - 1,
      state: 'S',
      rssBytes: 1e6,
      vmBytes: 3e6,
      majorFaults: 0,
      userMs: index,
      systemMs: 1,
      threads: 1,
    },
  ],
  cgroups: [
    {
      id: cgroupId,
      currentBytes: 1e7 + index,
      ...(counter ? { localOomKills: 1 + Math.floor(index / 10), localOoms: 1 } : {}),
    },
  ],
});

const killLine = (atMs, pid, index) =>
  `4,${index},${Math.round((startedUptimeSeconds * 1000 + atMs) * 1000)},-;Memory cgroup out of memory: Killed process ${pid} (worker${index % 50}) total-vm:5000kB, anon-rss:2000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n`;

const memoryError = (atMs) =>
  ndjson([
    {
      what: 'exception',
      type: 'MemoryError',
      message: '',
      memory: 1,
      fate: 'uncaught',
      time: Date.parse(startedAt) / 1000 + (atMs + livedMs) / 1000,
      stack: [{ file: 'work.py', line: 1 + (atMs % 97), function: 'load' }],
    },
  ]);
