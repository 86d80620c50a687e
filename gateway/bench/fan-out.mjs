/**
 * Measures what the gateway itself does for a message between the broker and the transport (step rule, tail, encoding,
 * queue and counters), and what the flight recorder of `fanfare why` adds. There are no sockets: what uWebSockets.js
 * does for each subscriber comes on top.
 * It needs `npm run build`. Run it with: node gateway/bench/fan-out.mjs
 */
import { systemClock } from '../dist/clock.js';
import { FlightRecorder } from '../dist/flight-recorder.js';
import { Hub } from '../dist/hub/hub.js';
import { localSubscriber } from '../dist/hub/subscriber.js';
import { createStats } from '../dist/stats.js';

const ROUND_MS = 300;
const ROUNDS = 5;
const payload = { format: 'json', bytes: Buffer.from(JSON.stringify('x'.repeat(62))) };
const cpuUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A broker that has one subscriber, to which the benchmark pushes. */
function createPusher() {
  let listener;
  return {
    push: (record) => listener.onRecord(record),
    broker: {
      name: 'memory',
      async subscribe(_, given) {
        listener = given;
        return { shard: 'bench', unsubscribe: async () => {} };
      },
      read: async () => ({
        head: { epoch: 1, offset: 0 },
        lineage: [{ epoch: 1, baseOffset: 0 }],
        entries: [],
        more: false,
      }),
      health: () => [],
    },
  };
}

async function measure(durable, batch, recordedEvents) {
  const { push, broker } = createPusher();
  const transport = { publish() {} };
  const recorder = new FlightRecorder(recordedEvents);
  const hub = new Hub({
    broker,
    transport,
    clock: systemClock,
    stats: createStats(),
    recorder,
    onFault: console.error,
  });
  const policy = { name: 'chat:room-42', durable, historySize: 100, historyTtlMs: 60_000 };
  const membership = hub.enter(policy, localSubscriber);
  await membership.channel.join(membership, undefined, () => {});
  let offset = 0;
  const rounds = [];
  for (let round = 0; round <= ROUNDS; round++) {
    let messages = 0;
    let busyUs = 0;
    const end = performance.now() + ROUND_MS;
    while (performance.now() < end) {
      const begin = cpuUs();
      for (let turns = 0; turns < 50; turns++) {
        for (let nth = 0; nth < batch; nth++) {
          offset++;
          push({ epoch: durable ? 1 : 0, offset: durable ? offset : 0, time: Date.now(), payload, size: 120 });
        }
        await turn();
      }
      busyUs += cpuUs() - begin;
      messages += 50 * batch;
    }
    rounds.push((busyUs * 1e3) / messages);
  }
  await hub.close();
  // The first round warms up. The best round counts, because whatever else runs on the machine only adds to CPU time.
  return Math.round(Math.min(...rounds.slice(1)));
}

const costs = [];
for (const durable of [true, false]) {
  for (const batch of [1, 8, 64]) {
    // The two are measured in turn, so that a machine whose speed wanders treats both alike.
    const without = [];
    const recorded = [];
    for (let turn = 0; turn < 3; turn++) {
      without.push(await measure(durable, batch, 0));
      recorded.push(await measure(durable, batch, 65_536));
    }
    costs.push({
      channel: durable ? 'durable' : 'live',
      'messages a turn': batch,
      'ns a message': Math.min(...without),
      'with the flight recorder': Math.min(...recorded),
    });
  }
}
console.table(costs);
process.exit(0);
