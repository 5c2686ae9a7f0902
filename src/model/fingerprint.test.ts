import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fingerprint, incidentId, programOfWords, traitsOf } from './fingerprint.ts';
import { nothingKnown, type Incident } from './report.ts';

interface Labelled {
  readonly label: string;
  readonly command: readonly string[];
  readonly incident: Partial<Incident>;
}
const deaths = readFileSync(
  new URL('../../fixtures/fingerprints/deaths.ndjson', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Labelled)
  .map(({ label, command, incident }) => ({
    label,
    print: fingerprint({ ...nothingKnown, ...incident }, command),
  }));

test('of labelled deaths none are wrongly joined, and at most 3 % are split off', () => {
  expect(deaths.length).toBeGreaterThanOrEqual(60);
  const labels = new Map<string, Map<string, number>>();
  const prints = new Map<string, Set<string>>();
  for (const { label, print } of deaths) {
    const own = labels.get(label) ?? new Map<string, number>();
    labels.set(label, own.set(print, (own.get(print) ?? 0) + 1));
    prints.set(print, (prints.get(print) ?? new Set()).add(label));
  }
  expect([...prints.values()].filter((joined) => joined.size > 1)).toEqual([]);
  const split = [...labels.values()].reduce((sum, own) => {
    const counts = [...own.values()];
    return sum + counts.reduce((all, one) => all + one, 0) - Math.max(...counts);
  }, 0);
  expect(split / deaths.length).toBeLessThanOrEqual(0.03);
});

const death: Incident = {
  ...nothingKnown,
  outOfMemory: true,
  death: 'assassination',
  cause: 'kernel-cgroup-oom',
  victim: { pid: 7, name: 'python3' },
  memory: {
    allocations: [
      {
        when: 'peak',
        file: '/srv/a/orders.py',
        line: 6,
        function: 'load',
        bytes: 1e8,
        share: 0.9,
        plusMinus: 0,
        stack: [{ function: 'load', file: '/srv/a/orders.py', line: 6 }],
      },
    ],
  },
};
const [allocation] = death.memory.allocations ?? [];

test('lines, pids, sizes and folders make no difference; function, cause and program do', () => {
  const command = ['python3', 'orders.py', '--day', '12'];
  const moved: Incident = {
    ...death,
    victim: { pid: 99, name: 'python3' },
    memory: {
      allocations: [
        {
          ...allocation!,
          file: '/home/b/orders.py',
          line: 80,
          bytes: 5,
          stack: [{ function: 'load', file: '/home/b/orders.py', line: 80 }],
        },
      ],
    },
  };
  const print = fingerprint(death, command);
  expect(fingerprint(moved, ['/usr/bin/python3.11', '/home/b/orders.py', '--day', '30'])).toBe(
    print,
  );
  expect(fingerprint({ ...death, cause: 'rlimit' }, command)).not.toBe(print);
  expect(fingerprint(death, ['python3', 'refunds.py'])).not.toBe(print);
  const other = {
    ...allocation!,
    stack: [{ function: 'save', file: '/srv/a/orders.py', line: 6 }],
  };
  expect(fingerprint({ ...death, memory: { allocations: [other] } }, command)).not.toBe(print);
  expect(print).toMatch(/^[\da-f]{16}$/);
});

test.each([
  [['python3.11', '/x/app.py', 'import', '500'], 'python app.py import'],
  [['env', 'A=b', 'timeout', '-s', 'KILL', '60', 'python', '-m', 'tool.run'], 'python -m tool.run'],
  [['sh', '-c', 'ulimit -v 5; exec "$@"', 'sh', 'python', 'x.py'], 'python x.py'],
  [['gunicorn', 'shop.web:app', '-w', '4'], 'gunicorn shop.web:app'],
  [['/srv/bin/worker-7', '--queue', 'mails'], 'worker-#'],
  [['python3', '-c', 'print(1)'], 'python -c'],
  [[], ''],
])('%j is the program %s', (words, program) => {
  expect(programOfWords(words)).toBe(program);
});

test('a unit names the program, and a session of a user does not', () => {
  const at = (cgroup: string) =>
    traitsOf({ ...death, victim: { name: 'python3', cgroup } }).program;
  expect(at('/system.slice/nightly@12.service')).toBe('nightly@.service');
  expect(at('/user.slice/user-1000.slice/user@1000.service/app.slice')).toBe('python#');
  expect(at('/user.slice/session-3.scope')).toBe('python#');
});

test('a process of one boot has one id, another one another', () => {
  const id = incidentId('6a6b87af', 4711, 99887);
  expect(id).toBe(incidentId('6a6b87af', 4711, 99887));
  expect(
    new Set([id, incidentId('6a6b87af', 4711, 99888), incidentId('b', 4711, 99887)]).size,
  ).toBe(3);
});
