import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Broker, type ChannelSpec, isReached, type PublishOutcome } from '../../src/broker/broker.js';
import { systemClock } from '../../src/clock.js';
import { shardOf, slotOfShard } from '../../src/redis/keys.js';
import {
  delay,
  durableChannel,
  json,
  payloadValue,
  positionOf,
  publishOne,
  range,
  readAll,
} from '../support/broker-kit.js';
import { createRedisBroker } from '../support/redis-broker.js';
import {
  type ClusterServers,
  type RedisNode,
  type RedisServers,
  startCluster,
  startSentinel,
  until,
} from '../support/redis-servers.js';
import { beginMove, moveKeys, tellMoved } from '../support/slot-move.js';

const slotOf = (channel: ChannelSpec) => slotOfShard(shardOf(channel.name));

async function startBroker(servers: RedisServers): Promise<Broker> {
  // Nothing is given up here, however long a failover takes on a busy machine.
  const broker = createRedisBroker({ url: servers.url, clock: systemClock, timings: { giveUpMs: 60_000 } });
  await broker.start();
  return broker;
}

const values = async (broker: Broker, channel: ChannelSpec) =>
  (await readAll(broker, channel)).entries.map(payloadValue) as number[];

interface PublisherOptions {
  readonly hasKeys?: boolean;
  readonly isReplicated?: boolean;
}

/** Publishes 1, 2, 3, … to one channel, one after the other, until told to stop. */
class SteadyPublisher {
  readonly channel = durableChannel();
  readonly outcomes = new Map<number, PublishOutcome>();
  readonly #running: Promise<void>;
  #isStopping = false;

  constructor(broker: Broker, { hasKeys, isReplicated }: PublisherOptions = {}) {
    this.#running = this.#run(broker, hasKeys ?? false, isReplicated ?? false);
  }

  get acknowledged(): number[] {
    return [...this.outcomes].filter(([, outcome]) => !(outcome instanceof Error)).map(([n]) => n);
  }

  get errors(): Error[] {
    return [...this.outcomes.values()].filter((outcome) => outcome instanceof Error);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  async #run(broker: Broker, hasKeys: boolean, isReplicated: boolean): Promise<void> {
    for (let n = 1; !this.#isStopping; n++) {
      const message = json(n, hasKeys ? { key: `k${n}` } : {});
      const [outcome] = await broker.publish(this.channel, [message], isReplicated ? { replicas: 'all' } : {});
      this.outcomes.set(n, outcome as PublishOutcome);
      await delay(5);
    }
  }
}

/** Those that a replica is known to have. */
function reachedBy({ outcomes }: SteadyPublisher) {
  return [...outcomes].filter(
    ([, outcome]) => !(outcome instanceof Error) && outcome.reached && isReached(outcome.reached, 'all'),
  );
}

/** Each was stored at most once, in order, and what was acknowledged is in the log. */
async function expectStored(broker: Broker, publisher: SteadyPublisher): Promise<void> {
  const stored = await values(broker, publisher.channel);
  expect(stored).toEqual([...new Set(stored)].sort((a, b) => a - b));
  expect(stored).toEqual(expect.arrayContaining(publisher.acknowledged));
}

describe('a slot that moves', () => {
  let cluster: ClusterServers;
  let broker: Broker;

  beforeEach(async () => {
    cluster = await startCluster({ replicas: 0 });
    broker = await startBroker(cluster);
  });
  afterEach(async () => {
    await broker?.close();
    await cluster?.stop();
  });

  it.each(['source', 'target'] as const)('refuses nothing when the %s is told first', async (first) => {
    const publishers = [new SteadyPublisher(broker), new SteadyPublisher(broker, { hasKeys: true })];
    await delay(200);
    for (const { channel } of publishers) {
      const move = await beginMove(cluster, slotOf(channel));
      await moveKeys(move);
      const [one, other] = first === 'source' ? [move.source, move.target] : [move.target, move.source];
      await tellMoved(one, move);
      await delay(500);
      await tellMoved(other, move);
      await delay(200);
    }
    for (const publisher of publishers) {
      const before = publisher.acknowledged.length;
      await until('it goes on', () => publisher.acknowledged.length > before + 20);
      await publisher.stop();
      expect(publisher.errors).toEqual([]);
      await expectStored(broker, publisher);
    }
  });

  it('is followed by ASK to where the keys of a channel are', async () => {
    const channel = durableChannel();
    await publishOne(broker, channel, json(1));
    const move = await beginMove(cluster, slotOf(channel));
    await moveKeys(move);
    await move.target.client.script('FLUSH'); // it must learn the script from whoever was sent there
    expect((await publishOne(broker, channel, json(2))).offset).toBe(2);
    expect(await values(broker, channel)).toEqual([1, 2]);
  });

  it('overlooks no idempotency key that went ahead, and holds up nobody else', async () => {
    const channel = durableChannel();
    const first = await publishOne(broker, channel, json(1, { key: 'k' }));
    const move = await beginMove(cluster, slotOf(channel));
    await moveKeys(move, (key) => key.includes(':i:'));
    let again: PublishOutcome | undefined;
    const publishing = broker.publish(channel, [json(2, { key: 'k' })]).then(([outcome]) => {
      again = outcome;
    });
    const others = range(1, 20)
      .map(() => durableChannel())
      .filter((other) => slotOf(other) !== move.slot);
    for (const other of others) await publishOne(broker, other, json(1));
    await delay(300);
    expect(again).toBeUndefined();
    await moveKeys(move);
    await tellMoved(move.target, move);
    await tellMoved(move.source, move);
    await publishing;
    expect(again).toEqual({ position: first, duplicate: true });
    expect(await values(broker, channel)).toEqual([1]);
  });
});

