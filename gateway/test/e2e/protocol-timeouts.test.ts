import { cases } from '@fanfare/protocol/suite';
import { describe, it } from 'vitest';
import { startGatewayProcess } from '../support/gateway-process.js';

const slow = cases.filter((one) => one.slow).map((one) => [one.name, one] as const);

/** They wait for the gateway's timeouts, all at once. */
describe.concurrent.each(['uws', 'ws'])('a gateway on %s keeps to docs/PROTOCOL.md in time', (transport) => {
  it.each(slow)('%s', { timeout: 150_000 }, async (_, one) => {
    const gateway = await startGatewayProcess({ settings: { TRANSPORT: transport } });
    try {
      await one.run({ url: gateway.wsUrl, http: gateway.httpUrl, key: 'dev', answerMs: 30_000 });
    } finally {
      await gateway.stop();
    }
  });
});
