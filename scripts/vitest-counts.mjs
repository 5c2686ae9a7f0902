// A vitest reporter that writes what became of each test to $CORONER_VITEST_COUNTS, for scripts/test.mjs.
import { writeFileSync } from 'node:fs';

/** The first lines of what a test said against the code; the reporter above has printed the whole. */
const words = (errors) =>
  errors
    .map((error) => String(error.message ?? error))
    .join('\n')
    .split('\n')
    .slice(0, 8)
    .map((line) => line.slice(0, 300));

export default class Counts {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: [], retried: [], skipped: [], seconds: [] };
    for (const error of unhandledErrors)
      counts.failed.push({ name: 'outside of any test', words: words([error]) });
    for (const module of modules) {
      counts.seconds.push({
        name: module.relativeModuleId,
        seconds: Math.round(module.diagnostic().duration / 1000),
      });
      // A file that could not even be collected has no tests to fail.
      if (module.errors().length > 0)
        counts.failed.push({ name: module.relativeModuleId, words: words(module.errors()) });
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0)
          counts.failed.push({
            name: `${module.relativeModuleId}: ${suite.fullName}`,
            words: words(suite.errors()),
          });
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${module.relativeModuleId}: ${test.fullName}`;
        if (result.state === 'passed') {
          counts.passed += 1;
          if (test.diagnostic()?.flaky)
            counts.retried.push({ name, words: words(result.errors ?? []) });
        } else if (result.state === 'failed')
          counts.failed.push({ name, words: words(result.errors) });
        else counts.skipped.push({ name, reason: result.note ?? null });
      }
    }
    writeFileSync(process.env.CORONER_VITEST_COUNTS, JSON.stringify(counts));
  }
}
