import assert from 'node:assert/strict';
import { RawClient } from '../raw-client.mjs';

/** What a gateway waits for a `connect`, and for life behind a `ping`, ms; and what we allow on top. */
const PATIENCE_MS = 10_000;
const SLACK_MS = 10_000;

/** These take as long as the gateway's timeouts. */
export const liveness = [
  {
    name: 'a socket that never connects is closed with 4002',
    slow: true,
    async run(target) {
      const client = await RawClient.open(target);
      assert.equal((await client.closedWithin(PATIENCE_MS + SLACK_MS)).code, 4002);
    },
  },
  {
    name: 'pings come, and a client that answers them stays',
    slow: true,
    async run(target) {
      const client = await RawClient.connect(target);
      const { ping } = client.connected;
      const stillOpen = await Promise.race([
        client.closed,
        new Promise((resolve) => setTimeout(resolve, 2 * ping + SLACK_MS)),
      ]);
      assert.equal(stillOpen, undefined);
      assert.ok(Date.now() - client.pingedAtMs < ping + SLACK_MS, 'no ping came');
    },
  },
  {
    name: 'a client that answers no ping is closed with 4002',
    slow: true,
    async run(target) {
      const client = await RawClient.connect(target);
      client.answersPings = false;
      const { code } = await client.closedWithin(client.connected.ping + PATIENCE_MS + SLACK_MS);
      assert.equal(code, 4002);
    },
  },
];
