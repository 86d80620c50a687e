/** Who is on a channel, by the SDK over real gateways. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../gateway/test/support/gateway-process.js';
import { startRedis } from '../../gateway/test/support/redis-servers.js';
import { type ClientOptions, createClient, defineChannels, durable, type Presence } from '../src/index.js';
import { signToken } from '../src/tokens.js';

const SECRET = 'a secret of at least thirty-two bytes';

async function startGateway(settings: Readonly<Record<string, string>> = {}, file?: object): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ settings, ...(file && { file }) });
  onTestFinished(() => gateway.stop());
  return gateway;
}

async function join({ wsUrl }: GatewayProcess, options: Partial<ClientOptions> = {}) {
  const client = createClient({ url: wsUrl, backoff: { baseMs: 50, maxMs: 200 }, ...options });
  onTestFinished(() => client.close());
  client.connect();
  await client.ready();
  return { client, session: client.session?.session as string };
}

function record(presence: Presence) {
  const told: string[] = [];
  presence.on('join', ({ session }) => told.push(`join ${session}`));
  presence.on('leave', ({ session }) => told.push(`leave ${session}`));
  presence.on('sync', () => told.push('sync'));
  return told;
}
const sessions = (members: readonly { session: string }[] | undefined) => members?.map(({ session }) => session).sort();

describe('presence', () => {
  it('lists who is there, tells who comes and goes, and is read by who is not there', async () => {
    const gateway = await startGateway();
    const [a, b, c] = [await join(gateway), await join(gateway), await join(gateway)];
    const { presence } = a.client.channel('demo:p').subscribe(() => {}, { presence: true });
    const told = record(presence);
    await expect.poll(() => presence.synced).toBe(true);
    expect(sessions(presence.members)).toEqual([a.session]);
    const visit = b.client.channel('demo:p').subscribe(() => {}, { presence: true });
    await expect.poll(() => told).toContain(`join ${b.session}`);
    expect(sessions(await c.client.channel('demo:p').presence())).toEqual([a.session, b.session].sort());
    visit.unsubscribe();
    await expect.poll(() => told).toContain(`leave ${b.session}`);
    expect(told).toEqual([`join ${a.session}`, 'sync', `join ${b.session}`, `leave ${b.session}`]);
    expect(sessions(presence.members)).toEqual([a.session]);
  });

  it('begins and ends with the subscription that wants it, while another one loses nothing', async () => {
    const gateway = await startGateway();
    const a = await join(gateway);
    const channel = a.client.channel<number>('demo:p');
    const seen: number[] = [];
    const plain = channel.subscribe(({ data }) => seen.push(data));
    await plain.ready();
    expect([plain.presence, await channel.presence()]).toEqual([undefined, []]);
    let published = 0;
    const publishing = setInterval(() => void gateway.publish({ channel: 'demo:p', data: ++published }), 5);
    onTestFinished(() => clearInterval(publishing));
    for (let round = 0; round < 3; round++) {
      const present = channel.subscribe(() => {}, { presence: true });
      await expect.poll(() => sessions(present.presence.members)).toEqual([a.session]);
      expect(sessions(await channel.presence())).toEqual([a.session]);
      const second = channel.subscribe(() => {}, { presence: true });
      expect(second.presence).toBe(present.presence);
      present.unsubscribe();
      second.unsubscribe();
      await expect.poll(() => channel.presence()).toEqual([]);
    }
    clearInterval(publishing);
    await expect.poll(() => seen.length).toBe(published);
    expect(new Set(seen).size).toBe(published);
    expect(a.client.stats).toMatchObject({ resets: 0, gaps: 0 });
  });

  it('is there again for a subscription that follows at once on the last', async () => {
    const a = await join(await startGateway());
    const channel = a.client.channel('demo:p');
    channel.subscribe(() => {});
    const first = channel.subscribe(() => {}, { presence: true });
    await expect.poll(() => first.presence.synced).toBe(true);
    first.unsubscribe();
    const next = channel.subscribe(() => {}, { presence: true });
    await expect.poll(() => sessions(next.presence.members)).toEqual([a.session]);
    expect(next.presence.synced).toBe(true);
  });

  it('is read again after a gateway was killed, and tells what changed meanwhile', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const settings = { REDIS_URL: redis.url, PRESENCE_LEASE_MS: '5000' };
    const [one, two] = await Promise.all([startGateway(settings), startGateway(settings)]);
    const stays = await join(two);
    stays.client.channel('demo:p').subscribe(() => {}, { presence: true });
    const leaves = await join(two);
    const visit = leaves.client.channel('demo:p').subscribe(() => {}, { presence: true });
    await visit.ready();
    const a = await join(one);
    const { presence } = a.client.channel('demo:p').subscribe(() => {}, { presence: true });
    await expect.poll(() => sessions(presence.members)).toEqual([stays, leaves, a].map((x) => x.session).sort());
    const told = record(presence);
    await one.signal('SIGKILL');
    await expect.poll(() => presence.synced).toBe(false);
    visit.unsubscribe();
    const comes = await join(two);
    await comes.client
      .channel('demo:p')
      .subscribe(() => {}, { presence: true })
      .ready();
    const again = await startGatewayProcess({ settings, port: one.port });
    onTestFinished(() => again.stop());
    await expect.poll(() => presence.synced, { timeout: 20_000 }).toBe(true);
    const before = a.session;
    const now = a.client.session?.session as string;
    await expect.poll(() => told, { timeout: 20_000 }).toContain(`leave ${before}`);
    expect([...told].sort()).toEqual(
      [`join ${comes.session}`, `join ${now}`, `leave ${leaves.session}`, `leave ${before}`, 'sync'].sort(),
    );
    expect(sessions(presence.members)).toEqual([stays.session, comes.session, now].sort());
  });

  it('shows the info of tokens by the type of the map, and all sessions of a user as one', async () => {
    const file = { namespaces: { room: { subscribe: 'authenticated', presence: true } } };
    const gateway = await startGateway({ JWT_SECRET: SECRET }, file);
    const info = { '~standard': { types: undefined as { output: { name: string } } | undefined } };
    const text = { '~standard': { version: 1, vendor: 'none', validate: (value: unknown) => ({ value }) } } as const;
    const channels = defineChannels({ 'room:*': durable(text, { presence: info }) });
    const token = await signToken({ key: SECRET, user: 'ada', expiresInS: 60, info: { name: 'Ada' } });
    const client = createClient({ url: gateway.wsUrl, token, channels });
    onTestFinished(() => client.close());
    client.connect();
    const { presence } = client.channel('room:1').subscribe(() => {}, { presence: true });
    await join(gateway, { token }).then(({ client: other }) =>
      other
        .channel('room:1')
        .subscribe(() => {}, { presence: true })
        .ready(),
    );
    await expect.poll(() => presence.synced).toBe(true);
    expect(presence.members.map((member) => member.info?.name)).toEqual(['Ada']);
    const [ada] = await client.channel('room:1').presence();
    expect(ada).toMatchObject({ user: 'ada', sessions: 2 });
  });

  it('is refused, with a word, where the namespace has none', async () => {
    const file = { namespaces: { plain: { subscribe: 'anyone', presence: false } } };
    const { client } = await join(await startGateway({}, file));
    const subscription = client.channel('plain:1').subscribe(() => {}, { presence: true });
    const codes: string[] = [];
    subscription.on('error', ({ code }) => codes.push(code));
    client.on('error', ({ code }) => codes.push(code));
    await expect.poll(() => codes.length).toBeGreaterThan(0);
    expect(subscription.presence).toMatchObject({ synced: false, members: [] });
  });
});
