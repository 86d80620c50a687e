/**
 * `npm run test:faults [-- file filters or vitest flags]`: runs the whole-system faults in their long form (200
 * subscribers on 50 channels, 200 publishes a second, a storm of 10,000 clients), one after the other, and what
 * programs with the SDK go through, in random order for two minutes.
 * Then it runs chaos for a short while, as `npm run test:chaos` does, with a seed that is printed and decides on which
 * topology.
 * It prints the ledger of each, and exits with 1 if one does not hold.
 */
import { randomInt } from 'node:crypto';
import { CHAOS_TOPOLOGIES, runChaos } from './run-chaos.mjs';
import { runVitest } from './run-vitest.mjs';
import { ensureTestPrograms } from './test-programs.mjs';
import { build, root } from './workspace.mjs';

await build();
await ensureTestPrograms();

process.chdir(root);
process.env.FANFARE_TEST_FAULTS = 'long';
const SCENARIOS = ['--project', 'suites', 'client-sdk/test/scenarios'];
const args = ['--project', 'redis', '--no-file-parallelism', 'gateway/test/redis/faults', ...SCENARIOS];
process.exitCode = await runVitest([...args, ...process.argv.slice(2)]);

// With file filters or flags only those tests are run.
if (process.argv.length === 2) {
  const seed = randomInt(1, 1_000_000);
  const topology = CHAOS_TOPOLOGIES[seed % CHAOS_TOPOLOGIES.length];
  if ((await runChaos({ seed, seconds: 35, topology })) !== 0) process.exitCode = 1;
}
