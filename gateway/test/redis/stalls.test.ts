/**
 * A channel owes its members a `reset`, and nobody can confirm it, because most sentinels are away: it hesitates, and
 * says so wherever somebody looks. Its neighbours are served.
 */
import { expect, it, type TestContext } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type RedisNode, type SentinelServers, startSentinel, until } from '../support/redis-servers.js';

const STALLED = 'demo:stalled';
const HEALTHY = 'demo:healthy';
const NEIGHBOUR = 'demo:neighbour';

interface Ready {
  readonly status: number;
  readonly detail: string;
}

async function ready({ httpUrl }: GatewayProcess): Promise<Ready> {
  const answer = await fetch(`${httpUrl}/health/ready`);
  const { shards } = (await answer.json()) as { shards: { detail?: string }[] };
  return { status: answer.status, detail: shards.map(({ detail = '' }) => detail).join() };
}

/** The samples of the gauge, by label. */
async function stalledChannels({ httpUrl }: GatewayProcess): Promise<Record<string, number>> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  const samples = text.matchAll(/^fanfare_stalled_channels{.*\bshard="([^"]*)".*} (\d+)/gm);
  return Object.fromEntries([...samples].map(([, shard, channels]) => [shard, Number(channels)]));
}

const linesWith = (gateway: GatewayProcess, text: string) =>
  gateway
    .output()
    .split('\n')
    .filter((line) => line.includes(text));

/** The replica is promoted, and the master, which went on, becomes its replica and a master again. */
async function fork(master: RedisNode, replica: RedisNode, publish: () => Promise<void>): Promise<void> {
  await replica.client.call('REPLICAOF', 'NO', 'ONE');
  await publish();
  await master.client.call('REPLICAOF', '127.0.0.1', replica.port);
  await until('it has the data of the other one', async () =>
    (await master.client.info('replication')).includes('master_link_status:up'),
  );
  await master.client.call('REPLICAOF', 'NO', 'ONE');
}

/** The master comes back with what it had when it saved last. */
async function restartWithOldData(master: RedisNode, _: RedisNode, publish: () => Promise<void>): Promise<void> {
  await master.client.call('SAVE');
  await publish();
  await master.restart();
}

async function start({ onTestFinished }: TestContext): Promise<{ servers: SentinelServers; gateway: GatewayProcess }> {
  const servers = await startSentinel({ replicas: 1 });
  onTestFinished(() => servers.stop());
  const gateway = await startGatewayProcess({ settings: { REDIS_URL: servers.url } });
  onTestFinished(() => gateway.stop());
  return { servers, gateway };
}

it.concurrent.for([
  ['that lost a promotion', fork],
  ['that restarted with old data', restartWithOldData],
] as const)(
  'while no majority confirms a master %s, it hesitates with resets, and says so',
  async ([, lose], context) => {
    const { servers, gateway } = await start(context);
    const master = await servers.master();
    const replica = servers.nodes.find((node) => node !== master) as RedisNode;
    const publish = async (channel: string, data: number) => {
      expect((await gateway.publish({ channel, data, key: `${data}` })).status).toBe(200);
    };
    const member = await FrameClient.open(gateway.port);
    const joined: Record<string, { epoch: unknown; offset: unknown }> = {};
    for (const channel of [STALLED, HEALTHY, NEIGHBOUR]) {
      const { epoch, offset } = await member.ask({ type: 'subscribe', channel });
      joined[channel] = { epoch, offset };
      for (const data of [1, 2]) await publish(channel, data);
    }
    const gets = (channel: string, data: number) =>
      member.until((frame) => frame.type === 'message' && frame.channel === channel && frame.data === data);
    await until('the replica has it', async () => (await master.client.wait(1, 100)) === 1);

    const away = servers.sentinels.slice(0, 2);
    for (const sentinel of away) sentinel.pause();
    await lose(master, replica, async () => {
      for (const data of [3, 4]) await publish(STALLED, data);
      await gets(STALLED, 4);
    });
    // What was not lost is served again, and so is publishing.
    await publish(HEALTHY, 3);
    await gets(HEALTHY, 3);

    await until('ready tells', async () => (await ready(gateway)).detail !== '');
    const shard = `127.0.0.1:${master.port}`;
    const { status, detail } = await ready(gateway);
    expect([status, detail]).toEqual([200, expect.stringMatching(/^1 channels stand still, the first for \d+ s: ./)]);
    const [, reason] = /s: (.*)$/.exec(detail) as RegExpExecArray;
    expect(await stalledChannels(gateway)).toEqual({ [shard]: 1 });
    await until('the log tells', () => linesWith(gateway, 'channels stand still').length > 0);
    await publish(STALLED, 5);

    const other = await FrameClient.open(gateway.port);
    const refused = {
      type: 'error',
      code: 'unavailable',
      retryable: true,
      message: expect.stringContaining(`${reason}`),
    };
    expect(await other.ask({ type: 'subscribe', channel: STALLED })).toMatchObject(refused);
    expect(await other.ask({ type: 'subscribe', channel: STALLED, since: joined[STALLED] })).toMatchObject(refused);
    // That nobody knows its position has to be confirmed. It waits for that alone.
    const unknown = other.ask({ type: 'subscribe', channel: HEALTHY, since: { epoch: '1', offset: 1 } });
    let isAnswered = false;
    void unknown.then(() => {
      isAnswered = true;
    });
    const another = await FrameClient.open(gateway.port);
    const recovered = { type: 'subscribed', recovered: true };
    expect(await other.ask({ type: 'subscribe', channel: NEIGHBOUR, since: joined[NEIGHBOUR] })).toMatchObject(
      recovered,
    );
    expect(await another.ask({ type: 'subscribe', channel: HEALTHY, since: joined[HEALTHY] })).toMatchObject(recovered);
    expect(isAnswered).toBe(false);
    await publish(NEIGHBOUR, 3);
    await gets(NEIGHBOUR, 3);
    expect(await unknown).toMatchObject({ type: 'error', code: 'unavailable', retryable: true });
    const resets = () => member.frames.filter(({ type }) => type === 'reset');
    expect(resets()).toEqual([]);
    expect(linesWith(gateway, 'channels stand still')).toEqual([expect.stringContaining(shard)]);

    for (const sentinel of away) sentinel.resume();
    await gets(STALLED, 5);
    expect(resets()).toEqual([expect.objectContaining({ channel: STALLED, reason: 'diverged', offset: 2 })]);
    expect(await other.ask({ type: 'subscribe', channel: STALLED })).toMatchObject({ type: 'subscribed', offset: 3 });
    await until('ready has nothing to tell', async () => (await ready(gateway)).detail === '');
    expect(await stalledChannels(gateway)).toEqual({ [shard]: 0 });
    await until('the log tells', () => linesWith(gateway, 'no channels stand still any more').length === 1);
    await Promise.all([member, other, another].map((client) => client.close()));
  },
);
