/** Where the system that somebody reports from keeps its own record of who was killed: no Linux command where there is no Linux. */
const linux = "sudo journalctl -k --since '1 hour ago' | grep -iE 'killed process|oom'";
const mac = 'log show --last 1h --predicate \'eventMessage CONTAINS "memorystatus"\'';

const reportsFromMac: ReadonlySet<string> = new Set([
  'jetsam',
  'launchd',
  'crash report',
  'the kernel of macOS',
  'vm_stat',
  'memory_pressure',
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

/**
 * A command that finds the kernel's record of a kill; null where the system that is reported from has none that one could ask. A
 * parent tells of a kill whatever runs it: figures of the platform beside it tell which one that is.
 */
export function witnessCommand(
  { reporter }: { readonly reporter: string },
  metrics: readonly { readonly tool: string }[] = [],
): string | null {
  const reporters = [reporter, ...metrics.map(({ tool }) => tool)];
  if (reporters.some((one) => withoutHost.has(one))) return null;
  return reporters.some((one) => reportsFromMac.has(one)) ? mac : linux;
}
