/** What ships is not what stands in the source: names are shortened in it. It has to keep its promises all the same. */
import { describe, expect, it } from 'vitest';

type Testing = typeof import('../../gateway/src/testkit/index.js');
type Sdk = typeof import('../src/index.js');
type Msgpack = typeof import('../src/msgpack.js');
type PositionStores = typeof import('../src/positions.js');

const shipped = <Module>(name: string): Promise<Module> => import(new URL(`../dist/${name}.js`, import.meta.url).href);

const { underFaults } = await shipped<Testing>('testing');
const { compactDialect, defineChannels, durable, jsonDialect } = await shipped<Sdk>('index');
const { msgpackDialect } = await shipped<Msgpack>('msgpack');
const { customPositions } = await shipped<PositionStores>('positions');

const channels = defineChannels({ 'chat:*': durable<number>() });

describe('what ships, under faults', { timeout: 120_000 }, () => {
  it.each([compactDialect, jsonDialect, msgpackDialect])('loses nothing and doubles nothing ($name)', async (codec) => {
    await underFaults({ channels, runs: 12 }, async (gateway) => {
      const kept = new Map<string, object>();
      const positions = customPositions({
        load: async (id) => kept.get(id) as never,
        save: async (id, position) => void kept.set(id, position),
        remove: async (id) => void kept.delete(id),
      });
      const ada = gateway.client({ user: 'ada', codec, positions });
      const bob = gateway.client({ user: 'bob', codec });
      // The audit looks at what they are given: one with a name, one who loops and is present, and a state.
      ada.channel('chat:1').subscribe(() => {}, { resumeAs: 'page' });
      const loop = bob.channel('chat:1').subscribe({ rewind: 3, presence: true });
      const looped = (async () => {
        for await (const { event } of loop.events()) expect(event).toBeDefined();
      })();
      const sum = bob.channel('chat:1').state({
        load: async () => {
          const { messages, head } = gateway.log('chat:1');
          return { state: messages.map(({ data }) => data as number), position: head };
        },
        apply: (state, { data }) => [...state, data],
      });
      const published: Promise<unknown>[] = [];
      for (let n = 0; n < 12; n++) {
        published.push(
          bob
            .channel('chat:1')
            .publish(n)
            .catch((error) => error),
        );
        await gateway.run(500);
        gateway.publish('chat:1', 100 + n);
      }
      await gateway.calm();
      const log = gateway.log('chat:1').messages.map(({ data }) => data);
      expect(sum.status).toBe('live');
      // Of a log that lost its beginning the state has more.
      expect(sum.current?.slice(-log.length)).toEqual(log);
      expect([...kept.values()]).toMatchObject([gateway.log('chat:1').head]);
      expect(loop.presence.members.map(({ user }) => user)).toEqual(['bob']);
      // What was acknowledged or cannot be known is stored once at most.
      for (const outcome of await Promise.all(published))
        expect(outcome).toMatchObject(outcome instanceof Error ? { code: expect.any(String) } : { channel: 'chat:1' });
      for (let n = 0; n < 12; n++) expect(log.filter((data) => data === n).length).toBeLessThanOrEqual(1);
      loop.unsubscribe();
      await looped;
    });
  });
});
