/** `npm run survive [-- flags]`: builds what is out of date, then becomes `fanfare-load survive`. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, root } from './workspace.mjs';

await build();
const program = path.join(root, 'loadtest/bin/fanfare-load.mjs');
process.argv = [process.execPath, program, 'survive', ...process.argv.slice(2)];
await import(pathToFileURL(program).href);
