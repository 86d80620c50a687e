/** What a dead shard, or a client that asks for what is unknown, costs the others (P5). */
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { shardOf, slotOfShard } from '../../src/redis/keys.js';
import { range } from '../support/broker-kit.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type ClusterServers, type RedisNode, startCluster, until } from '../support/redis-servers.js';

interface Reply {
  readonly type: string;
  readonly id?: number;
  readonly epoch?: string;
  readonly reason?: string;
}

/** A connection that keeps what it is told. */
async function connect(gateway: GatewayProcess) {
  const socket = new WebSocket(gateway.wsUrl);
  await once(socket, 'open');
  const replies: Reply[] = [];
  socket.on('message', (text) => {
    const frames = [JSON.parse(String(text))].flat() as Reply[];
    for (const frame of frames) if (frame.id !== undefined) replies.push(frame);
  });
  const send = (frame: object) => socket.send(JSON.stringify(frame));
  send({ type: 'connect', id: 1 });
  await until('it is accepted', () => replies.length === 1);
  return { socket, replies, send };
}

let cluster: ClusterServers;
let gateway: GatewayProcess;

beforeEach(async () => {
  cluster = await startCluster({ replicas: 0, config: { 'cluster-require-full-coverage': 'no' } });
  gateway = await startGatewayProcess({ settings: { REDIS_URL: cluster.url } });
});
afterEach(async () => {
  await gateway?.stop();
  await cluster?.stop();
});

it('channels on healthy shards are served though a connection has many on a dead one', async () => {
  const dying = cluster.nodes[0] as RedisNode;
  const masterOf = async (channel: string) => cluster.masterOf(slotOfShard(shardOf(channel)));
  const dead: string[] = [];
  const healthy: string[] = [];
  for (let n = 0; dead.length < 27 || healthy.length < 5; n++) {
    const channel = `demo:${n}`;
    const list = (await masterOf(channel)) === dying ? dead : healthy;
    if (list.length < (list === dead ? 27 : 5)) list.push(channel);
  }
  // More than a channel keeps at hand: who resumes from the beginning needs its log.
  const data = 'x'.repeat(60_000);
  const messages = [...dead, ...healthy].flatMap((channel) => range(1, 6).map(() => ({ channel, data })));
  for (let i = 0; i < messages.length; i += 50) await gateway.publish({ messages: messages.slice(i, i + 50) });

  const stays = await connect(gateway);
  for (const [i, channel] of [...dead, ...healthy].entries()) stays.send({ type: 'subscribe', id: i + 2, channel });
  await until('it is on all', () => stays.replies.length === 1 + dead.length + healthy.length);
  expect(new Set(stays.replies.map(({ type }) => type))).toEqual(new Set(['connected', 'subscribed']));
  const epochs = stays.replies.slice(1).toSorted((a, b) => (a.id as number) - (b.id as number));

  await dying.kill9();
  const ready = async () => (await fetch(`${gateway.httpUrl}/health/ready`)).status;
  await until('its shard is lost', async () => (await ready()) === 503);
  const comes = await connect(gateway);
  for (const [i, channel] of [...dead, ...healthy].entries()) {
    comes.send({ type: 'subscribe', id: i + 2, channel, since: { epoch: epochs[i]?.epoch, offset: 0 } });
  }
  await until('all are answered', () => comes.replies.length === 1 + dead.length + healthy.length);
  const answers = comes.replies.slice(1);
  // All of those that can be served are, before the first that can't be has waited long enough to be told so.
  expect(answers.map(({ type }) => type)).toEqual([...healthy.map(() => 'subscribed'), ...dead.map(() => 'error')]);
  for (const { socket } of [stays, comes]) socket.terminate();
});

it('a client that resumes from unknown positions, one after the other, does not make every node be asked each time', async () => {
  const { socket, replies, send } = await connect(gateway);
  const asked = async () => {
    const infos = await Promise.all(cluster.nodes.map(({ client }) => client.info('commandstats')));
    return infos.map((info) => Number(/cmdstat_cluster\|nodes:calls=(\d+)/.exec(info)?.[1] ?? 0));
  };
  const before = await asked();
  const startedAt = Date.now();
  for (let id = 2; id < 22; id++) {
    send({ type: 'subscribe', id, channel: 'demo:a', since: { epoch: String(id), offset: 3 } });
    await until('it is answered', () => replies.length === id);
  }
  const elapsedMs = Date.now() - startedAt;
  const unknown = replies.filter(({ reason }) => reason === 'unrecoverable');
  expect(unknown.length).toBe(20);
  // Each node: once for every 100 ms of confirmations, and five times a second at most of its own accord.
  for (const [i, calls] of (await asked()).entries()) {
    const asks = calls - (before[i] ?? 0);
    expect(asks).toBeGreaterThanOrEqual(20); // each anew, because an older answer would prove nothing
    expect(asks).toBeLessThanOrEqual(elapsedMs / 100 + elapsedMs / 200 + 3);
  }
  const metrics = await (await fetch(`${gateway.httpUrl}/metrics`)).text();
  expect(metrics).toMatch(/^fanfare_broker_events_total\{event="confirmations",.*\} 20$/m);
  expect(metrics).toMatch(/^fanfare_resets_total\{reason="unrecoverable",.*\} 20$/m);
  socket.terminate();
});
