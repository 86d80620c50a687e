/**
 * Measures how many bytes the core takes of a page, and how many a page would save without one part of it or another:
 * the bundle without the modules of that part, compressed. What only that part imports goes with it, unless it is a
 * part of its own.
 * It needs `npm run build`. Run it with: node client-sdk/bench/size.mjs
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { shippedForm } from '../../scripts/bundle-sdk.mjs';

const CORE =
  "import { createClient } from './index.ts'; createClient({ url: '/ws' }).channel('a').subscribe(console.log);";
/** The names of the modules of each part, as they are imported. */
const PARTS = {
  'checks of every frame that the gateway sends': ['server-frames', 'rules', 'validate'],
  presence: ['roster', 'rosters', 'presence'],
  '`state()`': ['channel-state'],
  'binary data in JSON': ['binary', 'base64'],
  'loops that read slowly': ['inbox'],
  'tokens of single channels': ['channel-tokens', 'feed-token'],
  'checks of data before it is published': ['check-data'],
  'renewal of tokens': ['token-renewal'],
  'all of these': [],
  'one socket: when to make it, to doubt it, to give it up': ['link', 'connection', 'network', 'backoff', 'pulse'],
  'requests that outlive connections without being done twice': ['requests', 'request', 'wire-size'],
  'local subscriptions of a channel with a position each': ['audience'],
  addresses: ['url'],
  "a pace that the gateway's limits bear": ['send-window', 'token-bucket'],
};
PARTS['all of these'] = Object.values(PARTS).slice(0, 8).flat();
/** The parts that only a socket uses. They count by themselves. */
const OF_A_SOCKET = [...PARTS['checks of every frame that the gateway sends'], ...PARTS.addresses];

const root = fileURLToPath(new URL('../..', import.meta.url));
const form = await shippedForm(root);

/** Returns the size of the core without some modules, whose imports stay as they are, bytes. */
async function sizeWithout(modules) {
  const leaveOut = {
    name: 'leave-out',
    setup({ onResolve }) {
      onResolve({ filter: /^[.@]/ }, ({ kind, path: name }) => {
        const isLeftOut = kind === 'import-statement' && modules.includes(path.basename(name, '.js'));
        return isLeftOut ? { path: 'x', external: true } : undefined;
      });
    },
  };
  const { outputFiles } = await build({
    ...form,
    stdin: { contents: CORE, resolveDir: path.join(root, 'client-sdk/src') },
    plugins: [leaveOut, ...form.plugins],
    format: 'esm',
    platform: 'browser',
    minify: true,
    write: false,
    logLevel: 'silent',
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const core = await sizeWithout([]);
console.log(`core: ${core} bytes; without`);
for (const [part, modules] of Object.entries(PARTS)) {
  const besides = modules.includes('link') ? OF_A_SOCKET : [];
  const saved = (await sizeWithout(besides)) - (await sizeWithout([...modules, ...besides]));
  console.log(`  ${part.padEnd(60)} ${String(saved).padStart(5)}`);
}
