import { defineConfig } from 'vitest/config';

// CORONER_DEEP is set by `npm run test:deep`: real deaths by the dozen, virtual machines, long fuzzing.
const deep = Boolean(process.env['CORONER_DEEP']);

export default defineConfig({
  test: {
    include: deep ? ['test/deep/**/*.test.ts'] : ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: deep ? ['node_modules/**'] : ['test/deep/**', 'node_modules/**'],
    // Two cores: more workers only steal time from the deaths that the live tests provoke.
    maxWorkers: deep ? 1 : 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
