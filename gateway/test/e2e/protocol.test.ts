import { cases, type Target } from '@fanfare/protocol/suite';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { type RedisServers, startRedis } from '../support/redis-servers.js';

const GATEWAYS = [
  { transport: 'uws', broker: 'memory' },
  { transport: 'ws', broker: 'memory' },
  { transport: 'uws', broker: 'redis' },
] as const;

describe.each(GATEWAYS)('a gateway on $transport over $broker keeps to docs/PROTOCOL.md', ({ transport, broker }) => {
  let redis: RedisServers | undefined;
  let gateway: GatewayProcess;
  let target: Target;

  beforeAll(async () => {
    if (broker === 'redis') redis = await startRedis();
    const settings = { TRANSPORT: transport, ...(redis && { REDIS_URL: redis.url }) };
    gateway = await startGatewayProcess({ settings });
    target = { url: gateway.wsUrl, http: gateway.httpUrl, key: 'dev', answerMs: 30_000 };
  });
  afterAll(async () => {
    await gateway?.stop();
    await redis?.stop();
  });

  // The slow ones are in protocol-timeouts.test.ts.
  it.each(cases.filter(({ slow }) => !slow).map((one) => [one.name, one] as const))('%s', (_, one) => one.run(target));
});
