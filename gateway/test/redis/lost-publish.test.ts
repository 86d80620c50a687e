import { expect, it, onTestFinished } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { startRedis, until } from '../support/redis-servers.js';

const CHANNEL = 'demo:lost';

it('a publish that was answered, was pushed to nobody and is lost with its server keeps nobody from joining', async () => {
  const servers = await startRedis();
  onTestFinished(() => servers.stop());
  const gateway = await startGatewayProcess({ settings: { REDIS_URL: servers.url } });
  onTestFinished(() => gateway.stop());
  const { client: redis } = servers.node;
  const publish = async (data: number) => {
    const { status, body } = await gateway.publish({ channel: CHANNEL, data, key: `${data}` });
    expect(status).toBe(200);
    return body;
  };
  const member = await FrameClient.open(gateway.port);
  await member.ask({ type: 'subscribe', channel: CHANNEL });
  for (const data of [1, 2]) await publish(data);
  await member.until(({ data }) => data === 2);
  await redis.call('SAVE');

  // Pushes reach the gateway no more, publishes still reach Redis: until it is gone, and back with what it had saved.
  await redis.call('ACL', 'SETUSER', 'default', '-ssubscribe');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  expect(await publish(3)).toMatchObject({ offset: 3 });
  await servers.node.restart();
  await until('the gateway is ready', async () => (await fetch(`${gateway.httpUrl}/health/ready`)).status === 200);

  const others = await Promise.all([1, 2].map(() => FrameClient.open(gateway.port)));
  for (const other of others) {
    expect(await other.ask({ type: 'subscribe', channel: CHANNEL })).toMatchObject({ type: 'subscribed', offset: 2 });
  }
  expect(await publish(4)).toMatchObject({ offset: 3 });
  for (const client of [member, ...others]) {
    expect(await client.until(({ type, offset }) => type === 'message' && offset === 3)).toMatchObject({ data: 4 });
    expect(client.frames.filter(({ type }) => type === 'reset')).toEqual([]);
    await client.close();
  }
});
