/** Presence from outside: sockets and HTTP, one gateway and two, one of them killed. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startRedis } from '../support/redis-servers.js';

interface Frame {
  readonly type: string;
  readonly id?: number;
  readonly code?: string;
  readonly session?: string;
  readonly members?: { readonly session: string; readonly sessions: number }[];
  readonly member?: { readonly session: string };
  readonly count?: number;
  readonly cursor?: string;
}

/** A client that keeps what it is sent. */
async function connect({ wsUrl }: GatewayProcess) {
  const socket = new WebSocket(wsUrl);
  onTestFinished(() => socket.terminate());
  const frames: Frame[] = [];
  socket.on('message', (data) => frames.push(...([JSON.parse(String(data))].flat() as Frame[])));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let lastId = 0;
  const request = async (frame: object): Promise<Frame> => {
    const id = ++lastId;
    socket.send(JSON.stringify({ id, ...frame }));
    await expect.poll(() => frames.some((one) => one.id === id), { timeout: 20_000 }).toBe(true);
    return frames.find((one) => one.id === id) as Frame;
  };
  const { session } = await request({ type: 'connect' });
  const seen = () => frames.flatMap(({ type, member }) => (member ? [`${type} ${member.session}`] : []));
  return { session: session as string, socket, request, seen };
}

async function membersByHttp({ httpUrl }: GatewayProcess, channel: string, query = '') {
  const response = await fetch(`${httpUrl}/v1/presence?channel=${channel}${query}`, {
    headers: { authorization: 'Bearer dev' },
  });
  return { status: response.status, ...((await response.json()) as Frame) };
}

async function startGateway(settings: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ settings });
  onTestFinished(() => gateway.stop());
  return gateway;
}

describe.each(['uws', 'ws'])('presence over %s', (TRANSPORT) => {
  it('a member is listed once it is told that it is subscribed, and the others hear of it', async () => {
    const gateway = await startGateway({ TRANSPORT });
    const [a, b] = [await connect(gateway), await connect(gateway)];
    expect(await a.request({ type: 'subscribe', channel: 'demo:p', presence: true })).toMatchObject({
      type: 'subscribed',
    });
    expect((await membersByHttp(gateway, 'demo:p')).members).toEqual([{ session: a.session, sessions: 1 }]);
    await b.request({ type: 'subscribe', channel: 'demo:p', presence: true });
    await expect.poll(() => a.seen()).toContain(`join ${b.session}`);
    expect(await a.request({ type: 'presence', channel: 'demo:p' })).toMatchObject({
      count: 2,
      members: [{ session: a.session }, { session: b.session }],
    });
    await b.request({ type: 'unsubscribe', channel: 'demo:p' });
    await expect.poll(() => a.seen()).toContain(`leave ${b.session}`);
    expect((await membersByHttp(gateway, 'demo:p')).count).toBe(1);
  });

  it('who subscribed without it is neither listed nor told', async () => {
    const gateway = await startGateway({ TRANSPORT });
    const [a, b] = [await connect(gateway), await connect(gateway)];
    await a.request({ type: 'subscribe', channel: 'demo:p' });
    await b.request({ type: 'subscribe', channel: 'demo:p', presence: true });
    const page = await a.request({ type: 'presence', channel: 'demo:p' });
    expect(page.members?.map((member) => member.session)).toEqual([b.session]);
    expect(a.seen()).toEqual([]);
  });

  it('a connection that ends leaves all its channels', async () => {
    const gateway = await startGateway({ TRANSPORT });
    const [a, b] = [await connect(gateway), await connect(gateway)];
    for (const channel of ['demo:p', 'demo:q']) {
      await a.request({ type: 'subscribe', channel, presence: true });
      await b.request({ type: 'subscribe', channel, presence: true });
    }
    b.socket.terminate();
    await expect.poll(() => a.seen().filter((one) => one === `leave ${b.session}`)).toHaveLength(2);
  });
});

it('lists page by page, and refuses what is no page or no channel', async () => {
  const gateway = await startGateway();
  const client = await connect(gateway);
  for (let i = 0; i < 3; i++) {
    await (await connect(gateway)).request({ type: 'subscribe', channel: 'demo:p', presence: true });
  }
  const first = await client.request({ type: 'presence', channel: 'demo:p', limit: 2 });
  expect(first).toMatchObject({ count: 3 });
  const second = await client.request({ type: 'presence', channel: 'demo:p', limit: 2, cursor: first.cursor });
  expect(first.members?.length).toBe(2);
  expect(second.members?.length).toBe(1);
  expect(second.cursor).toBeUndefined();
  const http = await membersByHttp(gateway, 'demo:p', '&limit=2');
  expect(http.members).toEqual(first.members);
  expect((await membersByHttp(gateway, 'demo:p', `&limit=2&cursor=${http.cursor}`)).members).toEqual(second.members);
  for (const query of ['&limit=0', '&limit=x', '&cursor=x']) {
    expect(await membersByHttp(gateway, 'demo:p', query)).toMatchObject({ status: 400, code: 'bad_request' });
  }
  expect(await membersByHttp(gateway, '')).toMatchObject({ status: 400 });
  expect(await membersByHttp(gateway, 'nowhere:1')).toMatchObject({ status: 404, code: 'unknown_channel' });
  expect(await client.request({ type: 'presence', channel: 'demo:p', cursor: 'x' })).toMatchObject({
    code: 'bad_request',
  });
});

it('members of two gateways see each other; those of a killed one leave, those of a frozen one come back', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const settings = { REDIS_URL: redis.url, PRESENCE_LEASE_MS: '5000' };
  const [one, two] = [await startGateway(settings), await startGateway(settings)];
  const [a, b] = [await connect(one), await connect(two)];
  for (const client of [a, b]) await client.request({ type: 'subscribe', channel: 'demo:p', presence: true });
  await expect.poll(() => a.seen()).toContain(`join ${b.session}`);
  expect((await membersByHttp(one, 'demo:p')).members).toEqual((await membersByHttp(two, 'demo:p')).members);

  await two.signal('SIGSTOP');
  await expect.poll(() => a.seen(), { timeout: 20_000 }).toContain(`leave ${b.session}`);
  await two.signal('SIGCONT');
  await expect
    .poll(async () => (await membersByHttp(one, 'demo:p')).members?.map((member) => member.session).sort(), {
      timeout: 20_000,
    })
    .toEqual([a.session, b.session].sort());

  await two.signal('SIGKILL');
  await expect
    .poll(() => a.seen().filter((event) => event === `leave ${b.session}`), { timeout: 20_000 })
    .toHaveLength(2);
  expect((await membersByHttp(one, 'demo:p')).count).toBe(1);
});
