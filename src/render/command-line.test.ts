import { expect, test } from 'vitest';
import { commandLine } from './command-line.ts';

test.each([
  [['python3', 'app.py', '--all'], 'python3 app.py --all'],
  [['sh', '-c', 'ulimit -v 400000; exec "$@"', 'sh', 'python3', 'app.py'], 'python3 app.py'],
  [['sh', '-c', 'python3 app.py; exit $?'], 'sh -c python3 app.py; exit $?'],
  [['bash', '-c', 'exec "$@"'], 'bash -c exec "$@"'],
  [
    '/bin/sh|-c|echo $$ > "$0/cgroup.procs" && exec "$@"|/sys/fs/cgroup/job|/usr/bin/python3|/opt/coroner/rehearsal/slow.py|/var/tmp/coroner-rehearsal-a/data'.split(
      '|',
    ),
    'rehearsal: slow.py data',
  ],
  [['/tmp/coroner-rehearsal-xyz/naive_malloc', '100'], 'rehearsal: naive_malloc 100'],
  // Somebody else's rehearsal is theirs.
  [['python3', '/srv/rehearsal/play.py'], 'python3 /srv/rehearsal/play.py'],
])('%j', (command, shown) => {
  expect(commandLine(command)).toBe(shown);
});
