/** Names and stores of the SDK, over the real gateway of the test kit, through faults of all kinds. */
import { describe, expect, it } from 'vitest';
import { underFaults } from '../../gateway/src/testkit/index.js';
import { defineChannels, durable, live, type Position } from '../src/index.js';
import { customPositions, type StoredPosition } from '../src/positions.js';
import { latestStore, messagesStore } from '../src/store.js';

const channels = defineChannels({ 'chat:*': durable<number>(), 'price:*': live<number>() });

/** Places where a message does not follow the one before, which may have come again. */
function breaks(positions: readonly Position[]): number {
  return positions.filter((position, i) => {
    const before = positions[i - 1];
    return before && position.offset !== before.offset + 1 && position.offset !== before.offset;
  }).length;
}

describe('under faults', { timeout: 120_000 }, () => {
  it('a name goes on from page to page: nothing is skipped, but where a reset says so', async () => {
    let pages = 0;
    await underFaults({ channels, runs: 40 }, async (gateway) => {
      const kept = new Map<string, StoredPosition>();
      const store = {
        load: async (id: string) => kept.get(id),
        save: async (id: string, position: StoredPosition) => void kept.set(id, position),
        remove: async (id: string) => void kept.delete(id),
      };
      const handled: Position[] = [];
      let resets = 0;
      const openPage = () => {
        const client = gateway.client({ user: 'ada', positions: customPositions(store) });
        const subscription = client.channel('chat:1').subscribe(
          async ({ epoch, offset }) => {
            await Promise.resolve();
            handled.push({ epoch, offset });
          },
          { resumeAs: 'page' },
        );
        subscription.on('reset', () => resets++);
        return client;
      };
      for (let page = 0; page < 5; page++) {
        const client = openPage();
        for (let n = 0; n < 6; n++) {
          gateway.publish('chat:1', n);
          await gateway.run(600);
        }
        client.close();
        await gateway.run(10);
        pages++;
      }
      openPage();
      await gateway.calm();
      expect(breaks(handled)).toBeLessThanOrEqual(resets);
      const stood = handled.length > 0 || resets > 0;
      // A page that never was connected kept no place; every other has led to the end of the log.
      if (stood && gateway.log('chat:1').messages.length > 0)
        expect([...kept.values()].map(({ offset }) => offset)).toEqual([gateway.log('chat:1').head.offset]);
    });
    expect(pages).toBe(200);
  });

  it('a list of messages has no hole, and ends where the log does', async () => {
    await underFaults({ channels, runs: 40 }, async (gateway) => {
      const client = gateway.client({ user: 'ada' });
      const list = messagesStore(client.channel('chat:1'), { rewind: 5, max: 8 });
      const latest = latestStore(client.channel('price:1'));
      const seen: (readonly Position[])[] = [];
      list.subscribe(() => seen.push(list.getSnapshot().messages));
      latest.subscribe(() => {});
      for (let n = 0; n < 12; n++) {
        gateway.publish('chat:1', n);
        gateway.publish('price:1', n);
        await gateway.run(500);
        await new Promise((resolve) => setTimeout(resolve, n % 4 === 0 ? 17 : 0));
      }
      await gateway.calm();
      gateway.publish('price:1', 100);
      await gateway.run(10);
      await new Promise((resolve) => setTimeout(resolve, 20));
      const { messages, status } = list.getSnapshot();
      const log = gateway.log('chat:1').messages;
      expect(status).toBe('subscribed');
      expect(seen.flatMap((shown) => (breaks(shown) > 0 ? [shown] : []))).toEqual([]);
      const shown = messages.map(({ epoch, offset }) => `${epoch}-${offset}`).slice(-log.length || messages.length);
      expect(shown).toEqual(log.map(({ epoch, offset }) => `${epoch}-${offset}`).slice(-shown.length));
      expect(latest.getSnapshot()?.data).toBe(100);
    });
  });
});
