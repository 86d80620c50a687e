/** The layers of docs/ARCHITECTURE.md: its picture, what is narrower than the picture, and no cycles. */
const { ports, rules: picture } = require('./scripts/layers.cjs');

const TESTS = '\\.test\\.ts$';
/** Tests beside their file may use whatever they need. */
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: TESTS },
  to: { path: '^(protocol|client-sdk|gateway|loadtest)/', pathNot: allowed },
});
const G = '^gateway/src';
const PORTS = ports.join('|');
const PROTOCOL = '^protocol/src/';

module.exports = {
  forbidden: [
    ...picture,
    // An import that leads nowhere would hide from every rule below.
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: [TESTS, '\\.d\\.ts$', '(^|/)bin/', 'gateway/demo/'] },
      to: {},
    },
    only('protocol-is-pure', '^protocol/src/', ['^protocol/src/']),
    {
      name: 'protocol-has-no-io',
      severity: 'error',
      from: { path: '^protocol/src/', pathNot: TESTS },
      to: { dependencyTypes: ['core'] },
    },
    only('sdk-knows-the-protocol-only', '^client-sdk/src/', ['^client-sdk/src/', PROTOCOL]),
    only('ports-know-the-protocol-only', PORTS, [PORTS, PROTOCOL]),
    only('hub-knows-ports', `${G}/hub/`, [PORTS, PROTOCOL, `${G}/hub/`]),
    only('why-knows-channels-hub-and-fleet', `${G}/why/`, [
      PORTS,
      PROTOCOL,
      `${G}/(channels|hub|why)/`,
      `${G}/(broker/extensions|fleet/fleet)\\.ts$`,
    ]),
    only('probe-knows-hub-and-ports', `${G}/probe/`, [PORTS, PROTOCOL, `${G}/(hub|probe)/`]),
    // A composition root of its own, for tests of applications: the SDK ships it.
    only('testkit-puts-parts-together', `${G}/testkit/`, [
      PORTS,
      PROTOCOL,
      `${G}/(auth|broker|channels|hub|presence|session|testkit)/`,
      '^client-sdk/src/(index|testing/index)\\.ts$',
    ]),
    only('fleet-knows-ports', `${G}/fleet/`, [PORTS, PROTOCOL, `${G}/fleet/`]),
    only('channels-know-ports', `${G}/channels/`, [PORTS, PROTOCOL, `${G}/channels/`]),
    only('session-knows-channels-hub-and-ports', `${G}/session/`, [PORTS, PROTOCOL, `${G}/(channels|hub|session)/`]),
    only('api-knows-channels-and-ports', `${G}/api/`, [
      PORTS,
      PROTOCOL,
      `${G}/(api|channels)/`,
      `${G}/(auth/(api-keys|origin)|control/calls|why/calls|fleet/fleet|presence/presence|presence/presence-cursor)\\.ts$`,
    ]),
    only('control-knows-sessions-and-below', `${G}/control/`, [
      PORTS,
      PROTOCOL,
      `${G}/(channels|control|hub|redis|session)/`,
      `${G}/(auth/claims|fleet/fleet)\\.ts$`,
    ]),
    only('presence-knows-sessions-and-below', `${G}/presence/`, [
      PORTS,
      PROTOCOL,
      `${G}/(channels|hub|presence|redis|session)/`,
    ]),
    only('auth-knows-ports', `${G}/auth/`, [PORTS, PROTOCOL, `${G}/auth/`]),
    only('observability-knows-ports', `${G}/observability/`, [PORTS, PROTOCOL, `${G}/observability/`]),
    only('workers-know-ports-and-observability', `${G}/workers/`, [
      PORTS,
      `${G}/(workers|observability)/`,
      `${G}/transport/listen-probe\\.ts$`,
    ]),
    // A value can be read, and refused, by those who use it.
    only('config-knows-what-it-sets', `${G}/config/`, [
      PORTS,
      PROTOCOL,
      `${G}/(config|auth)/`,
      `${G}/(redis/url|transport/client-address|webhooks/(events|signature))\\.ts$`,
    ]),
    // It starts a gateway as a whole. `check`, `tail` and `token` are tools of their own.
    only('cli-starts-gateways', `${G}/cli(\\.ts$|/)`, [
      PORTS,
      PROTOCOL,
      `${G}/(auth|cli|config|observability|workers)/`,
      `${G}/(gateway|version)\\.ts$`,
      `${G}/(api/static-files|why/calls)\\.ts$`,
      `${G}/(broker/redis/checks|webhooks/redis/dead-letters)\\.ts$`,
      '^client-sdk/src/',
    ]),
    only('demo-is-an-application-of-the-sdk', '^gateway/demo/', [PROTOCOL, '^(client-sdk/src|gateway/demo)/']),
    only('loadtest-stays-outside', '^loadtest/src/', [PROTOCOL, '^(client-sdk|loadtest)/src/']),
    only('webhooks-know-sessions-and-below', `${G}/webhooks/`, [
      PORTS,
      PROTOCOL,
      `${G}/(channels|presence|redis|session|webhooks)/`,
    ]),
    only('transports-are-strangers', `${G}/transport/`, [PORTS, PROTOCOL, `${G}/transport/`]),
    only('memory-engine-is-a-stranger', `${G}/broker/memory/`, [PORTS, PROTOCOL, `${G}/broker/(memory/|[^/]+\\.ts$)`]),
    only('redis-engine-is-a-stranger', `${G}/broker/redis/`, [
      PORTS,
      PROTOCOL,
      `${G}/redis/`,
      `${G}/broker/(redis/|[^/]+\\.ts$)`,
    ]),
    // The floor serves engines of every port, and knows none of them.
    only('redis-floor-knows-ports', `${G}/redis/`, [PORTS, PROTOCOL, `${G}/redis/`]),
    {
      name: 'only-the-composition-root-picks-engines',
      severity: 'error',
      from: {
        path: `${G}/`,
        pathNot: [
          `${G}/(gateway|engines|listeners)\\.ts$`,
          `${G}/broker/memory/`,
          `${G}/redis/`,
          // Whatever stands on Redis beside its port: `broker/redis/…`, `presence/redis-….ts`.
          `${G}/[^/]+/redis[-/]`,
          `${G}/transport/`,
          `${G}/cli`,
          `${G}/testkit/`,
          TESTS,
        ],
      },
      // A URL can be read, and refused, without the engine that it names.
      to: {
        path: [`${G}/broker/(memory|redis)/`, `${G}/redis/`, `${G}/[^/]+/redis[-/]`, `${G}/transport/(uws|ws)\\.ts$`],
        pathNot: `${G}/redis/url\\.ts$`,
      },
    },
    {
      name: 'redis-and-uws-stay-in-their-adapters',
      severity: 'error',
      from: { path: `${G}/`, pathNot: [`${G}/(broker/)?redis/`, `${G}/transport/`, TESTS] },
      to: { path: 'node_modules/(ioredis|uWebSockets\\.js)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(protocol|client-sdk|gateway|loadtest)/dist/' },
    tsPreCompilationDeps: true,
    // Its `paths` lead imports of our packages to their sources: build output is no part of the layers.
    tsConfig: { fileName: 'tsconfig.layers.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
