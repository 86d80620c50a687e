/**
 * `npm run test:mutations [-- words]`: puts named faults into a copy of the source, one at a time, and runs the suite
 * that has to notice each. `--help` says more. The faults that random interleavings notice are in
 * `gateway/test/interleaving-mutations.test.ts`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { copyWorkspace } from './mutations/copy.mjs';
import { MUTATIONS } from './mutations/index.mjs';
import { ensureTestPrograms } from './test-programs.mjs';
import { build, fail, root } from './workspace.mjs';

const HELP = `npm run test:mutations [-- [--jobs n] [--part k/n] [--list] [words]]

Puts named faults into a copy of the source, one at a time; the suite that is named with each must fail. Before that
the suites must pass without a fault. The workspace itself is never changed. Prints a line for each fault; exits with
1 if one is not noticed, if the text that it changes is not there exactly once, or if a suite cannot be loaded.

  words       only faults that have one of these in their name, file or suite
  --jobs n    so many at a time, each in a copy of its own (2)
  --part k/n  only the k-th of n parts of them, for runs that must be short
  --list      prints what there is, and tries nothing

Takes some 5 s for each fault and job: a quarter of an hour in all on two cores. No suite may take longer than 2 minutes: a
fault with which it does counts as noticed, and its processes are ended.
`;

/** How long a suite may take, ms. None takes longer as it is, and a fault that makes one hang is noticed by that. */
const TIMEOUT_MS = 120_000;

const { values: flags, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean' },
    list: { type: 'boolean' },
    jobs: { type: 'string', default: '2' },
    part: { type: 'string', default: '1/1' },
  },
});
if (flags.help) {
  process.stdout.write(HELP);
  process.exit();
}

const chosen = choose();
for (const { name, file, from } of chosen) {
  const places = readFileSync(path.join(root, file), 'utf8').split(from).length - 1;
  if (places !== 1) fail(`${name}: the text to change stands ${places} times in ${file}`);
}
const equivalent = chosen.filter((one) => one.equivalent !== undefined);
const tried = chosen.filter((one) => one.equivalent === undefined);
if (flags.list) {
  for (const { file, name, suite } of tried) process.stdout.write(`${file}: ${name} (${suite})\n`);
  tellEquivalent();
  process.exit();
}

await build();
await ensureTestPrograms();
const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-mutations-'));
/** The process groups under way. */
const running = new Set();
const stop = () => {
  for (const pid of running) process.kill(-pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  process.exit(1);
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
try {
  const copies = Array.from({ length: Math.max(1, Number(flags.jobs)) }, (_, n) => path.join(folder, `copy-${n + 1}`));
  for (const copy of copies) copyWorkspace(copy);
  await expectSound(copies[0]);
  const missed = [];
  const waiting = [...tried];
  await Promise.all(
    copies.map(async (copy) => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const outcome = await runWith(copy, next);
        const isNoticed = outcome === 'failed' || outcome === 'hung';
        if (!isNoticed) missed.push(next);
        const { file, name, suite } = next;
        process.stdout.write(
          `${isNoticed ? 'noticed' : 'MISSED'}  ${file}: ${name} (${path.basename(suite)} ${outcome})\n`,
        );
      }
    }),
  );
  tellEquivalent();
  const noticed = tried.length - missed.length;
  process.stdout.write(`${noticed} noticed, ${equivalent.length} equivalent, ${missed.length} missed\n`);
  process.exitCode = missed.length > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}

function choose() {
  const named = MUTATIONS.filter(
    ({ name, file, suite }) =>
      words.length === 0 || words.some((word) => [name, file, suite].some((text) => text.includes(word))),
  );
  const [part, parts] = flags.part.split('/').map(Number);
  if (!(part >= 1 && part <= parts)) fail(`--part ${flags.part}: expected k/n, as in 1/3`);
  // The mutations of one suite stay together, because it has to pass without a fault only once.
  const at = (nth) => Math.floor((nth * named.length) / parts);
  const chosen = named.slice(at(part - 1), at(part));
  if (chosen.length === 0) fail(`no mutation has ${words.join(' or ')} in its name, file or suite`);
  return chosen;
}

function tellEquivalent() {
  for (const { file, name, equivalent: why } of equivalent) {
    process.stdout.write(`equivalent  ${file}: ${name}: ${why}\n`);
  }
}

/** Ends the process unless all suites pass without a fault. */
async function expectSound(copy) {
  const whole = tried.filter(({ tests }) => tests === undefined);
  const parts = tried.filter(({ tests }) => tests !== undefined);
  for (const [mutations, tests] of [
    [whole, undefined],
    [parts, parts.map(({ tests }) => tests).join('|')],
  ]) {
    if (mutations.length === 0) continue;
    const suites = [...new Set(mutations.map(({ suite }) => suite))];
    const sound = await runSuites(copy, suites, tests);
    if (sound !== 'passed') fail(`the suites do not pass without a fault: ${sound}`);
  }
}

async function runWith(copy, { file, from, to, suite, tests }) {
  const target = path.join(copy, file);
  const source = readFileSync(target, 'utf8');
  writeFileSync(
    target,
    source.replace(from, () => to),
  );
  try {
    return await runSuites(copy, [suite], tests, ['--bail=1']);
  } finally {
    writeFileSync(target, source);
  }
}

/**
 * Runs suites.
 * @returns `failed` only if a test failed: a suite that cannot be loaded has noticed nothing
 */
async function runSuites(copy, suites, tests, more = []) {
  const report = path.join(copy, 'report.json');
  rmSync(report, { force: true });
  const args = ['run', '--reporter=json', `--outputFile=${report}`, '--testTimeout=20000', ...more, ...suites];
  if (tests !== undefined) args.push('--testNamePattern', tests);
  const child = spawn(process.execPath, [path.join(copy, 'node_modules/vitest/vitest.mjs'), ...args], {
    cwd: copy,
    stdio: 'ignore',
    // The suite gets a process group of its own, so that what its tests have started ends with it.
    detached: true,
  });
  running.add(child.pid);
  let isHung = false;
  const timeout = setTimeout(() => {
    isHung = true;
    process.kill(-child.pid, 'SIGKILL');
  }, TIMEOUT_MS);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timeout);
  running.delete(child.pid);
  if (isHung) return 'hung';
  try {
    const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(report, 'utf8'));
    if (numFailedTests > 0) return 'failed';
    return code === 0 && numPassedTests > 0 ? 'passed' : 'not loaded';
  } catch {
    return 'not loaded';
  }
}
