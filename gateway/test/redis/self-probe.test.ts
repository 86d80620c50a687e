/** The gateway's own client: what it finds out that no other check sees, and that it stays calm where others know better. */
import { expect, it, onTestFinished } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startCluster, startRedis } from '../support/redis-servers.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

const POLL = { timeout: 60_000, interval: 50 };
const QUICK = { PROBE_INTERVAL_MS: '100ms', PROBE_TIMEOUT_MS: '1s' };

async function start(settings: Readonly<Record<string, string>>): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ settings: { ...QUICK, ...settings } });
  onTestFinished(() => gateway.stop());
  return gateway;
}

async function ready({ httpUrl }: GatewayProcess) {
  const response = await fetch(`${httpUrl}/health/ready`);
  return { code: response.status, ...((await response.json()) as { shards: object[] }) };
}

/** Values of a metric, by its labels besides `node`. */
async function metric({ httpUrl }: GatewayProcess, name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  const lines = [...text.matchAll(new RegExp(`^${name}\\{(?:([^}]*),)?node="[^"]*"\\} (\\S+)$`, 'gm'))];
  return Object.fromEntries(lines.map(([, labels = '', value]) => [labels, Number(value)]));
}

const readBack = async (gateway: GatewayProcess) => (await metric(gateway, 'fanfare_probe_seconds_count'))[''] ?? 0;

it('finds out that pushes do not come though everything is acknowledged, and that they come again', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const proxy = await startTcpProxy(Number(new URL(redis.url).port));
  onTestFinished(() => proxy.close());
  const gateway = await start({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
  await expect.poll(() => readBack(gateway), POLL).toBeGreaterThan(3);
  expect(await ready(gateway)).toMatchObject({ code: 200, status: 'ok' });

  proxy.swallow('smessage');
  const detail = expect.stringContaining('the self-probe does not come back');
  await expect
    .poll(() => ready(gateway), POLL)
    .toMatchObject({ code: 503, status: 'lost', shards: [{ state: 'lost', detail }] });
  expect((await gateway.publish({ channel: 'demo:a', data: 1 })).status).toBe(200);
  expect(Object.values(await metric(gateway, 'fanfare_broker_shard_ok'))).toEqual([1]);
  expect(Object.values(await metric(gateway, 'fanfare_probe_ok'))).toEqual([0]);
  expect((await metric(gateway, 'fanfare_probe_failures_total'))['reason="silent"']).toBeGreaterThanOrEqual(3);

  proxy.swallow(undefined);
  await expect.poll(() => ready(gateway), POLL).toMatchObject({ code: 200 });
  await expect.poll(gateway.output).toMatch(/error .*self-probe does not come back.*not pushed back/);
  await expect.poll(gateway.output).toContain('the self-probe comes back again');
});

it('probes each master of a cluster, and is silent about one that is known to be lost', async () => {
  const cluster = await startCluster({ replicas: 0, config: { 'cluster-require-full-coverage': 'no' } });
  onTestFinished(() => cluster.stop());
  const gateway = await start({ REDIS_URL: cluster.url, PROBE_TIMEOUT_MS: '5s' });
  await expect.poll(async () => Object.values(await metric(gateway, 'fanfare_probe_ok')), POLL).toEqual([1, 1, 1]);
  const [dying] = cluster.nodes;
  dying?.pause();
  await expect.poll(() => ready(gateway), POLL).toMatchObject({ code: 503 });
  const before = await readBack(gateway);
  await expect.poll(() => readBack(gateway), POLL).toBeGreaterThan(before + 20);
  dying?.resume();
  await expect.poll(() => ready(gateway), POLL).toMatchObject({ code: 200 });
  expect(gateway.output()).not.toContain('self-probe');
});

it('leaves a gateway ready whose Redis refuses writes', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const gateway = await start({ REDIS_URL: redis.url });
  await expect.poll(() => readBack(gateway), POLL).toBeGreaterThan(1);
  await redis.node.client.config('SET', 'maxmemory', '1');
  const refused = async () => (await metric(gateway, 'fanfare_probe_failures_total'))['reason="refused"'] ?? 0;
  await expect.poll(refused, POLL).toBeGreaterThan(4);
  const detail = expect.stringContaining('refuses writes');
  expect(await ready(gateway)).toMatchObject({ code: 200, shards: [{ state: 'ok', detail }] });
});
