/** A rolling deploy behind a balancer that hears late of a gateway that stops, and tries nothing twice. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startGatewayProcess } from '../support/gateway-process.js';
import { startHaproxy } from '../support/proxies.js';
import { startRedis } from '../support/redis-servers.js';

const PATIENCE = { timeout: 60_000 };

/** Asks every 2 s, and passes an error on instead of trying another gateway. */
const LATE_BALANCER = `
defaults
  mode http
  timeout connect 10s
  timeout check 10s
  timeout client 75s
  timeout server 75s
  retries 0
frontend clients
  bind :80
  default_backend gateways
backend gateways
  balance roundrobin
  option httpchk
  http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host gateway
  default-server check inter 2s fall 1 rise 1
  server gateway-1 gateway-1:8080
  server gateway-2 gateway-2:8080
`;

it('refuses no publish and no connection, as long as the balancer hears of it within the stop delay', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const [leaving, staying] = await Promise.all(
    ['gateway-1', 'gateway-2'].map(async (node) => {
      const settings = { NODE: node, REDIS_URL: redis.url, STOP_DELAY_MS: '5s' };
      const gateway = await startGatewayProcess({ settings });
      onTestFinished(() => gateway.stop());
      return gateway;
    }),
  );
  if (!leaving || !staying) throw new Error('two gateways were started');
  const balancer = await startHaproxy(LATE_BALANCER, [leaving, staying]);
  onTestFinished(() => balancer.stop());
  await expect.poll(async () => [...(await balancer.states()).values()], PATIENCE).toEqual(['UP', 'UP']);

  const client = new WebSocket(leaving.wsUrl);
  await once(client, 'open');
  const sentAway = once(client, 'close') as Promise<[number, Buffer]>;

  let isOver = false;
  const answers = new Map<string, number>();
  const count = (answer: string) => answers.set(answer, (answers.get(answer) ?? 0) + 1);
  const publishing = (async () => {
    for (let n = 0; !isOver; n++) {
      const response = await fetch(`http://127.0.0.1:${balancer.port}/v1/publish`, {
        method: 'POST',
        headers: { authorization: 'Bearer dev' },
        body: JSON.stringify({ channel: 'demo:deploy', data: n }),
      }).catch((error: Error) => ({ status: error.message, text: async () => '' }));
      await response.text();
      count(`publish ${response.status}`);
      await sleep(10);
    }
  })();
  const connecting = (async () => {
    while (!isOver) {
      const socket = new WebSocket(`ws://127.0.0.1:${balancer.port}/ws`);
      const outcome = await once(socket, 'open').then(
        () => 'open',
        (error: Error) => error.message,
      );
      count(`connect ${outcome}`);
      socket.close();
      await sleep(50);
    }
  })();

  await sleep(300);
  const startedAt = performance.now();
  await leaving.signal('SIGTERM');
  await expect
    .poll(async () => (await fetch(`${leaving.httpUrl}/health/ready`)).json(), PATIENCE)
    .toMatchObject({ status: 'stopping' });
  // Whoever comes here all the same is served, and told to go elsewhere with what follows.
  const late = await fetch(`${leaving.httpUrl}/v1/publish`, {
    method: 'POST',
    headers: { authorization: 'Bearer dev' },
    body: JSON.stringify({ channel: 'demo:deploy', data: 'late' }),
  });
  expect([late.status, late.headers.get('connection')]).toEqual([200, 'close']);
  expect(client.readyState).toBe(WebSocket.OPEN);

  const [code, reason] = await sentAway;
  expect([code, JSON.parse(String(reason))]).toEqual([4000, { retryAfter: expect.any(Number) }]);
  expect(performance.now() - startedAt).toBeGreaterThan(4_900);
  expect(await leaving.exited).toEqual([0, null]);
  await sleep(300);
  isOver = true;
  await Promise.all([publishing, connecting]);
  expect([...answers.keys()].sort()).toEqual(['connect open', 'publish 200']);
  expect(answers.get('publish 200')).toBeGreaterThan(10);
  expect(answers.get('connect open')).toBeGreaterThan(10);
});
