/** The start-up hook on every CPython here. */
import { everyPython } from '../have.ts';
import { hookCases } from '../live/python-hook-cases.ts';

for (const [version, python] of everyPython()) hookCases(version, python);
