/**
 * `npm run test:interleavings [-- vitest flags]`: plays the interleavings ten times as often as `npm test` does, and
 * tries all of their mutations, including those that show in one run of some thousand. It takes some minutes.
 */
import { runVitest } from './run-vitest.mjs';
import { build } from './workspace.mjs';

await build();
process.env.FANFARE_TEST_SHY = '1';
process.env.INTERLEAVING_RUNS ??= '20000';
process.exitCode = await runVitest(['gateway/test/interleaving', ...process.argv.slice(2)]);
