/**
 * `npm run check`: looks at format, lint, types, layers and cycles, and exports. It runs all of them, then fails if one
 * did.
 */
import { install, root, runTool } from './workspace.mjs';

const LAYERED = ['protocol/src', 'client-sdk/src', 'gateway/src', 'gateway/demo', 'loadtest/src'];

await install();
// This needs an installed package, so it is loaded after the installation.
const { unusedExports } = await import('./exports.mjs');
const checks = [
  ['format and lint', () => runTool('@biomejs/biome/bin/biome', ['check', '--error-on-warnings'])],
  ['types', () => runTool('typescript/bin/tsc', ['-b'])],
  ['types of tests', () => runTool('typescript/bin/tsc', ['-p', 'tsconfig.tests.json'])],
  [
    'layers',
    () => runTool('dependency-cruiser/bin/dependency-cruise.mjs', ['--config', '.dependency-cruiser.cjs', ...LAYERED]),
  ],
  [
    'exports',
    () => {
      const lines = unusedExports(root);
      for (const line of lines) process.stderr.write(`${line}\n`);
      return lines.length > 0 ? 1 : 0;
    },
  ],
];
const failed = [];
for (const [name, check] of checks) {
  process.stderr.write(`check: ${name}\n`);
  if ((await check()) !== 0) failed.push(name);
}
if (failed.length > 0) process.stderr.write(`check failed: ${failed.join(', ')}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
