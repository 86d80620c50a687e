import { systemClock } from '../../src/clock.js';
import { brokerCases } from '../cases/broker.cases.js';
import { createRedisBroker } from '../support/redis-broker.js';
import { type RedisServers, startCluster, startRedis, startSentinel } from '../support/redis-servers.js';

type MakeBrokers = Parameters<typeof brokerCases>[1];

/** Every pair of brokers gets servers of its own. */
function brokersOn(start: () => Promise<RedisServers>): MakeBrokers {
  return async ({ idempotencyMs }) => {
    const servers = await start();
    const make = () => createRedisBroker({ url: servers.url, clock: systemClock, idempotencyMs });
    const [broker, second] = [make(), make()];
    await Promise.all([broker.start(), second.start()]);
    return {
      broker,
      second,
      async stop() {
        await Promise.all([broker.close(), second.close()]);
        await servers.stop();
      },
    };
  };
}

brokerCases('standalone redis', brokersOn(startRedis));
brokerCases('redis cluster', brokersOn(startCluster));
brokerCases('redis sentinel', brokersOn(startSentinel));
