import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = 'docs/ARCHITECTURE.md';
const SOURCES = ['protocol/src', 'client-sdk/src', 'gateway/src', 'gateway/demo', 'loadtest/src'];

/** File to plant, what it says, and the rule it breaks. */
const PLANTED = [
  ['protocol/src/planted-io.ts', `import 'node:fs';`, 'protocol-has-no-io'],
  ['protocol/src/planted-layer.ts', `import '@fanfare/client';`, 'protocol-is-pure'],
  ['client-sdk/src/planted-layer.ts', `import '../../gateway/src/clock.js';`, 'sdk-knows-the-protocol-only'],
  ['gateway/src/hub/planted-layer.ts', `import '../session/planted.js';`, 'hub-knows-ports'],
  ['gateway/src/session/planted.ts', `import '@fanfare/client';`, 'session-knows-channels-hub-and-ports'],
  ['gateway/src/channels/planted.ts', `import '../hub/planted-layer.js';`, 'channels-know-ports'],
  ['gateway/src/redis/planted-up.ts', `import '../hub/planted-layer.js';`, 'picture: redis imports what is below it'],
  ['gateway/src/fleet/planted.ts', `import '../session/planted.js';`, 'picture: fleet imports what is below it'],
  ['gateway/src/fifo.ts', `import './hub/planted-layer.js';`, 'picture: fifo.ts imports what is below it'],
  ['gateway/src/planted-user.ts', `import './elsewhere/planted.js';`, 'picture: everything has its place in it'],
  ['gateway/src/elsewhere/planted.ts', 'export {};', 'picture: everything has its place in it'],
  ['gateway/src/api/planted.ts', `import '../session/planted.js';`, 'api-knows-channels-and-ports'],
  ['gateway/src/auth/planted.ts', `import '../session/planted.js';`, 'auth-knows-ports'],
  ['gateway/src/observability/planted.ts', `import '../hub/planted-layer.js';`, 'observability-knows-ports'],
  ['gateway/src/why/planted.ts', `import '../session/planted.js';`, 'why-knows-channels-hub-and-fleet'],
  ['gateway/src/probe/planted.ts', `import '../session/planted.js';`, 'probe-knows-hub-and-ports'],
  ['gateway/src/workers/planted.ts', `import '../session/planted.js';`, 'workers-know-ports-and-observability'],
  ['gateway/src/config/planted.ts', `import '../session/planted.js';`, 'config-knows-what-it-sets'],
  ['gateway/src/cli/planted.ts', `import '../session/planted.js';`, 'cli-starts-gateways'],
  ['gateway/demo/planted.ts', `import '../src/session/planted.js';`, 'demo-is-an-application-of-the-sdk'],
  ['loadtest/src/planted-gateway.ts', `import '../../gateway/src/session/planted.js';`, 'loadtest-stays-outside'],
  ['gateway/src/broker/memory/planted.ts', `import '../redis/planted.js';`, 'memory-engine-is-a-stranger'],
  [
    'gateway/src/broker/redis/planted.ts',
    `import type { Socket } from '../../session/planted.js';`,
    'redis-engine-is-a-stranger',
  ],
  ['gateway/src/redis/planted.ts', `import '../broker/redis/planted.js';`, 'redis-floor-knows-ports'],
  ['gateway/src/planted-floor.ts', `import './redis/planted.js';`, 'only-the-composition-root-picks-engines'],
  ['gateway/src/planted-engine.ts', `import './broker/memory/planted.js';`, 'only-the-composition-root-picks-engines'],
  ['gateway/src/planted-redis.ts', `import 'ioredis';`, 'redis-and-uws-stay-in-their-adapters'],
  ['gateway/src/planted-uws.ts', `import 'uWebSockets.js';`, 'redis-and-uws-stay-in-their-adapters'],
  ['loadtest/src/planted-a.ts', `import './planted-b.js';`, 'no-cycles'],
  ['loadtest/src/planted-b.ts', `import './planted-a.js';`, 'no-cycles'],
  ['loadtest/src/planted-gone.ts', `import './no-such-file.js';`, 'no-unresolvable'],
  ['loadtest/src/planted-alone.ts', 'export {};', 'no-orphans'],
] as const;

interface Violation {
  readonly from: string;
  readonly to: string;
  /** A cycle is told once, at one of its files. */
  readonly cycle?: readonly { readonly name: string }[];
  readonly rule: { readonly name: string };
}

let copy: string;
let violations: Violation[];

beforeAll(() => {
  copy = mkdtempSync(path.join(tmpdir(), 'fanfare-layers-'));
  const settings = [
    '.dependency-cruiser.cjs',
    'scripts/layers.cjs',
    'tsconfig.base.json',
    'tsconfig.layers.json',
    PAGE,
  ];
  for (const item of [...settings, ...SOURCES]) {
    cpSync(path.join(root, item), path.join(copy, item), { recursive: true });
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  mkdirSync(path.join(copy, 'gateway/src/elsewhere'));
  for (const [file, text] of PLANTED) writeFileSync(path.join(copy, file), `${text}\n`);
  violations = breaches();
});

/** What `npm run check` says of the layers of the copy. */
function breaches(sources = SOURCES): Violation[] {
  const program = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [program, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...sources];
  const { stdout } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', maxBuffer: 2 ** 28 });
  return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
}

afterAll(() => rmSync(copy, { recursive: true, force: true }));

it.each(PLANTED)('npm run check sees %s (%s) as a breach of %s', (file, _text, rule) => {
  const concerned = violations.filter(
    ({ from, to, cycle }) => from === file || to === file || cycle?.some(({ name }) => name === file),
  );
  expect(concerned.map((one) => one.rule.name)).toContain(rule);
});

it('the picture of docs/ARCHITECTURE.md is the rule: who moves a name in it moves the rule', () => {
  const page = readFileSync(path.join(copy, PAGE), 'utf8');
  const moved = page
    .replace('channels    channels  hub  ', 'channels    channels  ')
    .replace('cli  demo  ', 'cli  hub  demo  ');
  expect(moved).not.toBe(page);
  writeFileSync(path.join(copy, PAGE), moved);
  const rules = breaches(['gateway/src/session']).map(({ rule }) => rule.name);
  expect(rules).toContain('picture: session imports what is below it');
});
