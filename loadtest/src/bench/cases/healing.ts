import { setTimeout as sleep } from 'node:timers/promises';
import { TcpIntake, takeRedisReply, WebSocketIntake } from '../../generators/intake.js';
import { dataFrame } from '../../generators/websocket-frames.js';
import { watchCpu } from '../../report/cpu.js';
import type { Contender } from '../../servers/contender.js';
import { redisCommand } from '../../servers/contender.js';
import type { ServerProcess } from '../../servers/server-process.js';

interface HealingResult {
  /** Time from the cut of the gateway's pub/sub connections until every channel is repaired, ms. */
  readonly healedMs: number;
  /** CPU time that the gateway takes while nothing is published, as a share of a core. */
  readonly idleShare: number;
}

const IDLE_MS = 5_000;
const DEADLINE_MS = 60_000;
const STRIDE = 1_000;

/**
 * Puts one client on `channels` durable channels of one gateway, then cuts all pub/sub connections of Redis.
 * Rejects if not every channel was repaired in time.
 */
export async function measureHealing(gateway: Contender, redisPort: number, channels: number): Promise<HealingResult> {
  const client = await WebSocketIntake.open(`ws://127.0.0.1:${gateway.port}/ws`);
  client.write(dataFrame('{"type":"connect","id":1}'));
  const names = Array.from({ length: channels }, (_, index) => `bench-${index}`);
  for (let from = 0; from < channels; from += STRIDE) {
    const frames = names
      .slice(from, from + STRIDE)
      .map((channel, i) => dataFrame(JSON.stringify({ type: 'subscribe', id: from + i + 2, channel })));
    client.write(Buffer.concat(frames));
    await until(gateway, 'fanfare_subscriptions', from + frames.length);
  }
  const idleShare = await idle(gateway.server);
  const repairs = await read(gateway, 'fanfare_repairs_total');
  const redis = await TcpIntake.open(redisPort, takeRedisReply);
  const cutAt = performance.now();
  redis.write(redisCommand('CLIENT', 'KILL', 'TYPE', 'pubsub'));
  await until(gateway, 'fanfare_repairs_total', repairs + channels);
  const healedMs = performance.now() - cutAt;
  redis.close();
  client.close();
  if (client.fault) throw new Error(client.fault);
  return { healedMs, idleShare };
}

async function idle(server: ServerProcess): Promise<number> {
  await sleep(1_000);
  const cpu = watchCpu(server);
  await sleep(IDLE_MS);
  return cpu().server;
}

async function until(gateway: Contender, metric: string, value: number): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const now = await read(gateway, metric);
    if (now >= value) return;
    if (performance.now() > deadline) throw new Error(`${metric} is ${now}, not ${value}, after ${DEADLINE_MS} ms`);
    await sleep(20);
  }
}

async function read(gateway: Contender, metric: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${gateway.port}/metrics`)).text();
  return Number(new RegExp(`^${metric}(?:{[^}]*})? (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);
}
