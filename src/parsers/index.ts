import { appServers } from './app-servers.ts';
import { apport } from './apport.ts';
import { nativeAbort } from './native-abort.ts';
import { kernelLog } from './kernel-log.ts';
import type { Parser } from './parser.ts';
import { poolWorkers } from './pool-workers.ts';
import { pythonRemains } from './python-remains.ts';
import { pythonTraceback } from './python-traceback.ts';
import { shellNotices } from './shell-notices.ts';
import { systemdCoredump } from './systemd-coredump.ts';

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
  shellNotices,
];
