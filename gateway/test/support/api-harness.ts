/** The HTTP API over a real memory broker, asked through request objects instead of a socket. */

import { type ApiDependencies, createApi, createHealthApi, type HttpHandler } from '../../src/api/api.js';
import { createControlRoutes } from '../../src/api/control.js';
import { createPresenceRoutes } from '../../src/api/presence.js';
import { createWhyRoutes } from '../../src/api/why.js';
import { createOriginCheck } from '../../src/auth/origin.js';
import type { Broker, ShardHealth } from '../../src/broker/broker.js';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.js';
import { createChannels } from '../../src/channels/channels.js';
import { systemClock } from '../../src/clock.js';
import { plainKey } from '../../src/config/api-key-list.js';
import { loadConfig } from '../../src/config/config.js';
import { BrokerFleet } from '../../src/fleet/broker-fleet.js';
import type { ChannelInfo } from '../../src/fleet/fleet.js';
import type { Namespaces } from '../../src/namespaces.js';
import { createMetrics } from '../../src/observability/metrics.js';
import { createStats, type Stats } from '../../src/stats.js';
import type { HttpBody, HttpRequest, HttpResponse } from '../../src/transport/transport.js';
import { recollect } from '../../src/why/recollection.js';
import { FaultyLog } from './faulty-broker.js';

export interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body as JSON; `undefined` if it is none. */
  readonly json: Record<string, unknown>;
}

export interface Call {
  readonly method?: string;
  readonly body?: string | HttpBody;
  /** Over those sent by default: the key `dev`, and JSON as the content type. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiHarness {
  readonly log: FaultyLog;
  readonly broker: Broker;
  readonly namespaces: Namespaces;
  readonly stats: Stats;
  readonly faults: string[];
  readonly channels: ChannelInfo[];
  readonly shards: ShardHealth[];
  stopping: boolean;
  readonly healthHandler: HttpHandler;
  ask(path: string, call?: Call): Promise<Asked>;
  /** POSTs to `/v1/publish`; text goes as it is. */
  publish(body: unknown): Promise<Asked>;
}

/** Parts of the harness to replace. */
export type ApiHarnessParts = Partial<ApiDependencies> & { readonly broker?: Pick<Broker, 'publish' | 'read'> };

export function createApiHarness(over: (harness: ApiHarness) => ApiHarnessParts = () => ({})): ApiHarness {
  const log = new FaultyLog({ clock: systemClock });
  const stats = createStats();
  const { namespaces, apiKeys } = loadConfig({ argv: [], env: {}, cwd: '/nowhere' });
  const shards: ShardHealth[] = [{ shard: 'memory', state: 'ok' }];
  const harness: ApiHarness = {
    log,
    broker: createMemoryBroker({ log }),
    namespaces,
    stats,
    faults: [],
    channels: [],
    shards,
    stopping: false,
    get healthHandler() {
      return healthHandler;
    },
    ask: (path, call) => ask(handler, path, call),
    publish: (body) =>
      harness.ask('/v1/publish', { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
  };
  const { broker = harness.broker, ...replaced } = over(harness);
  const channels = createChannels({
    broker,
    namespaces,
    stats,
    room: () => undefined,
    onFault: (message) => harness.faults.push(message),
  });
  const dependencies: ApiDependencies = {
    channels,
    apiKeys: [...apiKeys, plainKey('second-key', 1)],
    stats,
    version: '1.2.3',
    fleet: new BrokerFleet({
      broker: harness.broker,
      clock: systemClock,
      instance: 'i1',
      self: () => ({ node: 'n1', version: '1.2.3', connections: 7, uptimeMs: 5 }),
      channels: () => harness.channels,
    }),
    routes: [
      ...createPresenceRoutes(channels.access, {
        page: async () => ({ members: [], count: 0, rev: 0, more: false }),
      }),
      ...createControlRoutes({
        disconnect: async () => ({ connections: 1, missing: ['n2'] }),
        unsubscribe: async () => ({ connections: 1, missing: [] }),
        refresh: async () => ({ connections: 1, missing: [] }),
        revoke: async () => ({ connections: 1, until: 5, missing: [] }),
        sessions: async () => ({ sessions: [], count: 0, missing: [] }),
      }),
      ...createWhyRoutes({
        why: async ({ channel, offset, session }) => ({
          channel,
          offset,
          log: { state: 'stored', epoch: '5', time: 1 },
          gateways: [
            { node: 'n1', ...recollect([], { epoch: 5, offset, session }), flushed: { at: 1, subscribers: 2 } },
          ],
          missing: [],
        }),
      }),
    ],
    isAllowedOrigin: createOriginCheck(['https://app.example']),
    isWebSocketPath: (path) => path === '/ws',
    health: () => shards,
    phase: () => (harness.stopping ? 'stopping' : 'serving'),
    metrics: createMetrics({ stats, node: 'n1', version: '1.2.3', health: () => shards }),
    onFault: (message) => harness.faults.push(message),
    ...replaced,
  };
  const handler = createApi(dependencies);
  const healthHandler = createHealthApi(dependencies);
  return harness;
}

export async function ask(handler: HttpHandler, path: string, call: Call = {}): Promise<Asked> {
  const { method = 'GET', body = '' } = call;
  const [pathname = '', query = ''] = path.split('?');
  const headers: Record<string, string> = {
    authorization: 'Bearer dev',
    'content-type': 'application/json',
    ...call.headers,
  };
  const request: HttpRequest = {
    method,
    path: pathname,
    query,
    header: (name) => headers[name] ?? '',
    remoteAddress: '127.0.0.1',
  };
  const given = handler(request);
  if (typeof given !== 'function') return toAsked(await given);
  return toAsked(await given(body === 'too_large' || body === 'no_room' ? body : Buffer.from(body)));
}

function toAsked({ status, headers, body }: HttpResponse): Asked {
  const text = Buffer.from(body).toString();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status, headers: Object.fromEntries(headers), text, json: json as Record<string, unknown> };
}
