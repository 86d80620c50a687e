import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { FrameClient } from '../support/frame-client.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startSentinel, until } from '../support/redis-servers.js';

/** Publishes 1, 2, 3, … to some channels, one after the other on each, and keeps what was promised. */
class Publisher {
  /** Those of which the answer says that it is as safe as it was asked for, by channel. */
  readonly promised = new Map<string, number[]>();
  /** Answered with 200, and not as safe as was asked for. */
  short = 0;
  readonly #gateway: GatewayProcess;
  readonly #running: Promise<unknown>;
  #isStopping = false;

  constructor(gateway: GatewayProcess, name: string, ask: object) {
    this.#gateway = gateway;
    const channels = [1, 2, 3, 4].map((n) => `demo:${name}-${n}`);
    this.#running = Promise.all(channels.map((channel) => this.#publishTo(channel, ask)));
  }

  get count(): number {
    return [...this.promised.values()].reduce((sum, { length }) => sum + length, 0);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  /** How many of those that were promised are in no log. */
  async lost(): Promise<number> {
    let lost = 0;
    for (const [channel, numbers] of this.promised) {
      const stored = new Set(await this.#stored(channel));
      lost += numbers.filter((n) => !stored.has(n)).length;
    }
    return lost;
  }

  async #publishTo(channel: string, ask: object): Promise<void> {
    const promised: number[] = [];
    this.promised.set(channel, promised);
    for (let n = 1; !this.#isStopping; n++) {
      const { status, body } = await this.#gateway.publish({ channel, data: n, key: `k${n}`, ...ask });
      if (status !== 200) continue;
      const { durability } = ask as { durability?: string };
      if (body.durability === durability) promised.push(n);
      else this.short++;
      await delay(2);
    }
  }

  /** The whole log, page by page from its end. */
  async #stored(channel: string): Promise<number[]> {
    const headers = { authorization: 'Bearer dev' };
    const all: number[] = [];
    for (let before = '', more = true; more; ) {
      const url = `${this.#gateway.httpUrl}/v1/history?channel=${channel}&limit=1000${before}`;
      const answer = await fetch(url, { headers });
      const page = (await answer.json()) as {
        messages: { epoch: string; offset: number; data: number }[];
        more: boolean;
      };
      all.push(...page.messages.map(({ data }) => data));
      before = `&before=${page.messages[0]?.epoch}-${page.messages[0]?.offset}`;
      more = page.more;
    }
    return all;
  }
}

it('what all replicas are said to have survives a planned failover by sentinels, two of them under load', async () => {
  const servers = await startSentinel({ replicas: 2 });
  onTestFinished(() => servers.stop());
  const file = { namespaces: { demo: { history: { size: 100_000 }, publish: 'anyone' } } };
  const settings = { REDIS_URL: servers.url };
  const [safe, quick] = await Promise.all([1, 2].map(() => startGatewayProcess({ settings, file })));
  onTestFinished(async () => {
    await Promise.all([safe?.stop(), quick?.stop()]);
  });
  const durability = 'replicated';
  const publishers = {
    all: new Publisher(safe as GatewayProcess, 'all', { durability, replicas: 'all' }),
    two: new Publisher(safe as GatewayProcess, 'two', { durability, replicas: 2 }),
    one: new Publisher(quick as GatewayProcess, 'one', { durability, replicas: 1 }),
    stored: new Publisher(quick as GatewayProcess, 'stored', {}),
  };
  const each = Object.values(publishers);
  const goesOn = async (by: number) => {
    const before = each.map(({ count }) => count);
    await until(
      'all publishers go on',
      () => each.every(({ count }, i) => count >= (before[i] as number) + by),
      60_000,
    );
  };
  await goesOn(100);
  await servers.failOver();
  // The old one is a replica again, so that there are two.
  await goesOn(100);
  for (const publisher of each) await publisher.stop();
  // The same by WebSocket, of those that are there now.
  const client = await FrameClient.open((safe as GatewayProcess).port);
  const publish = { type: 'publish', channel: 'demo:ws', data: 1, durability };
  // A replica of a busy machine may take longer to answer than a publish waits for it.
  const answerTo = (replicas: number) => () => client.ask({ ...publish, replicas });
  await expect.poll(answerTo(2)).toMatchObject({ durability, replicas: 2, of: 2 });
  await expect.poll(answerTo(3)).toMatchObject({ durability: 'stored', replicas: 2, of: 2 });
  await client.close();
  const report: Record<string, object> = {};
  for (const [name, publisher] of Object.entries(publishers)) {
    report[name] = { promised: publisher.count, short: publisher.short, lost: await publisher.lost() };
  }
  console.log('SENTINEL FAILOVER, two replicas:', report);
  expect(report).toMatchObject({ all: { lost: 0 }, two: { lost: 0 } });
});
