// What grows faster than its input: every kind of line in the fixtures, and every fixture whole, repeated some thousand times, as it is, with
// other numbers each time, and as one single line. Four times the input may take four times the processor time and a little more;
// what takes eight times as long, and long enough to matter, is shown with the parsers or the stage that took it.
//   node bench/growth.mjs [part of a fixture's name] [part of a way's name]
//   GROWTH_LINES=1000 node bench/growth.mjs       how often a line is repeated (default: 4000)
import { readFileSync, readdirSync } from 'node:fs';
import { diagnose } from '../dist/diagnose/diagnose.js';
import { parsers } from '../dist/parsers/index.js';
import { linesOf, parseInput } from '../dist/parsers/parse.js';

const [wanted = '', wantedWay = ''] = process.argv.slice(2);
const folder = new URL('../fixtures/', import.meta.url);
const many = Number(process.env.GROWTH_LINES ?? 4000);
const few = many / 4;
/** Milliseconds for the many repetitions below which nobody cares. */
const matters = many / 30;

const inputs = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter(({ name }) => name.startsWith('input.'))
  .map(({ parentPath, path, name }) => `${parentPath ?? path}/${name}`)
  .filter((file) => file.includes(wanted))
  .filter((file) => parsers.some(({ id }) => file.includes(`/fixtures/${id}/`)));

const cpuMs = (work) => {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000, result };
};
const whole = (text) =>
  cpuMs(() => {
    const evidence = parseInput({ name: 'input', lines: linesOf(text) });
    return diagnose({ evidence, sources: [] });
  }).ms;

/** Lines of the same shape are the same to a parser. */
const shapeOf = (line) => line.replace(/\d+/g, '0').slice(0, 300);
const seen = new Set();
const subjects = [];
for (const file of inputs) {
  const text = readFileSync(file, 'utf8');
  const name = file.slice(folder.pathname.length).replace(/\/input\..*/, '');
  subjects.push({
    name,
    part: text.endsWith('\n') ? text : `${text}\n`,
    lines: text.split('\n').length,
  });
  for (const line of text.split('\n')) {
    const shape = shapeOf(line);
    if (line.trim() === '' || line.length > 2000 || seen.has(shape)) continue;
    seen.add(shape);
    subjects.push({ name, part: `${line}\n`, lines: 1 });
  }
}

const ways = {
  'as it is': (part, times) => part.repeat(times),
  'other numbers': (part, times) =>
    Array.from({ length: times }, (_, index) =>
      part.replace(/\d{3,}/g, (digits) => String(Number(digits.slice(0, 9)) + index)),
    ).join(''),
  'one line': (part, times) => part.replaceAll('\n', ' ').repeat(times),
};
console.error(`${subjects.length} subjects from ${inputs.length} fixtures`);
for (const [way, make] of Object.entries(ways)) {
  if (!way.includes(wantedWay)) continue;
  console.error(way);
  for (const { name, part, lines } of subjects) {
    const times = (count) => Math.max(2, Math.round(count / lines));
    const big = make(part, times(many));
    if (big.length > 4e6) continue;
    const long = whole(big);
    if (long < matters) continue;
    const small = make(part, times(few));
    const short = Math.max(1, Math.min(whole(small), whole(small)));
    const again = Math.min(long, whole(big));
    const growth = again / short / (big.length / small.length);
    if (again < matters || growth < 1.6) continue;
    const each = (text) =>
      parsers.map(({ id, parse }) => ({
        id,
        ms: cpuMs(() => [...parse({ name: 'input', lines: linesOf(text) })]).ms,
      }));
    const took = each(big);
    const parsed = took.reduce((sum, { ms }) => sum + ms, 0);
    const who = [...took, { id: 'diagnose', ms: again - parsed }]
      .filter(({ ms }) => ms > again / 10)
      .sort((a, b) => b.ms - a.ms)
      .map(({ id, ms }) => `${id} ${Math.round(ms)}`);
    console.log(
      `${Math.round(again)} ms, ${growth.toFixed(1)} times too much (${way}, ${name}): ${who.join(', ')}\n    ${JSON.stringify(part.slice(0, 150))}`,
    );
  }
}
