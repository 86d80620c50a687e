/**
 * `npm run docs:api`: makes the API reference of the SDK from the docstrings of what it ships, in docs/api (open
 * index.html). A name without a docstring, a link that leads nowhere and a type that is not exported are errors, unless
 * client-sdk/typedoc.json names them.
 */
import { build, runTool } from './workspace.mjs';

await build();
process.exitCode = await runTool('typedoc/bin/typedoc', [
  '--options',
  'client-sdk/typedoc.json',
  ...process.argv.slice(2),
]);
