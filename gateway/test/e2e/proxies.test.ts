/**
 * The load balancers that operators are told to use, as they are told to configure them: HAProxy as in
 * docker-compose.yml and docs/OPERATIONS.md, nginx and Caddy as in docs/OPERATIONS.md; two gateways with the
 * settings of docker-compose.yml; Redis.
 */
import { createClient, type Message } from '@fanfare/client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { compose, composeGateways, composeSettings, readRepositoryFile } from '../support/compose.js';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type Backend, type BalancerProcess, startCaddy, startHaproxy, startNginx } from '../support/proxies.js';
import { freePort, type StandaloneServers, startRedis } from '../support/redis-servers.js';

const PATIENCE = { timeout: 60_000 };
const MESSAGES = 60;

const operations = readRepositoryFile('docs/OPERATIONS.md');
/** The code block of that language in docs/OPERATIONS.md. */
const documented = (language: string) =>
  new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(operations)?.[1] ?? '';

interface Topology {
  readonly name: string;
  /** Whether the proxy asks gateways for their health, and says what it thinks. */
  readonly checks: boolean;
  readonly healthPort: boolean;
  /** Whose address the gateway sees: the client's by `X-Forwarded-For`, or that of the proxy. */
  readonly sees: 'client' | 'proxy';
  start(backends: readonly Backend[]): Promise<BalancerProcess>;
}

const topologies: Topology[] = [
  {
    name: 'HAProxy as in docker-compose.yml',
    checks: true,
    healthPort: true,
    sees: 'proxy',
    start: (backends) => startHaproxy(compose.configs.haproxy?.content as string, backends),
  },
  {
    name: 'HAProxy as in docs/OPERATIONS.md',
    checks: true,
    healthPort: false,
    sees: 'client',
    start: (backends) => startHaproxy(documented('haproxy'), backends),
  },
  {
    name: 'nginx as in docs/OPERATIONS.md',
    checks: false,
    healthPort: false,
    sees: 'client',
    start: (backends) => startNginx(documented('nginx'), backends),
  },
  {
    name: 'Caddy as in docs/OPERATIONS.md',
    checks: false,
    healthPort: false,
    sees: 'client',
    start: (backends) => startCaddy(documented('caddyfile'), backends),
  },
];

let redis: StandaloneServers;
beforeAll(async () => {
  // As compose starts it, where it holds the data apart.
  const command = compose.services.redis?.command ?? '';
  const [, limit] = /--client-output-buffer-limit "([^"]+)"/.exec(command) ?? [];
  const [, policy] = /--maxmemory-policy (\S+)/.exec(command) ?? [];
  redis = await startRedis({
    appendonly: command.includes('--appendonly yes'),
    config: { 'client-output-buffer-limit': limit as string, 'maxmemory-policy': policy as string },
  });
});
afterAll(() => redis.stop());

async function startComposeGateways({ healthPort: hasHealthPort, sees }: Topology) {
  const started = composeGateways.map(async ([node, service]) => {
    const { FANFARE_PORT: _port, FANFARE_HEALTH_PORT: _health, FANFARE_HOST: _host, ...env } = composeSettings(service);
    const healthPort = hasHealthPort ? await freePort() : undefined;
    const gateway = await startGatewayProcess({
      env: {
        ...env,
        FANFARE_REDIS_URL: redis.url,
        FANFARE_NODE: node,
        // Never one that passes on what it does not read.
        ...(sees === 'client' && { FANFARE_TRUSTED_PROXIES: '127.0.0.1' }),
        ...(healthPort && { FANFARE_HEALTH_PORT: String(healthPort) }),
      },
    });
    onTestFinished(() => gateway.stop());
    return { node, gateway, healthPort };
  });
  return Promise.all(started);
}

/** Publishes until it is acknowledged, as a backend does that gives keys. */
async function publishSurely(port: number, channel: string, n: number): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/publish`, {
      method: 'POST',
      headers: { authorization: 'Bearer dev', 'content-type': 'application/json' },
      body: JSON.stringify({ channel, data: n, key: `k${n}` }),
      signal: AbortSignal.timeout(5_000),
    }).catch(() => undefined);
    if (answer?.status === 200) return;
    await answer?.text();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The address that a gateway has of a client who comes from 127.0.0.2 and says that it is another's. */
async function addressSeen(port: number): Promise<unknown> {
  const headers = { 'x-forwarded-for': '203.0.113.9' };
  const client = await FrameClient.open(port, { localAddress: '127.0.0.2', headers });
  const session = String(client.frames[0]?.session);
  const url = `http://127.0.0.1:${port}/v1/sessions?session=${encodeURIComponent(session)}`;
  const answer = await fetch(url, { headers: { authorization: 'Bearer dev' } });
  const { sessions } = (await answer.json()) as { sessions: { address: string }[] };
  await client.close();
  return sessions[0]?.address;
}

describe.each(topologies)('$name', (topology) => {
  const { checks, sees, start } = topology;
  it('serves both gateways; one of them is killed, and every subscriber still gets each message once', async () => {
    const gateways = await startComposeGateways(topology);
    const proxy = await start(gateways.map(({ gateway, healthPort }) => ({ port: gateway.port, healthPort })));
    onTestFinished(() => proxy.stop());
    if (checks) {
      const up = new Map(gateways.map(({ node }) => [node, 'UP']));
      await expect.poll(() => proxy.states(), PATIENCE).toEqual(up);
      // Longer than a failing check needs to be believed.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(await proxy.states()).toEqual(up);
    }

    const channel = `demo:proxies-${Math.random()}`;
    const subscribers = Array.from({ length: 4 }, () => {
      const client = createClient({ url: `ws://127.0.0.1:${proxy.port}/ws`, backoff: { baseMs: 100, maxMs: 500 } });
      onTestFinished(() => client.close());
      const got: Message[] = [];
      const resets: unknown[] = [];
      client
        .channel(channel)
        .subscribe((message) => got.push(message), { rewind: MESSAGES })
        .on('reset', (reset) => resets.push(reset));
      return { client, got, resets };
    });
    for (const { client } of subscribers) client.connect();
    await Promise.all(subscribers.map(({ client }) => client.ready()));
    const served = new Set(subscribers.map(({ client }) => client.session?.node));
    expect(served).toEqual(new Set(gateways.map(({ node }) => node)));

    expect(await addressSeen(proxy.port)).toBe(sees === 'client' ? '127.0.0.2' : '127.0.0.1');

    for (let n = 0; n < MESSAGES; n++) {
      if (n === MESSAGES / 3) await (gateways[0] as { gateway: GatewayProcess }).gateway.signal('SIGKILL');
      await publishSurely(proxy.port, channel, n);
    }
    const expected = Array.from({ length: MESSAGES }, (_, n) => n);
    for (const { got, resets } of subscribers) {
      await expect.poll(() => got.length, PATIENCE).toBeGreaterThanOrEqual(MESSAGES);
      expect([got.map(({ data }) => data), resets]).toEqual([expected, []]);
    }
    for (const { client } of subscribers) expect(client.session?.node).toBe('gateway-2');
    if (checks) {
      await expect
        .poll(() => proxy.states(), PATIENCE)
        .toEqual(
          new Map([
            ['gateway-1', 'DOWN'],
            ['gateway-2', 'UP'],
          ]),
        );
    }
  });
});
