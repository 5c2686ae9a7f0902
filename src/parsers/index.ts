import { appServers } from './formats/app-servers.ts';
import { apport } from './formats/apport.ts';
import { bsd } from './formats/bsd.ts';
import { containers } from './formats/containers.ts';
import { debuggerListing } from './formats/debugger-listing.ts';
import { faulthandler } from './formats/faulthandler.ts';
import { jobSchedulers } from './formats/job-schedulers.ts';
import { jvm } from './formats/jvm.ts';
import { kernelLog } from './formats/kernel-log/kernel-log.ts';
import { kubernetesObjects } from './formats/kubernetes-objects.ts';
import { kubernetesText } from './formats/kubernetes-text.ts';
import { macos } from './formats/macos.ts';
import { memoryGuards } from './formats/memory-guards.ts';
import { metrics } from './formats/metrics/metrics.ts';
import { nativeAbort } from './formats/native-abort.ts';
import { node } from './formats/node.ts';
import type { Parser } from './parser.ts';
import { platforms } from './formats/platforms.ts';
import { poolWorkers } from './formats/pool-workers.ts';
import { pythonRemains } from './formats/python-remains.ts';
import { pythonTraceback } from './formats/python-traceback.ts';
import { shellNotices } from './formats/shell-notices.ts';
import { statedLimits } from './formats/stated-limits.ts';
import { systemdCoredump } from './formats/systemd-coredump.ts';
import { systemdOomd } from './formats/systemd-oomd.ts';
import { systemdUnits } from './formats/systemd-units.ts';
import { windows } from './formats/windows.ts';

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
