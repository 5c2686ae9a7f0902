import { defineConfig } from 'vitest/config';

// CORONER_DEEP is set by `npm run test:deep`: real deaths by the dozen, virtual machines, long fuzzing. There are two lanes of them, which run
// side by side: `computing` is what reads, fuzzes and boots, and would not care if it were twice as slow; `deaths` are those in which the
// kernel log, its rate limits and the time that passes are part of the proof, one at a time. Any other value: both, one after the other.
const deep = process.env['CORONER_DEEP'] ?? '';
/** Some quick tests go deeper there: every CPython, more rounds (`deep` in test/have.ts). */
const computing = [
  'test/deep/{vm,systemd,fuzz-parsers,fuzz-folders,core-fuzz,heap-robust,untrusted-input,hostile-files}.test.ts',
  'test/{page,parsers,untrusted-input}.test.ts',
  'test/heap/{budget,ended,heap,listed,moving,pools,reached,shared,stacks,unnamed}.test.ts',
];
const deaths = [
  'test/deep/**/*.test.ts',
  'test/agent/{agent,memory-limit,native-threads}.test.ts',
  'test/live/named.test.ts',
  'test/heap/{final-snapshot,pause}.test.ts',
  'test/transparency/transparency.test.ts',
];

export default defineConfig({
  test: {
    include:
      deep === 'computing'
        ? computing
        : deep === 'deaths'
          ? deaths
          : deep === ''
            ? ['src/**/*.test.ts', 'test/**/*.test.ts']
            : [...deaths, ...computing],
    exclude: [
      'node_modules/**',
      ...(deep === '' ? ['test/deep/**'] : deep === 'deaths' ? computing : []),
    ],
    // A fault that coroner contains fails its test.
    setupFiles: ['test/strict.ts'],
    // Two cores: more workers only steal time from the deaths that the live tests provoke.
    maxWorkers: deep === '' ? 2 : 1,
    // Kills, looks and virtual machines on a machine that others use too: one more try, which the reporter shows.
    retry: process.env['CI'] === undefined ? 0 : 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
