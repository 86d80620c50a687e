/** `npm run build`: compiles all packages in dependency order and bundles the demo page. */
import { build } from './workspace.mjs';

await build({ force: true });
