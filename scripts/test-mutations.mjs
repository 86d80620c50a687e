/**
 * `npm run test:mutations [-- words]`: puts named faults into the source, one at a time, and runs the suite that
 * has to notice each; with words, only those whose name or file has one of them. First the suites must pass
 * without a fault. Prints a line per fault; exits with 1 if one is not noticed, or its place is gone. Takes some
 * seconds a fault, some minutes in all. The faults that random interleavings notice are in `gateway/test/interleaving-mutations.test.ts`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MUTATIONS } from './mutations/named.mjs';
import { build, fail, root } from './workspace.mjs';

/** No suite takes longer; a fault that makes one hang is noticed by that. */
const TIMEOUT_MS = 180_000;

await build();
const words = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ name, file }) => words.length === 0 || words.some((word) => name.includes(word) || file.includes(word)),
);
if (chosen.length === 0) fail(`no mutation has ${words.join(' or ')} in its name or file`);
for (const { name, file, from } of chosen) {
  const places = readFileSync(path.join(root, file), 'utf8').split(from).length - 1;
  if (places !== 1) fail(`${name}: the text to change stands ${places} times in ${file}`);
}

const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-mutations-'));
try {
  const sound = await runSuites([...new Set(chosen.map(({ suite }) => suite))]);
  if (sound !== 'passed') fail(`the suites do not pass without a fault: ${sound}`);
  let missed = 0;
  for (const { name, file, suite } of chosen) {
    const outcome = await runSuites([suite], name);
    const isNoticed = outcome === 'failed' || outcome === 'hung';
    if (!isNoticed) missed++;
    process.stdout.write(
      `${isNoticed ? 'noticed' : 'MISSED'}  ${file}: ${name} (${path.basename(suite)} ${outcome})\n`,
    );
  }
  process.stdout.write(`${chosen.length - missed} noticed, ${missed} missed\n`);
  process.exitCode = missed > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}

/** @returns `failed` only if a test did: a suite that cannot be loaded has noticed nothing */
async function runSuites(suites, mutation = '') {
  const report = path.join(folder, 'report.json');
  rmSync(report, { force: true });
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
  const config = path.join(root, 'scripts/mutations/vitest.config.ts');
  const args = ['run', '--config', config, '--reporter=json', `--outputFile=${report}`, ...suites];
  const child = spawn(process.execPath, [vitest, ...args], {
    cwd: root,
    stdio: 'ignore',
    env: { ...process.env, FANFARE_MUTATION: mutation },
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const [code, signal] = await new Promise((resolve) => child.on('close', (...end) => resolve(end)));
  if (signal) return 'hung';
  try {
    const { numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
    return numFailedTests > 0 ? 'failed' : code === 0 ? 'passed' : 'not loaded';
  } catch {
    return 'not loaded';
  }
}
