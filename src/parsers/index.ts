import { apport } from './apport.ts';
import type { Parser } from './parser.ts';
import { systemdCoredump } from './systemd-coredump.ts';

/** Every parser. A new format is one file, one line here, one folder in fixtures/. */
export const parsers: readonly Parser[] = [systemdCoredump, apport];
