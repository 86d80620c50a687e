import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Tests in this process read our packages from source; real gateways run the build. */
const alias = [
  { find: /^@fanfare\/protocol$/, replacement: source('protocol/src/index.ts') },
  { find: /^@fanfare\/protocol\/json$/, replacement: source('protocol/src/dialects/json.ts') },
  { find: /^@fanfare\/protocol\/msgpack$/, replacement: source('protocol/src/dialects/msgpack.ts') },
  { find: /^@fanfare\/protocol\/raw$/, replacement: source('protocol/src/dialects/raw.ts') },
  { find: /^@fanfare\/protocol\/validate$/, replacement: source('protocol/src/validate.ts') },
  { find: /^@fanfare\/client$/, replacement: source('client-sdk/src/index.ts') },
];

/** Fast suites first: `npm test` runs the projects in this order. */
export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        test: { name: 'unit', include: ['*/src/**/*.test.ts'], sequence: { groupOrder: 0 } },
      },
      {
        resolve: { alias },
        test: {
          name: 'suites',
          include: ['*/test/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 1 },
        },
      },
      ...['redis', 'e2e'].map((name) => ({
        resolve: { alias },
        test: {
          name,
          include: [`*/test/${name}/**/*.test.ts`],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // They mostly wait, for timers of Redis and of browsers: more at a time than there are cores.
          maxWorkers: 4,
          // Elections and browsers on a busy machine: a second try is allowed, and shown as `retry x1`.
          retry: 1,
          sequence: { groupOrder: 2 },
        },
      })),
    ],
  },
});
