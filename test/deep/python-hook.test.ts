/** The start-up hook on every CPython here. */
import { pythons } from '../have.ts';
import { hookCases } from '../live/python-hook-cases.ts';

for (const [version, python] of pythons()) hookCases(version, python);