describe('a failover in a cluster', () => {
  let cluster: ClusterServers;
  let broker: Broker;
  let publishers: SteadyPublisher[];
  let master: RedisNode;

  /** Three publishers, the first of whom publishes to the first master. */
  beforeEach(async () => {
    cluster = await startCluster({ appendonly: true });
    broker = await startBroker(cluster);
    master = cluster.nodes[0] as RedisNode;
    publishers = [];
  });
  afterEach(async () => {
    await Promise.all(publishers.map((publisher) => publisher.stop()));
    await broker?.close();
    await cluster?.stop();
  });

  async function publishTo(node: RedisNode, options: PublisherOptions): Promise<SteadyPublisher> {
    for (;;) {
      const publisher = new SteadyPublisher(broker, options);
      if ((await cluster.masterOf(slotOf(publisher.channel))) === node) {
        publishers.push(publisher);
        return publisher;
      }
      await publisher.stop();
    }
  }

  const goesOn = async (publisher: SteadyPublisher, count = 20) => {
    const before = publisher.acknowledged.length;
    await until('publishing goes on', () => publisher.acknowledged.length > before + count);
  };

  it('that was planned refuses nothing and loses nothing, without keys', async () => {
    const publisher = await publishTo(master, {});
    const [replica] = (await cluster.replicasOf(master)) as [RedisNode];
    await goesOn(publisher);
    await cluster.promote(replica);
    await until('it is promoted', async () => (await cluster.masterOf(slotOf(publisher.channel))) === replica);
    await goesOn(publisher);
    await publisher.stop();
    expect(publisher.errors).toEqual([]);
    await expectStored(broker, publisher);
    expect((await readAll(broker, publisher.channel)).lineage.length).toBe(2);
  });

  it('after a kill -9 loses nothing that a replica had acknowledged, and doubles nothing', async () => {
    const replicated = await publishTo(master, { hasKeys: true, isReplicated: true });
    const keyless = await publishTo(master, {});
    const elsewhere = await publishTo(cluster.nodes[1] as RedisNode, {});
    await until('replicas have acknowledged some', () => reachedBy(replicated).length > 20);
    await master.kill9();
    await goesOn(keyless);
    await goesOn(elsewhere);
    await goesOn(replicated, 2); // each waits in vain for a replica
    for (const publisher of publishers) await publisher.stop();
    expect(replicated.errors).toEqual([]);
    expect(elsewhere.errors).toEqual([]);
    for (const error of keyless.errors) expect(error).toMatchObject({ code: 'outcome_unknown' });
    expect(keyless.errors.length).toBeLessThanOrEqual(1);
    const reached = reachedBy(replicated);
    const stored = await values(broker, replicated.channel);
    expect(stored).toEqual(expect.arrayContaining(reached.map(([n]) => n)));
    expect(stored).toEqual([...new Set(stored)]);
    await expectStored(broker, elsewhere);
  });

  it('from a master that froze is over soon after the promotion, also when it thaws', async () => {
    const keyed = await publishTo(master, { hasKeys: true });
    const keyless = await publishTo(master, {});
    const [replica] = await cluster.replicasOf(master);
    for (const publisher of [keyed, keyless]) await goesOn(publisher);
    master.pause();
    await until('it is promoted', async () => (await cluster.masterOf(slotOf(keyed.channel))) === replica);
    await goesOn(keyed);
    await goesOn(keyless);
    master.resume();
    await delay(1500);
    await goesOn(keyed);
    for (const publisher of [keyed, keyless]) {
      await publisher.stop();
      const stored = await values(broker, publisher.channel);
      expect(stored).toEqual([...new Set(stored)].sort((a, b) => a - b));
    }
    expect(keyed.errors).toEqual([]);
    expect(keyless.errors.length).toBeLessThanOrEqual(1);
    for (const error of keyless.errors) expect(error).toMatchObject({ code: 'outcome_unknown' });
  });
});

it('publishing follows sentinels to the new master', async () => {
  const servers = await startSentinel({ appendonly: true });
  const broker = await startBroker(servers);
  const publisher = new SteadyPublisher(broker, { hasKeys: true });
  try {
    await until('some are acknowledged', () => publisher.acknowledged.length > 20);
    const master = await servers.master();
    await master.kill9();
    await until('another one is master', async () => (await servers.master()) !== master);
    const before = publisher.acknowledged.length;
    await until('publishing goes on', () => publisher.acknowledged.length > before + 20);
    await publisher.stop();
    expect(publisher.errors).toEqual([]);
    const stored = await values(broker, publisher.channel);
    expect(stored).toEqual([...new Set(stored)].sort((a, b) => a - b));
    expect(positionOf(publisher.outcomes.get(1)).offset).toBe(1);
  } finally {
    await publisher.stop();
    await broker.close();
    await servers.stop();
  }
});
