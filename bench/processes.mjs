// How the time to a verdict grows with the number of processes in a run: the same run with 2,000 and with 8,000 short processes, in memory, of
// every shape in many-processes.mjs. A ratio of 4 is linear, 16 quadratic.
//   node bench/processes.mjs [part of a shape's name]
import { diagnose } from '../dist/diagnose/diagnose.js';
import { parseIncident } from '../dist/gather/incident-folder/incident.js';
import { renderTerminal } from '../dist/render/terminal.js';
import { manyProcesses, shapes } from './many-processes.mjs';

const few = 2000;
const many = 8000;
const [wanted = ''] = process.argv.slice(2);

const cpuMs = (work) => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};
/** Milliseconds of CPU from the texts of a folder to the words on a terminal. */
const verdictMs = (texts) =>
  cpuMs(() => {
    const { evidence, sources, recording } = parseIncident(texts);
    renderTerminal(diagnose({ evidence, sources }), {
      columns: 100,
      color: false,
      unicode: true,
      verbose: false,
      quiet: false,
      recording,
      more: '',
    });
  });

verdictMs(manyProcesses(500));
for (const [name, shape] of Object.entries(shapes)) {
  if (!name.includes(wanted)) continue;
  const [short, long] = [few, many].map((count) => {
    const texts = manyProcesses(count, shape);
    return Math.min(verdictMs(texts), verdictMs(texts));
  });
  console.log(
    `${name}: ${few} processes ${Math.round(short)} ms, ${many} processes ${Math.round(long)} ms: ${(long / short).toFixed(1)} times for ${many / few} times the processes`,
  );
}
