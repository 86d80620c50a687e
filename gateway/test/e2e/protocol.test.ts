import { cases, type Target } from '@fanfare/protocol/suite';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

describe.each(['uws', 'ws'])('a gateway on %s keeps to docs/PROTOCOL.md', (transport) => {
  let gateway: GatewayProcess;
  let target: Target;

  beforeAll(async () => {
    gateway = await startGatewayProcess({ settings: { TRANSPORT: transport } });
    target = { url: gateway.wsUrl, http: gateway.httpUrl, key: 'dev' };
  });
  afterAll(() => gateway?.stop());

  // The slow ones wait for timeouts that tests of the session reach with a clock of their own.
  it.each(cases.filter(({ slow }) => !slow).map((one) => [one.name, one] as const))('%s', (_, one) => one.run(target));
});
