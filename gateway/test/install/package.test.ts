/** The packed gateway with what a registry has: the fast transport, and each Node that is supported. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PackedGateway } from '../support/packed-gateway.js';

let gateway: PackedGateway;
beforeAll(async () => {
  gateway = await PackedGateway.install(['node22@npm:node@22', 'node24@npm:node@24']);
}, 280_000);
afterAll(() => gateway.remove());

it.each([
  ['this Node', undefined],
  ['Node 22', 'node_modules/node22/bin/node'],
  ['Node 24', 'node_modules/node24/bin/node'],
])('serves on %s, on uWebSockets.js or with the reason why not', async (_, node) => {
  const { url, output } = await gateway.serve({}, node);
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  expect(output.stdout).toMatch(/transport=uws|uWebSockets\.js does not load here.* reason=.*GLIBC/);
});
