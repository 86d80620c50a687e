/**
 * `npm run test:install [-- vitest flags]`: packs the SDK, installs it together with what its users have beside it
 * (from the registry: Node 22 and 24, Deno, Bun, Jest, TypeScript 5.4 and newest, webpack, Vite, Next.js, Nuxt), and
 * runs a subscribe in each, also in Firefox and WebKit. Clients on Node 22 and 24 go through
 * `client-sdk/test/scenarios.test.ts`; by itself, that takes the path of a Node for its clients from FANFARE_TEST_NODE. It
 * runs `examples/nextjs` in a browser, and a copy of `examples/node`. It installs the packed gateway with its optional
 * dependency, on each Node. It has Helm read and render the chart.
 */
import { runVitest } from './run-vitest.mjs';
import { ensureTestPrograms } from './test-programs.mjs';
import { build, root } from './workspace.mjs';

await build();
await ensureTestPrograms([
  ['firefox-esr', 'firefox-esr'],
  ['WebKitWebDriver', 'webkit2gtk-driver'],
  ['xvfb-run', 'xvfb'],
  ['xauth', 'xauth'],
]);

process.chdir(root);
process.env.FANFARE_TEST_INSTALL = '1';
process.exitCode = await runVitest(['--project', 'install', ...process.argv.slice(2)]);
