// A vitest reporter that writes what became of each test to $CORONER_VITEST_COUNTS, for scripts/test.mjs.
import { writeFileSync } from 'node:fs';

export default class Counts {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      // A file that could not even be collected has no tests to fail.
      if (module.errors().length > 0) counts.failed += 1;
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0) counts.failed += 1;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') counts.passed += 1;
        else if (result.state === 'failed') counts.failed += 1;
        else
          counts.skipped.push({
            name: `${module.relativeModuleId}: ${test.fullName}`,
            reason: result.note ?? null,
          });
      }
    }
    writeFileSync(process.env.CORONER_VITEST_COUNTS, JSON.stringify(counts));
  }
}
