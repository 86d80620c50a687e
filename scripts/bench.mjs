/** `npm run bench [-- flags]`: builds what is out of date, then becomes `fanfare-load bench`. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, root } from './workspace.mjs';

await build();
const program = path.join(root, 'loadtest/bin/fanfare-load.mjs');
process.argv = [process.execPath, program, 'bench', ...process.argv.slice(2)];
await import(pathToFileURL(program).href);
