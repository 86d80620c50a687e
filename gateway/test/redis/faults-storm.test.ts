import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Crowd } from '../faults/crowd.js';
import { SCALE } from '../faults/harness.js';
import { World } from '../faults/world.js';
import { type RedisNode, startRedis, until } from '../support/redis-servers.js';

const TIMEOUT_MS = 400_000;
const MOST_READS = 10;
const PUBLISH_MS = 250;

/** Calls of a command so far, those from scripts included, as the server counted them. */
async function calls({ client }: RedisNode, command: string): Promise<number> {
  const stats = await client.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

/** Scripts that pushed nothing: reads of logs. A publish of one message is one script and one push. */
async function reads(node: RedisNode): Promise<number> {
  return (await calls(node, 'evalsha')) + (await calls(node, 'eval')) - (await calls(node, 'spublish'));
}

it('very many clients of one channel lose their gateway at once', { timeout: TIMEOUT_MS }, async () => {
  const servers = await startRedis({ appendonly: true });
  const world = await World.start(servers);
  const [home, refuge] = world.gateways as [(typeof world.gateways)[0], (typeof world.gateways)[0]];
  const channel = world.newChannel(0);
  const crowd = new Crowd(channel);
  let offset = 0;
  let isPublishing = true;
  const publish = async () => {
    for (let n = 1; isPublishing; n++) {
      const { status, body } = await refuge.publish({ channel, data: { n } });
      expect(status).toBe(200);
      offset = Number(body.offset);
      await delay(PUBLISH_MS);
    }
  };
  try {
    const publishing = publish();
    await crowd.join(SCALE.stormClients, home, refuge);
    await delay(1_000);
    const readsBefore = await reads(servers.node);
    const killedAt = Date.now();
    await home.signal('SIGKILL');
    // Live again: at the head as it was when the last one came.
    while (crowd.reached(offset) < crowd.size || crowd.subscribed < crowd.size || Date.now() - killedAt < 200) {
      if (Date.now() - killedAt > 60_000) break;
      await delay(20);
    }
    const liveMs = Date.now() - killedAt;
    await delay(1_000);
    const readsAfter = await reads(servers.node);
    isPublishing = false;
    await publishing;
    await until('all have the last one', () => crowd.reached(offset) === crowd.size);
    await delay(1_000);
    process.stdout.write(
      `\n${crowd.size} clients of one channel lost their gateway: all live on the other after ${liveMs} ms, ` +
        `${readsAfter - readsBefore} reads of the log, lost ${crowd.problems.lost ?? 0}, ` +
        `duplicated ${crowd.problems.duplicated ?? 0}\n`,
    );
    expect(crowd.problems).toEqual({});
    expect(crowd.reached(offset)).toBe(crowd.size);
    expect(readsAfter - readsBefore).toBeLessThanOrEqual(MOST_READS);
  } finally {
    isPublishing = false;
    crowd.close();
    await world.stop();
  }
});
