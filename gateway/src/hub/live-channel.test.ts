import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createHub, join } from '../../test/support/hub-kit.js';
import { openChannel, plainSubscriber } from '../../test/support/plain-subscriber.js';

const LIVE = openChannel('live', false);
const datas = (sent: readonly string[]) => sent.map((text) => (JSON.parse(text) as { data: number }).data);

it('gives whoever is on it what is published from then on, without a position', async () => {
  const { hub, publish, sent } = createHub();
  await publish('0', LIVE);
  const { joined, replayed } = await join(hub, LIVE);
  expect([joined, replayed]).toEqual([{}, []]);
  for (const n of ['1', '2']) await publish(n, LIVE);
  await expect.poll(() => datas(sent)).toEqual([1, 2]);
  expect(JSON.parse(sent[0] as string)).not.toHaveProperty('offset');
});

it('lets nobody on behind a hole: who lags joins when it has caught up', async () => {
  const { hub } = createHub();
  const state = { isLagging: true, catchUp: () => {} };
  const topics: string[] = [];
  const subscriber = {
    ...plainSubscriber(),
    drained: () =>
      new Promise<void>((resolve) => {
        state.catchUp = resolve;
      }),
    subscribe: (topic: string) => topics.push(topic),
    isLagging: true,
  };
  Object.defineProperty(subscriber, 'isLagging', { get: () => state.isLagging });
  const membership = hub.enter(LIVE, subscriber);
  const told: unknown[] = [];
  const joining = membership.channel.join(membership, undefined, (joined) => told.push(joined));
  await nextTurn();
  expect([told, topics]).toEqual([[], []]);
  state.isLagging = false;
  state.catchUp();
  await joining;
  expect([told, topics]).toEqual([[{}], ['json/live']]);
});

it('drops what comes faster than it can be sent, for everybody, and counts that', async () => {
  const { hub, publish, sent, stats } = createHub(() => ({}), { queueBytes: 400, allQueuesBytes: 400 });
  await join(hub, LIVE);
  for (let n = 1; n <= 20; n++) void publish(String(n), LIVE);
  await expect.poll(() => datas(sent).length + stats.liveDropped).toBe(20);
  expect(stats.liveDropped).toBeGreaterThan(0);
  expect(datas(sent)).toEqual(datas(sent).map((_, i) => i + 1));
  await publish('21', LIVE);
  await expect.poll(() => datas(sent).at(-1)).toBe(21);
});
