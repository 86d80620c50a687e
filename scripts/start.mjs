/**
 * `npm start [-- flags]`: builds what is out of date, then becomes `fanfare serve` in this process. The script in
 * package.json says `exec`, so that a signal to npm reaches this process; otherwise npm's shell would die of the signal
 * alone.
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, root } from './workspace.mjs';

await build();
const program = path.join(root, 'gateway/bin/fanfare.mjs');
process.argv = [process.execPath, program, 'serve', ...process.argv.slice(2)];
await import(pathToFileURL(program).href);
