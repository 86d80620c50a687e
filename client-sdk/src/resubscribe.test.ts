import { describe, expect, it } from 'vitest';
import { withFakeServer, withLogServer } from '../test/support.js';
import type { Subscription } from './index.js';
import { TokenBucket } from './token-bucket.js';

const names = (count: number, namespace = 'chat') => Array.from({ length: count }, (_, n) => `${namespace}:${n}`);
const allOn = (subscriptions: Subscription[]) => subscriptions.every(({ state }) => state === 'subscribed');

describe('many channels', () => {
  it('are resumed after a reconnect without ever opening many requests at once', () => {
    const { client, server, clock } = withLogServer({ joinsPerSecond: 1e9 }, { latencyMs: () => 5 });
    const subscriptions = names(2_000).map((name) => client.channel(name).subscribe(() => {}));
    client.connect();
    clock.advance(1_000);
    expect(allOn(subscriptions)).toBe(true);
    server.link.cut();
    let open = 0;
    let mostOpen = 0;
    const { answer } = server;
    server.onFrame = (frame, link) => {
      mostOpen = Math.max(mostOpen, ++open);
      clock.after(20, () => {
        open--;
        answer.call(server, frame, link);
      });
    };
    clock.advance(2_000);
    expect(allOn(subscriptions)).toBe(true);
    expect(mostOpen).toBeLessThanOrEqual(64);
    expect(server.link.sent('subscribe').every(({ since }) => since)).toBe(true);
    expect(server.link.sent('subscribe')).toHaveLength(2_000);
  });

  it('send no more behind connect than the gateway lets wait', () => {
    const { client, server, clock } = withFakeServer();
    server.accepts = false;
    // Quotes take two bytes in JSON.
    for (let n = 0; n < 400; n++) client.channel(`${'"'.repeat(250)}${n}`).subscribe(() => {}, { rewindMs: 1e15 });
    client.connect();
    clock.advance(5_000);
    const bytes = server.link.received.reduce((sum, frame) => sum + JSON.stringify(frame).length, 0);
    expect(server.link.sent('subscribe').length).toBeGreaterThan(10);
    expect(bytes).toBeLessThan(64 * 1024);
  });

  it('are resumed though the connection broke with many requests open', () => {
    const { client, server, clock } = withLogServer({ joinsPerSecond: 1e9 });
    const subscriptions = names(300).map((name) => client.channel(name).subscribe(() => {}));
    const { answer } = server;
    server.onFrame = () => {};
    client.connect();
    clock.advance(100);
    expect(server.link.sent('subscribe')).toHaveLength(64);
    server.onFrame = (frame, link) => answer.call(server, frame, link);
    server.link.cut();
    clock.advance(1_500);
    expect(allOn(subscriptions)).toBe(true);
  });

  it('that are new are joined at a pace', () => {
    const { client, server, clock } = withLogServer();
    const subscriptions = names(600).map((name) => client.channel(name).subscribe(() => {}));
    client.connect();
    clock.advance(500);
    expect(server.link.sent('subscribe').length).toBeGreaterThanOrEqual(200);
    expect(server.link.sent('subscribe').length).toBeLessThanOrEqual(226);
    clock.advance(2_600);
    expect(allOn(subscriptions)).toBe(true);
  });

  it('that are live are joined again within the limits of a gateway as it comes', () => {
    const { client, server, clock } = withLogServer({}, { latencyMs: () => 20 });
    const subscriptions = names(1_000, 'live').map((name) => client.channel(name).subscribe(() => {}));
    client.connect();
    clock.advance(20_000);
    expect(allOn(subscriptions)).toBe(true);
    server.link.cut();
    const { answer } = server;
    const commands = new TokenBucket(clock, 200, () => {});
    let refused = 0;
    server.onFrame = (frame, link) => {
      if (!commands.available) refused++;
      commands.take();
      answer.call(server, frame, link);
    };
    clock.advance(6_500);
    expect(allOn(subscriptions)).toBe(true);
    expect(refused).toBe(0);
  });

  it('that are resumed do not wait for those that are new', () => {
    const { client, server, clock } = withLogServer();
    const old = names(40).map((name) => client.channel(name).subscribe(() => {}));
    client.connect();
    clock.advance(2_000);
    server.link.cut();
    for (let n = 0; n < 500; n++) client.channel(`new:${n}`).subscribe(() => {});
    clock.advance(600);
    expect(allOn(old)).toBe(true);
    expect(server.link.sent('subscribe').findLastIndex(({ since }) => since)).toBeLessThan(40);
  });

  it('get through a rate limit, by waiting as long as they are told', () => {
    const { client, server, clock } = withLogServer({ joinsPerSecond: 1e9 });
    const { answer } = server;
    let tokens = 20;
    let refused = 0;
    const refill = () =>
      clock.after(100, () => {
        tokens = Math.min(20, tokens + 5);
        refill();
      });
    refill();
    server.onFrame = (frame, link) => {
      if (frame.type === 'subscribe' && tokens-- < 1) {
        refused++;
        tokens = 0;
        const { id } = frame;
        link.send({ type: 'error', id, code: 'rate_limited', message: '', retryable: true, retryAfter: 300 });
      } else answer.call(server, frame, link);
    };
    const subscriptions = names(300).map((name) => client.channel(name).subscribe(() => {}));
    client.connect();
    clock.advance(15_000);
    expect(allOn(subscriptions)).toBe(true);
    expect(refused).toBeLessThan(300);
  });

  it('are not held up by one that the gateway cannot serve', () => {
    const { client, server, clock } = withLogServer();
    const { answer } = server;
    server.onFrame = (frame, link) => {
      if (!('channel' in frame) || frame.channel !== 'chat:0') answer.call(server, frame, link);
    };
    const [stuck, ...others] = names(30).map((name) => client.channel(name).subscribe(() => {}));
    client.connect();
    clock.advance(60_000);
    expect(allOn(others)).toBe(true);
    expect(stuck?.state).toBe('subscribing');
    expect(server.links).toHaveLength(1);
    server.onFrame = (frame, link) => answer.call(server, frame, link);
    clock.advance(60_000);
    expect(stuck?.state).toBe('subscribed');
  });

  it('that are left and taken again while commands wait in line begin anew', () => {
    const { client, server, clock } = withLogServer({ joinsPerSecond: 1e9 });
    const first = client.channel('chat:0').subscribe(() => {});
    client.connect();
    clock.advance(20);
    const { answer } = server;
    server.onFrame = () => {};
    for (const name of names(65).slice(1)) client.channel(name).subscribe(() => {});
    clock.advance(20);
    for (let n = 1; n <= 3; n++) server.publish('chat:0', n);
    clock.advance(20);
    first.unsubscribe();
    const seen: unknown[] = [];
    client.channel('chat:0').subscribe(({ data }) => seen.push(data), { rewind: 2 });
    expect(server.link.sent('unsubscribe')).toEqual([]);
    server.onFrame = (frame, link) => answer.call(server, frame, link);
    clock.advance(60_000);
    expect(server.link.sent('unsubscribe').filter(({ channel }) => channel === 'chat:0')).toHaveLength(1);
    expect(seen).toEqual([2, 3]);
  });

  it('leave nothing behind when all are left', () => {
    const { client, server, clock } = withLogServer({ joinsPerSecond: 1e9 });
    const subscriptions = names(300).map((name) => client.channel(name).subscribe(() => {}));
    client.connect();
    clock.advance(1_000);
    for (const subscription of subscriptions) subscription.unsubscribe();
    clock.advance(1_000);
    for (const name of names(300)) expect(server.membersOf(name)).toEqual([]);
    server.link.cut();
    clock.advance(1_000);
    expect(server.link.received.map(({ type }) => type)).toEqual(['connect']);
  });
});
