import { defineConfig } from 'vitest/config';

// CORONER_DEEP is set by `npm run test:deep`: real deaths by the dozen, virtual machines, long fuzzing.
const deep = Boolean(process.env['CORONER_DEEP']);

export default defineConfig({
  test: {
    // Some quick tests go deeper there: every CPython, more rounds (`deep` in test/have.ts).
    include: deep
      ? [
          'test/deep/**/*.test.ts',
          'test/parsers.test.ts',
          'test/heap/{heap,stacks,unnamed}.test.ts',
        ]
      : ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: deep ? ['node_modules/**'] : ['test/deep/**', 'node_modules/**'],
    // Two cores: more workers only steal time from the deaths that the live tests provoke.
    maxWorkers: deep ? 1 : 2,
    // Kills, looks and virtual machines on a machine that others use too: one more try, which the reporter shows.
    retry: process.env['CI'] === undefined ? 0 : 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
