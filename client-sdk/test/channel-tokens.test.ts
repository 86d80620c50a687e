/** Tokens of single channels, by the SDK over a real gateway. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../gateway/test/support/gateway-process.js';
import { startTcpProxy } from '../../gateway/test/support/tcp-proxy.js';
import { createClient, type FanfareClientError } from '../src/index.js';
import { signToken } from '../src/tokens.js';
import { collect, rejectionOf } from './support.js';

const SECRET = 'a secret of at least thirty-two bytes';
let gateway: GatewayProcess;

beforeAll(async () => {
  gateway = await startGatewayProcess({
    settings: { JWT_SECRET: SECRET, JWT_CLOCK_TOLERANCE_MS: '0' },
    file: { namespaces: { chat: { subscribe: 'token', publish: 'token' } } },
  });
});
afterAll(() => gateway.stop());

const sign = (channel: string, expiresInS: number) =>
  signToken({ key: SECRET, expiresInS, grants: { [channel]: ['subscribe', 'publish'] } });

function connect(url = gateway.wsUrl) {
  const client = createClient({ url, backoff: { baseMs: 20, maxMs: 100 } });
  onTestFinished(() => client.close());
  const errors: FanfareClientError[] = [];
  client.on('error', (error) => errors.push(error));
  client.connect();
  return { client, errors };
}

describe('a subscription with a token', () => {
  it('may what its token allows, on that channel and nowhere else', async () => {
    const { client } = connect();
    const { handler, data } = collect();
    const token = await sign('chat:a', 60);
    await client.channel('chat:a').subscribe(handler, { token }).ready();
    await client.channel('chat:a').publish(1);
    await expect.poll(data).toEqual([1]);
    const other = client.channel('chat:b').subscribe(() => {}, { token });
    other.on('error', () => {});
    expect((await rejectionOf(other.ready())).code).toBe('forbidden');
    expect((await rejectionOf(client.channel('chat:b').publish(1))).code).toBe('forbidden');
  });

  it('is renewed in place before its token expires', async () => {
    const { client, errors } = connect();
    let fetched = 0;
    const told: string[] = [];
    const { handler, data } = collect();
    const subscription = client.channel('chat:r').subscribe(handler, {
      token: () => {
        fetched++;
        return sign('chat:r', 5);
      },
    });
    subscription.on('subscribed', () => told.push('subscribed'));
    await subscription.ready();
    await expect.poll(() => fetched, { timeout: 40_000 }).toBe(4);
    expect([told, errors]).toEqual([['subscribed'], []]);
    await client.channel('chat:r').publish('still');
    await expect.poll(data).toEqual(['still']);
  });

  it('comes back with it after a lost connection, without fetching another one', async () => {
    const proxy = await startTcpProxy(gateway.port);
    onTestFinished(() => proxy.close());
    const { client, errors } = connect(`ws://127.0.0.1:${proxy.port}/ws`);
    let fetched = 0;
    const again: boolean[] = [];
    const subscription = client.channel('chat:l').subscribe(() => {}, {
      token: () => {
        fetched++;
        return sign('chat:l', 60);
      },
    });
    subscription.on('subscribed', (event) => again.push(event.again));
    await subscription.ready();
    proxy.block();
    await expect.poll(() => client.state).not.toBe('connected');
    proxy.open();
    await expect.poll(() => again).toEqual([false, true]);
    expect([fetched, errors]).toEqual([1, []]);
  });

  it('fetches another one where the first has expired, and gives up where all have', async () => {
    const { client } = connect();
    const old = await sign('chat:e', 1);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    let fetched = 0;
    await client
      .channel('chat:e')
      .subscribe(() => {}, { token: () => (fetched++ === 0 ? old : sign('chat:e', 60)) })
      .ready();
    expect(fetched).toBe(2);
    for (const token of [old, () => old]) {
      const { client: another } = connect();
      const subscription = another.channel('chat:e').subscribe(() => {}, { token });
      subscription.on('error', () => {});
      expect((await rejectionOf(subscription.ready())).code).toBe('token_expired');
    }
  });

  it('waits for a function that fails, and fails where that gives up', async () => {
    const { client, errors } = connect();
    let calls = 0;
    const token = () => {
      if (calls++ === 0) throw new Error('down');
      return sign('chat:f', 60);
    };
    await client
      .channel('chat:f')
      .subscribe(() => {}, { token })
      .ready();
    expect(errors.map(({ code }) => code)).toEqual(['token_failed']);
    const { FanfareClientError: Failure } = await import('../src/index.js');
    const final = client.channel('chat:g').subscribe(() => {}, {
      token: () => Promise.reject(new Failure('forbidden', 'not for you')),
    });
    final.on('error', () => {});
    expect(await rejectionOf(final.ready())).toMatchObject({ code: 'forbidden', message: 'not for you' });
  });
});
