/** Runs vitest and closes with the line `N passed, N failed`. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runTool } from './workspace.mjs';

/** Resolves with the exit code: 1 if anything failed, or if nothing was run. */
export async function runVitest(args) {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-test-'));
  const report = path.join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await runTool('vitest/vitest.mjs', ['run', ...reporters, ...args]);
  const { passed, failed } = count(report);
  rmSync(folder, { recursive: true });
  // A run that ends badly without a failed test (a stray rejection, or nothing to run) counts as one failure.
  const failures = code !== 0 && failed === 0 ? 1 : failed;
  process.stdout.write(`${passed} passed, ${failures} failed\n`);
  return failures > 0 || passed === 0 ? 1 : 0;
}

/** Counts the results in a report. A file that could not be loaded has no tests and counts as one failure. */
function count(file) {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
    const broken = testResults.filter(
      (one) => one.status === 'failed' && !one.assertionResults.some(({ status }) => status === 'failed'),
    );
    return { passed: numPassedTests, failed: numFailedTests + broken.length };
  } catch {
    return { passed: 0, failed: 0 };
  }
}
