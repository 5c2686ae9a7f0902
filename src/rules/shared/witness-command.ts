/** Where the system that somebody reports from keeps its own record of who was killed: no Linux command where there is no Linux. */
const linux = "sudo journalctl -k --since '1 hour ago' | grep -iE 'killed process|oom'";
const mac = 'log show --last 1h --predicate \'eventMessage CONTAINS "memorystatus"\'';

const reportsFromMac: ReadonlySet<string> = new Set([
  'jetsam',
  'launchd',
  'crash report',
  'the kernel of macOS',
]);

/** Their hosts are nobody's to look into: the platform's own log is all there is. */
const withoutHost: ReadonlySet<string> = new Set([
  'aws-lambda',
  'cloud-functions',
  'cloud-run',
  'CircleCI',
  'GitHub Actions',
  'Termux',
  'Windows',
]);

/** A command that finds the kernel's record of a kill; null where the reporter's system has none that one could ask. */
export const witnessCommand = ({ reporter }: { readonly reporter: string }): string | null =>
  withoutHost.has(reporter) ? null : reportsFromMac.has(reporter) ? mac : linux;
