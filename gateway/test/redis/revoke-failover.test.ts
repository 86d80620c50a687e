/** A revocation outlives the master that stored it: its replica has it, and so have the gateways. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { slotOfShard } from '../../src/redis/keys.js';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type ClusterServers, startCluster, until } from '../support/redis-servers.js';

const SECRET = 'a secret of more than thirty-two bytes';
let cluster: ClusterServers;
beforeAll(async () => {
  cluster = await startCluster({ appendonly: true });
});
afterAll(() => cluster?.stop());

async function start(node: string): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ settings: { REDIS_URL: cluster.url, NODE: node, JWT_SECRET: SECRET } });
  onTestFinished(() => gateway.stop());
  return gateway;
}

/** A token made a minute ago. */
const sign = (claims: Record<string, unknown>) =>
  new SignJWT({ iat: Math.floor(Date.now() / 1000) - 60, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.from(SECRET));

/** What a connection with a token is answered first: `connected`, or the code of the error. */
async function answerTo({ port }: GatewayProcess, claims: Record<string, unknown>): Promise<unknown> {
  const client = await FrameClient.open(port, { token: await sign(claims) });
  await client.close();
  return client.frames[0]?.code ?? client.frames[0]?.type;
}

it('holds on gateways that were there, and on one that begins after the failover', { timeout: 180_000 }, async () => {
  const [a, b] = [await start('a'), await start('b')];
  const client = await FrameClient.open(b.port, { token: await sign({ sub: 'u1' }) });
  for (const body of [{ user: 'u1' }, { jti: 't1' }]) {
    const headers = { authorization: 'Bearer dev' };
    const response = await fetch(`${a.httpUrl}/v1/revoke`, { method: 'POST', headers, body: JSON.stringify(body) });
    expect([response.status, ((await response.json()) as { missing?: unknown }).missing]).toEqual([200, undefined]);
  }
  expect((await client.closed).code).toBe(4401);

  const slot = slotOfShard(0);
  const master = await cluster.masterOf(slot);
  // Replication is asynchronous: what the replica does not have, the gateways store again.
  await master.kill9();
  await until('a replica is promoted', async () => (await cluster.masterOf(slot)).port !== master.port);
  const later = await start('c');
  for (const gateway of [a, b, later]) {
    await until('it serves', async () => (await fetch(`${gateway.httpUrl}/health/ready`)).status === 200);
    // The last one knows what the replica has, and what it has not once one of the others has stored it again.
    await expect.poll(() => answerTo(gateway, { sub: 'u1' })).toBe('unauthorized');
    await expect.poll(() => answerTo(gateway, { sub: 'u2', jti: 't1' })).toBe('unauthorized');
    expect(await answerTo(gateway, { sub: 'u2', jti: 't2' })).toBe('connected');
  }
  // And on one of them that begins anew, with nobody to remember but Redis.
  await a.stop();
  await b.stop();
  await later.stop();
  const alone = await start('a');
  expect(await answerTo(alone, { sub: 'u1' })).toBe('unauthorized');
  expect(await answerTo(alone, { sub: 'u2' })).toBe('connected');
});
