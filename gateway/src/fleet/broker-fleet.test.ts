import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryBroker } from '../broker/memory/memory-broker.js';
import { MemoryLog } from '../broker/memory/memory-log.js';
import { systemClock } from '../clock.js';
import { BrokerFleet, type FleetTimings } from './broker-fleet.js';
import type { ChannelInfo } from './fleet.js';

const open: BrokerFleet[] = [];
afterEach(async () => {
  for (const fleet of open.splice(0)) await fleet.close();
});

/** Gateways over one log; what is pushed on it reaches all of them. */
function join(log: MemoryLog, node: string, channels: readonly ChannelInfo[] = [], timings?: Partial<FleetTimings>) {
  const fleet = new BrokerFleet({
    broker: createMemoryBroker({ log }),
    clock: systemClock,
    instance: `instance of ${node}`,
    self: () => ({ node, version: '1', connections: 1, uptimeMs: 2 }),
    channels: () => channels,
    ...(timings && { timings }),
  });
  fleet.start();
  open.push(fleet);
  return fleet;
}

/** Something that all hear, from a gateway that is not here. */
function say(log: MemoryLog, text: string): void {
  const payload = { format: 'json', bytes: Buffer.from(text) } as const;
  log.publish({ name: ' fleet', durable: false, historySize: 1, historyTtlMs: 1 }, [{ payload }]);
}

/** They have met: hello and the answers to it. */
const settled = () => delay(20);
const ALL = { prefix: '', after: '', limit: 1000 };

describe('the fleet', () => {
  it('knows everyone, whoever came first', async () => {
    const log = new MemoryLog({ clock: systemClock });
    const fleets = ['c', 'a', 'b'].map((node) => join(log, node));
    await settled();
    for (const fleet of fleets) {
      const { nodes, missing } = await fleet.nodes();
      expect(nodes.map(({ node }) => node)).toEqual(['a', 'b', 'c']);
      expect(missing).toEqual([]);
    }
  });

  it('adds up subscribers, and pages through channels that no gateway has all of', async () => {
    const log = new MemoryLog({ clock: systemClock });
    const odd = [1, 3, 5, 7].map((n) => ({ channel: `a:${n}`, subscribers: 1 }));
    const low = [1, 2, 3].map((n) => ({ channel: `a:${n}`, subscribers: 10 }));
    const fleet = join(log, 'odd', [...odd, { channel: 'b:1', subscribers: 1 }, { channel: 'a:9', subscribers: 0 }]);
    join(log, 'low', low);
    await settled();
    const first = await fleet.channels({ prefix: 'a:', after: '', limit: 3 });
    const second = await fleet.channels({ prefix: 'a:', after: 'a:3', limit: 3 });
    expect(first).toEqual({
      channels: [
        { channel: 'a:1', subscribers: 11 },
        { channel: 'a:2', subscribers: 10 },
        { channel: 'a:3', subscribers: 11 },
      ],
      more: true,
      missing: [],
    });
    expect(second).toMatchObject({ channels: [{ channel: 'a:5' }, { channel: 'a:7' }], more: false });
  });

  it('names who does not answer in time, and forgets who stays silent', async () => {
    const log = new MemoryLog({ clock: systemClock });
    const timings = { helloMs: 50, forgetMs: 1_000, answerMs: 50 };
    const fleet = join(log, 'a', [], timings);
    await settled();
    say(log, JSON.stringify({ hello: 'frozen', node: 'z', isNew: false }));
    expect(await fleet.channels(ALL)).toEqual({ channels: [], more: false, missing: ['z'] });
    await expect.poll(async () => (await fleet.nodes()).missing).toEqual([]);
  });

  it('is of several versions: who asks what another does not know is told so, and answers may say more', async () => {
    const log = new MemoryLog({ clock: systemClock });
    const fleet = join(log, 'a', [], { helloMs: 60_000, forgetMs: 60_000, answerMs: 10_000 });
    const heard: Record<string, unknown>[] = [];
    const hear = (name: string) =>
      log.subscribe(name, ({ payload }) => heard.push(JSON.parse(Buffer.from(payload.bytes).toString())));
    hear(' fleet new');
    hear(' fleet');
    await settled();

    // A newer gateway asks.
    say(log, JSON.stringify({ hello: 'new', node: 'n', isNew: true, since: 5 }));
    say(log, JSON.stringify({ from: 'new', id: 1, question: { ask: 'members', channel: 'a' }, trace: 'x' }));
    say(log, JSON.stringify({ from: 'new', id: 2, question: { ask: 'nodes', deep: true } }));
    await settled();
    expect(heard).toContainEqual({ answer: 'instance of a', id: 1 });
    expect(heard).toContainEqual(expect.objectContaining({ id: 2, share: expect.objectContaining({ node: 'a' }) }));

    // It is asked, and says more than was known; then an older one is, which does not know the question.
    const answerTo = (share?: object) => {
      const { from, id } = heard.findLast((one) => 'question' in one && one.from === 'instance of a') ?? {};
      const payload = { format: 'json', bytes: Buffer.from(JSON.stringify({ answer: 'new', id, share })) } as const;
      log.publish({ name: ` fleet ${from}`, durable: false, historySize: 1, historyTtlMs: 1 }, [{ payload }]);
    };
    const asked = fleet.nodes();
    await settled();
    answerTo({ node: 'n', version: '9', connections: 1, uptimeMs: 2, region: 'eu' });
    expect(await asked).toMatchObject({ nodes: [{ node: 'a' }, { node: 'n', version: '9' }], missing: [] });
    const askedAgain = fleet.nodes();
    await settled();
    answerTo();
    expect(await askedAgain).toMatchObject({ nodes: [{ node: 'a' }], missing: ['n'] });
  });

  it('does not wait for one that said good-bye, nor stumble over what it does not understand', async () => {
    const log = new MemoryLog({ clock: systemClock });
    const [a, b] = ['a', 'b'].map((node) => join(log, node)) as [BrokerFleet, BrokerFleet];
    await settled();
    for (const text of ['null', '7', 'nonsense', '{}', '{"from":"x","id":1,"question":{"ask":"new"}}']) {
      say(log, text);
    }
    await b.close();
    expect(await a.nodes()).toMatchObject({ nodes: [{ node: 'a' }], missing: [] });
  });
});
