import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Tests in this process read our packages from source; real gateways run the build. */
const alias = [
  { find: /^@fanfare\/protocol$/, replacement: source('protocol/src/index.ts') },
  { find: /^@fanfare\/protocol\/json$/, replacement: source('protocol/src/dialects/json.ts') },
  { find: /^@fanfare\/protocol\/compact$/, replacement: source('protocol/src/dialects/compact.ts') },
  { find: /^@fanfare\/protocol\/msgpack$/, replacement: source('protocol/src/dialects/msgpack.ts') },
  { find: /^@fanfare\/protocol\/raw$/, replacement: source('protocol/src/dialects/raw.ts') },
  { find: /^@fanfare\/protocol\/validate$/, replacement: source('protocol/src/validate.ts') },
  { find: /^@fanfare\/client$/, replacement: source('client-sdk/src/index.ts') },
  { find: /^@fanfare\/client\/msgpack$/, replacement: source('client-sdk/src/msgpack.ts') },
  { find: /^@fanfare\/client\/positions$/, replacement: source('client-sdk/src/positions.ts') },
  { find: /^@fanfare\/client\/publisher$/, replacement: source('client-sdk/src/publisher.ts') },
  { find: /^@fanfare\/client\/react$/, replacement: source('client-sdk/src/react.ts') },
  { find: /^@fanfare\/client\/store$/, replacement: source('client-sdk/src/store.ts') },
  { find: /^@fanfare\/client\/tokens$/, replacement: source('client-sdk/src/tokens.ts') },
  { find: /^@fanfare\/client\/testing$/, replacement: source('client-sdk/src/testing/index.ts') },
];

/** These take a minute or so each, mostly waiting: begun first, none of them is left alone at the end. */
const LONGEST = [
  'workers',
  'interleaving-mutations',
  'verify',
  'run',
  'webhooks',
  'presence',
  'faults-sentinel',
  'faults-cluster',
  'migration',
  'failover',
  'demo',
  'protocol-timeouts',
  'transport',
  'start',
  'package',
  'proxies',
  'faults-standalone',
  'publish-cluster',
  'conformance',
  'bench',
  'scenarios',
  'topology',
].map((name) => new RegExp(`/${name}\\.test\\.ts$`));

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((pattern) => pattern.test(moduleId));
      return index < 0 ? LONGEST.length : index;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/** Tests wait for events, and fail by what they see: how long that may take on a busy machine is no matter of theirs. */
const PATIENT = { testTimeout: 180_000, hookTimeout: 180_000, expect: { poll: { timeout: 20_000 } } };

/** Fast suites first: `npm test` runs the projects in this order. */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // A test that needs a second try has found something.
    retry: 0,
    projects: [
      {
        resolve: { alias },
        test: { name: 'unit', include: ['*/src/**/*.test.ts'], ...PATIENT, sequence: { groupOrder: 0 } },
      },
      ...['suites', 'redis', 'e2e'].map((name) => ({
        resolve: { alias },
        test: {
          name,
          include: [name === 'suites' ? '*/test/*.test.ts' : `*/test/${name}/**/*.test.ts`],
          ...PATIENT,
          // They mostly wait, for timers of Redis and of browsers: more at a time than there are cores.
          maxWorkers: 6,
          sequence: { groupOrder: 1 },
        },
      })),
      // `npm run test:install`: it installs a lot, so it is no part of `npm test`.
      ...(process.env.FANFARE_TEST_INSTALL
        ? [
            {
              test: {
                name: 'install',
                include: ['*/test/install/*.test.ts'],
                testTimeout: 300_000,
                hookTimeout: 120_000,
              },
            },
          ]
        : []),
    ],
  },
});
