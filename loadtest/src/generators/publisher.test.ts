import { expect, it } from 'vitest';
import { Tally } from '../run/tally.js';
import type { Outgoing, PublishLink } from './publish-link.js';
import { Publisher } from './publisher.js';

it('publishes what was due when its schedule ends, also if it never came to a stroke', () => {
  const sent: Outgoing[] = [];
  const link: PublishLink = {
    room: Number.POSITIVE_INFINITY,
    onRoom: () => {},
    send: (messages) => void sent.push(...messages),
    close: () => {},
  };
  const publisher = new Publisher({
    channels: ['a'],
    model: { rate: 1_000 },
    firstStream: 0,
    links: [link],
    batch: 1,
    drawSize: () => 64,
    tally: new Tally(),
  });
  publisher.start(1);
  // The process stands still, as on a machine that is busy with something else.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  publisher.stop();
  expect(sent.length).toBeGreaterThan(95);
  expect(sent.length + publisher.skipped).toBe(publisher.open);
});
