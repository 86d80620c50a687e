/** `npm test [-- file filters or vitest flags]`: installs and builds what is missing, then runs every suite. */
import { runVitest } from './run-vitest.mjs';
import { ensureTestPrograms } from './test-programs.mjs';
import { build } from './workspace.mjs';

await build();
await ensureTestPrograms();
process.exitCode = await runVitest(process.argv.slice(2));
