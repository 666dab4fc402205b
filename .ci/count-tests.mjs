// Prints "N passed, N failed, N skipped" over the JSON reports of several vitest runs.
import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
let skipped = 0;
for (const path of process.argv.slice(2)) {
  const report = readReport(path);
  passed += report.numPassedTests;
  skipped += report.numPendingTests + report.numTodoTests;
  // A run can fail with no failed test: a file that does not load, an unhandled rejection, a run that never ended.
  failed += report.success ? report.numFailedTests : Math.max(report.numFailedTests, 1);
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { success: false, numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  }
}
