/**
 * `npm run test:faults [-- file filters or vitest flags]`: the whole-system faults in their long form (200
 * subscribers on 50 channels, 200 publishes a second, a storm of 10,000 clients), one after the other.
 * Prints the ledger of each; exits with 1 if one does not hold.
 */
import { runVitest } from './run-vitest.mjs';
import { ensureTestPrograms } from './test-programs.mjs';
import { build, root } from './workspace.mjs';

await build();
await ensureTestPrograms();

process.chdir(root);
process.env.FANFARE_TEST_FAULTS = 'long';
const args = ['--project', 'redis', '--no-file-parallelism', 'gateway/test/redis/faults'];
process.exitCode = await runVitest([...args, ...process.argv.slice(2)]);
