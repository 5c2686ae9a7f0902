import { appServers } from './app-servers.ts';
import { apport } from './apport.ts';
import { bsd } from './bsd.ts';
import { containers } from './containers.ts';
import { debuggerListing } from './debugger-listing.ts';
import { faulthandler } from './faulthandler.ts';
import { jobSchedulers } from './job-schedulers.ts';
import { jvm } from './jvm.ts';
import { kernelLog } from './kernel-log.ts';
import { kubernetesObjects } from './kubernetes-objects.ts';
import { kubernetesText } from './kubernetes-text.ts';
import { macos } from './macos.ts';
import { memoryGuards } from './memory-guards.ts';
import { metrics } from './metrics/metrics.ts';
import { nativeAbort } from './native-abort.ts';
import { node } from './node.ts';
import type { Parser } from './parser.ts';
import { platforms } from './platforms.ts';
import { poolWorkers } from './pool-workers.ts';
import { pythonRemains } from './python-remains.ts';
import { pythonTraceback } from './python-traceback.ts';
import { shellNotices } from './shell-notices.ts';
import { statedLimits } from './stated-limits.ts';
import { systemdCoredump } from './systemd-coredump.ts';
import { systemdOomd } from './systemd-oomd.ts';
import { systemdUnits } from './systemd-units.ts';
import { windows } from './windows.ts';

/** Every parser. A new format is one file, one line here, one folder in fixtures/. */
export const parsers: readonly Parser[] = [
  kernelLog,
  systemdCoredump,
  apport,
  pythonTraceback,
  pythonRemains,
  nativeAbort,
  poolWorkers,
  appServers,
  faulthandler,
  debuggerListing,
  jvm,
  node,
  shellNotices,
  memoryGuards,
  systemdOomd,
  systemdUnits,
  kubernetesText,
  kubernetesObjects,
  containers,
  jobSchedulers,
  platforms,
  macos,
  bsd,
  windows,
  statedLimits,
  metrics,
];
