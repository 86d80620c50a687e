import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { PolledTopology } from '../../src/redis/topology/polled-topology.js';
import { singleMasterView } from '../../src/redis/topology/topology.js';
import { delay } from '../support/broker-kit.js';
import { startRedis } from '../support/redis-servers.js';

const TIMINGS = {
  topologyPollMs: 10,
  topologyHurriedPollMs: 10,
  topologyAnswerMs: 20_000,
  handshakeMs: 20_000,
  backoff: { minMs: 50, maxMs: 100 },
};

it('what many nodes answer is put together once, and not again while they answer the same', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const { client, port } = redis.node;
  await client.set('master', 'a');
  const peers = Array.from({ length: 20 }, (_, i) => ({ host: `127.0.0.${i + 1}`, port }));
  await client.config('SET', 'bind', '0.0.0.0');
  let asked = 0;
  const answered = new Set<string | undefined>();
  let agreed = 0;
  const views: string[][] = [];
  const topology = new PolledTopology<{ master: string }>(
    {
      async ask(connection) {
        asked++;
        const master = String(await connection.get('master'));
        answered.add(connection.options.host);
        return { master };
      },
      peers: () => peers,
      agree(answers) {
        agreed++;
        const [{ master }] = [...answers.values()] as [{ master: string }];
        return { view: singleMasterView(master, { host: master, port }), isMajority: true };
      },
    },
    {
      seeds: peers,
      clock: systemClock,
      link: {},
      timings: TIMINGS,
      isHurried: () => false,
      onChange: ({ masters }) => views.push([...masters.keys()]),
    },
  );
  onTestFinished(() => topology.close());
  topology.start();
  await expect.poll(() => answered.size).toBe(20);
  await delay(100); // the last answers are looked at together
  const settled = agreed;
  expect(settled).toBeLessThan(20);
  const before = asked;
  await expect.poll(() => asked - before).toBeGreaterThan(300);
  expect(agreed).toBe(settled);
  await client.set('master', 'b');
  await expect.poll(() => views).toEqual([['a'], ['b']]);
  await delay(100);
  expect(agreed - settled).toBeLessThan(20);
});
