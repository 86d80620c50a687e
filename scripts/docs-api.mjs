/**
 * `npm run docs:api`: the API reference of the SDK, from the docstrings of what it ships, in docs/api (open index.html). A name without
 * a docstring, a link that leads nowhere, a type that is not exported: each is an error, unless client-sdk/typedoc.json names it.
 */
import { build, runTool } from './workspace.mjs';

await build();
process.exitCode = await runTool('typedoc/bin/typedoc', [
  '--options',
  'client-sdk/typedoc.json',
  ...process.argv.slice(2),
]);
