/**
 * `npm run test:interleavings [-- vitest flags]`: the interleavings ten times as often as `npm test` plays them, and all
 * of their mutations, those included that show in one run of some thousand. Takes some minutes.
 */
import { runVitest } from './run-vitest.mjs';
import { build } from './workspace.mjs';

await build();
process.env.FANFARE_TEST_SHY = '1';
process.env.INTERLEAVING_RUNS ??= '20000';
process.exitCode = await runVitest(['gateway/test/interleaving', ...process.argv.slice(2)]);
