/** What a connection asks of a channel takes effect in the order it came, though pushes and answers travel apart. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startGatewayProcess } from '../support/gateway-process.js';
import { type StandaloneServers, startRedis } from '../support/redis-servers.js';

const ROUNDS = 100;
const CONNECT = 1_000_000;

let servers: StandaloneServers;
beforeAll(async () => {
  servers = await startRedis();
});
afterAll(() => servers?.stop());

interface Frame {
  readonly type: string;
  readonly id?: number;
  readonly channel?: string;
  readonly offset?: number;
  readonly data?: unknown;
}

async function connect(wsUrl: string) {
  const socket = new WebSocket(wsUrl, { perMessageDeflate: false });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const frames: Frame[] = [];
  socket.on('message', (text) => frames.push(...[JSON.parse(String(text)) as Frame | Frame[]].flat()));
  const send = (frame: object) => socket.send(JSON.stringify(frame));
  send({ type: 'connect', id: CONNECT });
  const answered = (id: number) => expect.poll(() => frames.some((frame) => frame.id === id)).toBe(true);
  await answered(CONNECT);
  return { frames, send, answered };
}

it('a subscribe right behind a publish stands behind it, on channels where somebody is and where nobody is', async () => {
  const gateway = await startGatewayProcess({ settings: { REDIS_URL: servers.url, STOP_DELAY_MS: '0' } });
  onTestFinished(() => gateway.stop());
  const other = await connect(gateway.wsUrl);
  const { frames, send, answered } = await connect(gateway.wsUrl);
  for (let n = 0; n < ROUNDS; n += 2) other.send({ type: 'subscribe', id: n + 1, channel: `demo:${n}` });
  await other.answered(ROUNDS - 1);
  for (let n = 0; n < ROUNDS; n++) {
    const channel = `demo:${n}`;
    send({ type: 'publish', id: 3 * n + 1, channel, data: 'before' });
    send({ type: 'subscribe', id: 3 * n + 2, channel });
    send({ type: 'publish', id: 3 * n + 3, channel, data: 'behind' });
  }
  for (let id = 1; id <= 3 * ROUNDS; id++) await answered(id);
  const got = (channel: string) => frames.filter((one) => one.type === 'message' && one.channel === channel);
  for (let n = 0; n < ROUNDS; n++) {
    const channel = `demo:${n}`;
    await expect.poll(() => got(channel).map(({ data, offset }) => [data, offset])).toEqual([['behind', 2]]);
    expect(frames.find(({ id }) => id === 3 * n + 2)).toMatchObject({ type: 'subscribed', offset: 1 });
  }
});
