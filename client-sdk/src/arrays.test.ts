import { describe, expect, it } from 'vitest';
import { withFakeServer } from '../test/support.js';

const message = (data: number) => ({ type: 'message', channel: 'live:x', data, time: 1 });

/** A client that waits for the answer to a subscribe; `seen` holds the data that its handler was given. */
function subscribing(onMessage = () => {}) {
  const setup = withFakeServer();
  const seen: unknown[] = [];
  setup.client.connect();
  setup.client.channel('live:x').subscribe(({ data }) => {
    seen.push(data);
    onMessage();
  });
  setup.clock.advance(10);
  const [request] = setup.server.link.sent('subscribe');
  return { ...setup, seen, subscribed: { type: 'subscribed', id: request?.id, channel: 'live:x', durable: false } };
}

describe('several frames in one WebSocket frame', () => {
  it('are taken in order; those of unknown types are left out', () => {
    const { seen, server, clock, subscribed } = subscribing();
    server.link.sendArray([subscribed, message(1), { type: 'something-new' }, { type: 'ping' }, message(2)]);
    clock.advance(10);
    expect(seen).toEqual([1, 2]);
    expect(server.link.sent('pong')).toHaveLength(1);
  });

  it('are not told any more once a handler has closed the client', () => {
    const { client, seen, server, clock, subscribed } = subscribing(() => client.close());
    server.link.sendArray([subscribed, message(1), message(2)]);
    clock.advance(10);
    expect(seen).toEqual([1]);
    expect(client.state).toBe('closed');
  });

  it('are not used where one of them is malformed: the client connects again', () => {
    const { client, seen, server, clock, errors, subscribed } = subscribing();
    server.link.send(subscribed);
    server.link.sendArray([message(1), { ...message(2), time: 'x' }]);
    clock.advance(10);
    expect(seen).toEqual([]);
    expect(errors.map(({ code }) => code)).toEqual(['malformed_frame']);
    clock.advance(2_000);
    expect(client.state).toBe('connected');
    expect(server.links).toHaveLength(2);
  });

  it('are taken behind the answer to a probe, too', () => {
    const { seen, server, clock, subscribed } = subscribing();
    server.link.send(subscribed);
    server.link.sendArray([{ type: 'unsubscribed', id: 99, channel: 'fanfare-js:probe' }, message(1)]);
    clock.advance(10);
    expect(seen).toEqual([1]);
  });
});
